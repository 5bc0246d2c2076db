"""Rows of `export_job`. Whom an export is about stands sealed in them, under the key by which users are found."""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Row

from tracker.adapters.store.at_hand import at_hand
from tracker.adapters.store.key_tables import USER_REFS
from tracker.adapters.store.rows.reading import Values, consistent
from tracker.domain.export import ExportFile, ExportJob, ExportRequest, ExportState, Format
from tracker.journal.instant import parse_rfc3339, rfc3339
from tracker.journal.private import base64url, from_base64url

_AS_THEY_ARE = (
    *("id", "asked_by", "place", "position", "total", "count"),
    *("created_at", "started_at", "finished_at", "last_error"),
)
_NAMED = ("provider", "kind", "consent_id", "user_ref")


def export_job_values(job: ExportJob) -> Values:
    """The row of a job."""
    wanted = job.request
    request = {name: getattr(wanted, name) for name in _NAMED} | {
        "format": wanted.format.value,
        "since": None if wanted.since is None else rfc3339(wanted.since),
        "until": None if wanted.until is None else rfc3339(wanted.until),
    }
    files = [[file.name, file.bytes, file.sha256] for file in job.files]
    values = {name: getattr(job, name) for name in _AS_THEY_ARE}
    change = _hider(job.id)
    values |= {"request": _with_user(request, change), "part": _part(job.part, change)}
    return values | {"state": job.state.value, "files": files}


@consistent("export_job", "id")
def to_export_job(row: Row[Any]) -> ExportJob:
    """A row of `export_job`."""
    change = _opener(row.id)
    told = _with_user(row.request, change)
    request = ExportRequest(
        format=Format(told["format"]),
        since=None if told["since"] is None else parse_rfc3339(told["since"]),
        until=None if told["until"] is None else parse_rfc3339(told["until"]),
        **{name: told[name] for name in _NAMED},
    )
    plain = {name: getattr(row, name) for name in _AS_THEY_ARE}
    files = tuple(ExportFile(*file) for file in row.files)
    part = _part(row.part, change)
    return ExportJob(request=request, part=part, state=ExportState(row.state), files=files, **plain)


def _part(part: Mapping[str, Any] | None, change: Callable[[str], str | None]) -> dict[str, Any] | None:
    return None if part is None else {**part, "selection": _with_user(part["selection"], change)}


def _with_user(members: Mapping[str, Any], change: Callable[[str], str | None]) -> dict[str, Any]:
    user_ref = members["user_ref"]
    return {**members, "user_ref": None if user_ref is None else change(user_ref)}


def _hider(job_id: str) -> Callable[[str], str]:
    def hidden(user_ref: str) -> str:
        at_hand().make({USER_REFS: None})
        return base64url(at_hand().sealed(USER_REFS, user_ref.encode(), _place(job_id)))

    return hidden


def _opener(job_id: str) -> Callable[[str], str | None]:
    def opened(text: str) -> str | None:
        value = at_hand().opened(USER_REFS, from_base64url(text), _place(job_id))
        return None if value is None else value.decode()

    return opened


def _place(job_id: str) -> str:
    return f"export_job\n{job_id}\nuser_ref"
