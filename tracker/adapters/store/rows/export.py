"""Rows of `export_job`."""

from typing import Any

from sqlalchemy import Row

from tracker.adapters.store.rows.reading import Values, consistent
from tracker.domain.export import ExportFile, ExportJob, ExportRequest, ExportState, Format
from tracker.journal.instant import parse_rfc3339, rfc3339

_AS_THEY_ARE = (
    *("id", "asked_by", "part", "place", "position", "total", "count"),
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
    return values | {"state": job.state.value, "request": request, "files": files}


@consistent("export_job", "id")
def to_export_job(row: Row[Any]) -> ExportJob:
    """A row of `export_job`."""
    told = row.request
    request = ExportRequest(
        format=Format(told["format"]),
        since=None if told["since"] is None else parse_rfc3339(told["since"]),
        until=None if told["until"] is None else parse_rfc3339(told["until"]),
        **{name: told[name] for name in _NAMED},
    )
    plain = {name: getattr(row, name) for name in _AS_THEY_ARE}
    files = tuple(ExportFile(*file) for file in row.files)
    return ExportJob(request=request, state=ExportState(row.state), files=files, **plain)
