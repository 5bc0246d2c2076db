"""What the operations document says of settings, log, quarantine, problems and backup is what the code does."""

import ast
import json
import re
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import SecretStr, TypeAdapter, ValidationError

from tracker.adapters.store.aside import MAX_UNVERIFIED, MAX_UNVERIFIED_BYTES
from tracker.adapters.store.sqlite import SqliteDatabase
from tracker.domain import errors
from tracker.profiles import PROFILES, compact
from tracker.settings import Settings
from tracker.settings_problems import section_of
from tracker.web.problems import TITLES

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "operations.md").read_text("utf-8")
PACKAGE = ROOT / "tracker"


def chapter(heading: str) -> str:
    """What stands between a heading and the next one of its rank or above."""
    rank = heading.count("#")
    _, found, after = DOCUMENT.partition(f"\n{heading}\n")
    assert found, heading
    return re.split(rf"^#{{1,{rank}}} ", after, maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> list[list[str]]:
    """The cells of all tables in a text, without their heads."""
    tables = re.findall(r"^\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    return [[cell.strip() for cell in row.strip("|").split("|")] for found in tables for row in found.splitlines()]


def names_in(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


# ---------------------------------------------------------------------------------------------- settings

SECTIONS = re.findall(r"^### `(\[+\w+\]+)`$", DOCUMENT, re.MULTILINE)
SETTINGS = {
    (heading.strip("[]"), names_in(row[0])[0]): row for heading in SECTIONS for row in rows(chapter(f"### `{heading}`"))
}


def test_sections_and_settings_are_those_of_this_version() -> None:
    several = {"client", "client_certificate", "provider", "broker", "retention_override"}
    assert [h.strip("[]") for h in SECTIONS] == list(Settings.model_fields)
    assert {h.strip("[]") for h in SECTIONS if h.startswith("[[")} == several
    fields = [(name, field) for name in Settings.model_fields for field in section_of(Settings, name).model_fields]
    assert list(SETTINGS) == fields


def _as_written(value: Any) -> Any:
    match value:
        case timedelta():
            return value.total_seconds()
        case SecretStr():
            return value.get_secret_value()
        case tuple():
            return list(value)
        case _:
            return value


@pytest.mark.parametrize("key", SETTINGS, ids=".".join)
def test_default_is_the_one_documented(key: tuple[str, str]) -> None:
    field = section_of(Settings, key[0]).model_fields[key[1]]
    told = SETTINGS[key][1]
    if field.is_required():
        assert told == "required"
    elif field.default is None:
        assert told == "none"
    else:
        assert tomllib.loads(f"x = {names_in(told)[0]}")["x"] == _as_written(field.default)


BOUNDED = {key: row[2] for key, row in SETTINGS.items() if re.match(r"(over )?[\d.]+ to ", row[2])}


def test_every_number_has_bounds() -> None:
    numbers = {key for key, row in SETTINGS.items() if re.search(r"`[\d.]+`", row[1])}
    assert numbers == {key for key in BOUNDED if SETTINGS[key][1] != "none"}


@pytest.mark.parametrize("key", BOUNDED, ids=".".join)
def test_bounds_are_those_documented(key: tuple[str, str]) -> None:
    found = re.match(r"(over )?([\d.]+) to ([\d.]+)", BOUNDED[key])
    assert found is not None
    over, lowest, highest = found[1], float(found[2]), float(found[3])
    field = section_of(Settings, key[0]).model_fields[key[1]]
    annotation: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation  # type: ignore[valid-type]
    adapter: TypeAdapter[Any] = TypeAdapter(annotation)
    for value in (highest, lowest + 0.001 if over else lowest):
        adapter.validate_python(value)
    for value in (highest + 1, lowest if over else lowest - 1):
        with pytest.raises(ValidationError):
            adapter.validate_python(value)


def test_profiles_are_those_of_this_version() -> None:
    assert names_in(SETTINGS["client", "profile"][2]) == list(PROFILES)


# ---------------------------------------------------------------------------------------------- the code, read


def calls_in(*paths: Path) -> Iterator[tuple[str, ast.Call]]:
    """Every call in some modules, by the last part of what is called."""
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                match node.func:
                    case ast.Attribute(attr=name) | ast.Name(id=name):
                        yield name, node
                    case _:
                        pass


def texts_in(node: ast.expr) -> list[str]:
    """The texts that an expression can be: constants, either branch of a choice, and templates with their gaps."""
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.IfExp(body=body, orelse=orelse):
            return [*texts_in(body), *texts_in(orelse)]
        case ast.JoinedStr():
            return [ast.unparse(node)[2:-1]]
        case _:
            return []


# ---------------------------------------------------------------------------------------------- the log

LEVELS = {"warning": "warning", "error": "error", "exception": "error", "log": "either"}


def _shown(text: str) -> str:
    """A message with its gaps, as the table writes it: without backticks, which cannot stand in its code."""
    return re.sub(r"%(?:\.\d)?[a-z]", "…", text.replace("`", ""))


def messages_in_code() -> Iterator[tuple[str, str]]:
    """Every message at warning or above, and its level."""
    for name, call in calls_in(*(path for path in PACKAGE.rglob("*.py") if "sandbox" not in path.parts)):
        if name in LEVELS and ast.unparse(call.func).startswith("_log."):
            (text,) = [text for argument in call.args for text in texts_in(argument)]
            yield _shown(text), LEVELS[name]


def test_log_table_has_every_warning_and_error_and_no_other() -> None:
    told = {names_in(row[1])[0]: row[0] for row in rows(chapter("## The log"))}
    found = dict(messages_in_code())
    assert len(found) > 15
    assert sorted(told) == sorted(found)
    for text, level in found.items():
        assert level in {told[text], "either"}, text


# ---------------------------------------------------------------------------------------------- the quarantine

GAPS = {
    "{name}_not_allowed": [f"{name}_not_allowed" for name in compact._REFUSED_MEMBERS],
    "{what}_not_json": ["header_not_json", "claims_not_json"],
    "{what}_not_object": ["header_not_object", "claims_not_object"],
    "{name}_missing": ["exp_missing"],  # `nbf` is only looked at where it is
    "{name}_invalid": ["exp_invalid", "nbf_invalid"],
    "{_code(name)}_missing": [],  # by whom they are called, below
    "{_code(name)}_invalid": [],
}
TAKERS = {
    "object_in": ["missing"],
    "word_in": ["missing", "invalid"],
    "time_in": ["invalid"],
    "require_time_in": ["missing", "invalid"],
}
"""Functions that take a member out of a message and name it in the reason."""

OPENING = (
    *(PACKAGE / "usecases" / f"{name}.py" for name in ("opening", "heard", "claims", "open")),
    *(PACKAGE / "adapters" / f"{name}.py" for name in ("jose", "public_keys")),
    *(PACKAGE / "profiles").glob("*.py"),
)


def reasons_in_code() -> Iterator[tuple[str, str]]:
    """Step and reason of everything that can keep an event from being believed."""
    for called, call in calls_in(*OPENING):
        # `refusing` takes an error, and then what it shall say.
        name, arguments = (ast.unparse(call.args[0]), call.args[1:]) if called == "refusing" else (called, call.args)
        said = [texts_in(argument) for argument in arguments]
        kind = getattr(errors, name, None)
        if name in TAKERS and len(said) == 2 and said[1]:
            member = re.sub(r"(?<!^)(?=[A-Z])", "_", said[1][0]).lower()
            yield from (("read", f"{member}_{end}") for end in TAKERS[name])
        elif name == "UnreadableMessageError" and said:
            yield from (("read", reason) for text in said[0] for reason in GAPS.get(text, [text]))
        elif isinstance(kind, type) and issubclass(kind, errors.RejectedEventError):
            yield from ((kind.step, reason) for text in said[0] for reason in GAPS.get(text, [text]))
        elif name == "_quarantined" and all(said[1:3]) and len(said) >= 3:
            yield said[1][0], said[2][0]
        elif name == "_set_aside":
            yield "record", said[1][0]


def _assigned_reasons() -> Iterator[tuple[str, str]]:
    """Those that are chosen first and given on by name."""
    for path, step in ((PACKAGE / "usecases" / "key_wait.py", "verify"), (PACKAGE / "usecases" / "opening.py", "read")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "reason":
                yield from ((step, text) for text in texts_in(node.value))


def test_quarantine_table_has_every_reason_and_no_other() -> None:
    found = {*reasons_in_code(), *_assigned_reasons()}
    assert not [reason for _, reason in found if "{" in reason], "a new template: say in GAPS what it stands for"
    assert len(found) > 50
    table = [(names_in(row[0])[0], reason) for row in rows(chapter("## The quarantine")) for reason in names_in(row[1])]
    assert len(table) == len(set(table))
    # In opening.py an error's own reason or `not_canonical` is chosen; the latter is among those found.
    assert sorted(table) == sorted(found)


def test_quarantine_is_bounded_as_documented() -> None:
    assert f"{MAX_UNVERIFIED:,}".replace(",", " ") in chapter("## The quarantine")
    assert f"{MAX_UNVERIFIED_BYTES // 2**20} MiB" in chapter("## The quarantine")


# ---------------------------------------------------------------------------------------------- problems


def test_problem_codes_are_those_of_this_version() -> None:
    table = {names_in(row[0])[0]: int(row[1]) for row in rows(chapter("## Problems of the API"))}
    assert table == {code: status for code, (status, _) in TITLES.items()}


# ---------------------------------------------------------------------------------------------- commands


def _script(heading: str) -> str:
    (found,) = re.findall(r"^```sh\n(.*?)^```$", chapter(heading), re.MULTILINE | re.DOTALL)
    return str(found)


def _run(script: str, folder: Path) -> None:
    script = re.sub(r"\bpython3\b", sys.executable, script)
    subprocess.run(["sh", "-eu", "-c", script], cwd=folder, check=True)


async def test_backup_of_a_database_in_use_has_the_latest_commit(database: Path) -> None:
    running = SqliteDatabase(database)
    try:
        await running.write(lambda connection: (connection.exec_driver_sql("CREATE TABLE latest (word TEXT)"), None))
        assert database.with_name("tracker.db-wal").stat().st_size > 0
        _run(_script("## Backup"), database.parent)
    finally:
        await running.close()
    copy = database.with_name("backup.db")
    assert copy.stat().st_mode & 0o077 == 0
    connection = sqlite3.connect(copy)
    assert connection.execute("SELECT name FROM sqlite_schema WHERE name = 'latest'").fetchall() == [("latest",)]
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


def test_backup_of_a_database_that_is_not_there_fails(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        _run(_script("## Backup").replace("python3 ", "python3 2>/dev/null "), tmp_path)
    assert not (tmp_path / "tracker.db").exists()


def test_key_sets_are_joined_with_the_first_first(tmp_path: Path) -> None:
    for name in ("new", "old"):
        (tmp_path / f"{name}.jwks.json").write_text(json.dumps({"keys": [{"kid": name}]}))
    _run(_script("## Keys"), tmp_path)
    joined = tmp_path / "joined.jwks.json"
    assert json.loads(joined.read_bytes()) == {"keys": [{"kid": "new"}, {"kid": "old"}]}
    assert joined.stat().st_mode & 0o077 == 0
