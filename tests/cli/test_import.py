"""`tracker consents import`."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from tracker.cli.import_results import ImportResults
from tracker.cli.registration_files import LARGEST_ROW_BYTES, read_rows
from tracker.domain.errors import InvalidRequestError
from tracker.web.api.shapes.imports import ImportRowIn

GOOD: dict[str, Any] = {"provider": "demobank", "kind": "account-access", "consent_id": "a"}


def write(path: Path, *rows: Any) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def results(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def consents(folder: Path) -> list[str]:
    with sqlite3.connect(folder / "tracker.db") as connection:
        found = [row[0] for row in connection.execute("SELECT consent_id FROM consent ORDER BY tracking_id")]
    connection.close()
    return found


# ------------------------------------------------------------------------------------------------ the command


def test_rows_are_tracked_and_each_has_its_line(filled: Path, run: Run) -> None:
    write(
        filled / "c.jsonl",
        GOOD | {"user_ref": "u", "status": "Authorized"},
        "",
        GOOD | {"user_ref": "another"},
        "{",
        GOOD | {"consent_id": "b"},
        GOOD | {"provider": "nobank"},
    )
    done = run("consents", "import", "c.jsonl")
    assert (done.status, done.err) == (1, "")
    assert done.out.splitlines() == [
        "5 rows: 2 created, 1 conflict, 2 invalid.",
        "  row 2: consent_conflict: The consent is tracked already, with another user_ref.",
        f"  row 3: malformed_json: {results(filled / 'c.jsonl.results.jsonl')[2]['detail']}",
        "  row 5: provider_not_found: No provider is called 'nobank' in the configuration.",
        "What came of each row: c.jsonl.results.jsonl",
    ]
    told = results(filled / "c.jsonl.results.jsonl")
    assert [line["row"] for line in told] == [1, 2, 3, 4, 5]
    assert [line["result"] for line in told] == ["created", "conflict", "invalid", "created", "invalid"]
    assert (told[0]["provider"], told[0]["consent_id"]) == ("demobank", "a")
    assert consents(filled) == ["a", "b"]
    assert (filled / "c.jsonl.results.jsonl").stat().st_mode & 0o777 == 0o600


def test_a_dry_run_keeps_nothing(filled: Path, run: Run) -> None:
    write(filled / "c.jsonl", GOOD, GOOD | {"kind": "mortgage"})
    done = run("consents", "import", "c.jsonl", "--dry-run", "--json")
    assert done.status == 1
    assert json.loads(done.out) == {
        "rows": 2,
        "continued_after": 0,
        "dry_run": True,
        "created": 1,
        "tracked_already": 0,
        "conflict": 0,
        "invalid": 1,
        "failed": 0,
        "results": "c.jsonl.dry-run.jsonl",
    }
    assert consents(filled) == []
    # Its results never stand for those of an import, not even in the same place.
    write(filled / "c.jsonl", GOOD, GOOD | {"consent_id": "b"})
    run("consents", "import", "c.jsonl", "--dry-run", "--results", "r")
    (filled / "r").write_bytes((filled / "r").read_bytes()[:-5])
    assert run("consents", "import", "c.jsonl", "--results", "r").lines[0] == "2 rows: 2 created."
    assert consents(filled) == ["a", "b"]


@pytest.mark.parametrize("torn", [b"", b'{"row"', b'{"row": 4, "digest": "12'])
def test_an_import_that_was_cut_short_goes_on_where_it_was(filled: Path, run: Run, torn: bytes) -> None:
    write(filled / "c.jsonl", *(GOOD | {"consent_id": f"c{n}"} for n in range(5)))
    place = filled / "c.jsonl.results.jsonl"
    assert run("consents", "import", "c.jsonl").lines[0] == "5 rows: 5 created."
    lines = place.read_bytes().splitlines(keepends=True)
    place.write_bytes(b"".join(lines[:3]) + torn)
    assert run("consents", "import", "c.jsonl").lines[:2] == [
        "Continued after row 3, where an earlier run had come to.",
        "5 rows: 3 created, 2 tracked already.",
    ]
    assert [line["row"] for line in results(place)] == [1, 2, 3, 4, 5]
    assert consents(filled) == [f"c{n}" for n in range(5)]


def test_what_came_to_its_end_or_was_changed_or_is_of_another_database_begins_again(filled: Path, run: Run) -> None:
    place, again = filled / "c.jsonl.results.jsonl", ["consents", "import", "c.jsonl"]
    write(filled / "c.jsonl", GOOD, GOOD | {"consent_id": "b", "kind": "mortgage"})
    assert run(*again).status == 1
    assert run(*again).out.splitlines()[0] == "2 rows: 1 tracked already, 1 invalid."
    write(filled / "c.jsonl", GOOD, GOOD | {"consent_id": "b"}, GOOD | {"consent_id": "c"})
    assert run(*again).lines[0] == "3 rows: 2 created, 1 tracked already."
    assert consents(filled) == ["a", "b", "c"]
    place.write_bytes(b"".join(place.read_bytes().splitlines(keepends=True)[:2]))
    for name in ("tracker.db", "tracker.db-wal", "tracker.db-shm"):
        (filled / name).unlink(missing_ok=True)
    assert run(*again).lines[0] == "3 rows: 3 created."
    write(filled / "c.jsonl", GOOD)
    assert run(*again).lines[0] == "1 row: 1 tracked already."
    assert [line["row"] for line in results(place)] == [1]


def test_what_is_no_results_file_is_left_alone(filled: Path, run: Run) -> None:
    file = write(filled / "c.jsonl", GOOD)
    for place, text in (("c.jsonl", file.read_text()), ("notes", "hello"), ("more", "hello\n"), ("json", "{}\n")):
        (filled / place).write_text(text)
        done = run("consents", "import", "c.jsonl", "--results", place)
        assert done.status == 2
        assert f"{place} is not what an import wrote" in done.says
        assert (filled / place).read_text() == text


def test_a_file_that_is_none_is_refused_before_anything_is_made(filled: Path, run: Run) -> None:
    (filled / "c.txt").write_text("")
    assert run("consents", "import", "c.txt").says == "c.txt is neither .jsonl nor .csv; name it as what it is."
    assert run("consents", "import", "nowhere.jsonl").status == 2
    (filled / "c.csv").write_text("provider;kind;consent_id\n")
    assert "not separated by commas" in run("consents", "import", "c.csv").says
    assert {path.name for path in filled.iterdir()} >= {"c.txt", "c.csv"}
    assert not list(filled.glob("*.results.jsonl"))


def test_an_empty_file_is_no_mistake(filled: Path, run: Run) -> None:
    (filled / "c.jsonl").write_text("\n\n")
    assert run("consents", "import", "c.jsonl").lines[0] == "0 rows: nothing to do."


@pytest.mark.timeout(90)
def test_two_imports_do_not_write_the_same_results(filled: Path, run: Run) -> None:
    file = Path("old.jsonl")
    file.write_text('{"provider": "demobank", "kind": "account-access", "consent_id": "c"}\n')
    results = Path("old.jsonl.results.jsonl")
    with ImportResults(results, is_rehearsal=False) as first:
        list(first.rows_left(file))
        done = run("consents", "import", file)
        assert (done.status, done.out) == (2, "")
        assert "Another import is writing old.jsonl.results.jsonl" in done.err
        assert results.read_bytes() == b""
        list(first.begin_again(file))  # it still has it alone
        assert run("consents", "import", file).status == 2
        assert run("consents", "import", file, "--results", "elsewhere").status == 0
    assert run("consents", "import", file).status == 0


@pytest.mark.parametrize("place", ["/dev/null", "/dev/full", "pipe"])
def test_results_are_written_to_an_ordinary_file_only(filled: Path, run: Run, place: str) -> None:
    file = Path("old.jsonl")
    file.write_text('{"provider": "demobank", "kind": "account-access", "consent_id": "c"}\n')
    os.mkfifo("pipe")
    done = run("consents", "import", file, "--results", place)
    assert (done.status, done.out) == (2, "")
    assert f"{place} is no ordinary file; name another place" in done.err


def test_a_pipe_is_not_waited_for(filled: Path, run: Run) -> None:
    os.mkfifo("old.jsonl")
    done = run("consents", "import", "old.jsonl")
    assert (done.status, done.out) == (2, "")
    assert "old.jsonl is no ordinary file" in done.err
    assert not Path("old.jsonl.results.jsonl").exists()


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("old.csv", "provider,kind,consent_id\n".encode("utf-16"), "old.csv is in UTF-16; save it in UTF-8."),
        ("old.jsonl", b"\xfe\xff\x00{\x00}", "old.jsonl is in UTF-16; save it in UTF-8."),
        ("old.csv", b"x" * 200_000, "The first line of old.csv is not CSV as in RFC 4180: field larger"),
        ("old.csv", b'"a" b,c\n', "The first line of old.csv is not CSV as in RFC 4180: "),
    ],
)
def test_a_file_of_another_form_is_said_in_a_sentence(
    filled: Path, run: Run, name: str, text: bytes, sentence: str
) -> None:
    Path(name).write_bytes(text)
    done = run("consents", "import", name)
    assert (done.status, done.out) == (2, "")
    assert sentence in done.err


def test_kill_9_and_again_leaves_each_consent_once(filled: Path) -> None:
    write(filled / "c.jsonl", *(GOOD | {"consent_id": f"c{n}"} for n in range(2000)))
    command = (sys.executable, "-m", "tracker", "consents", "import", "c.jsonl", "--json")
    place = filled / "c.jsonl.results.jsonl"
    with subprocess.Popen(command, cwd=filled, stdout=subprocess.PIPE) as process:
        while process.poll() is None and (not place.exists() or place.stat().st_size < 50_000):
            pass
        os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    done = json.loads(subprocess.run(command, cwd=filled, capture_output=True, check=True).stdout)
    assert 0 < done["continued_after"] < 2000
    assert done["created"] + done["tracked_already"] == done["rows"] == 2000
    assert done["tracked_already"] <= 100  # what was on record and had no line yet: one transaction
    assert sorted(consents(filled)) == sorted(f"c{n}" for n in range(2000))
    with sqlite3.connect(filled / "tracker.db") as connection:
        assert connection.execute("SELECT count(*) FROM entry").fetchall() == [(2000,)]
    connection.close()
    assert [line["row"] for line in results(place)] == list(range(1, 2001))


# ------------------------------------------------------------------------------------------------ files


def said(path: Path) -> list[Any]:
    """The consent ids of the rows that make sense, the codes of the others."""
    return [
        row.said.consent_id if isinstance(row.said, ImportRowIn) else f"!{row.said.code}" for row in read_rows(path)
    ]


def test_json_lines_are_read_strictly_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    good = json.dumps(GOOD).encode()
    lines = [
        b"\xef\xbb\xbf" + good,
        b"  ",
        good + b"\r",
        b'{"provider": "demobank", "provider": "x"}',
        b"\xff\xfe",
        b"[]",
        b'{"terms": "' + b"x" * LARGEST_ROW_BYTES + b'"}',
        b'{"terms": "' + b"x" * 3 * LARGEST_ROW_BYTES + b'"}',
        good,
    ]
    path.write_bytes(b"\n".join(lines))
    wrong = ["!malformed_json", "!malformed_json", "!invalid_request", "!malformed_json", "!malformed_json"]
    assert said(path) == ["a", "a", *wrong, "a"]
    assert [row.read_bytes for row in read_rows(path)][-1] == path.stat().st_size


def test_csv_is_read_as_rfc_4180_has_it(tmp_path: Path) -> None:
    path = tmp_path / "c.CSV"
    path.write_bytes(
        b"\xef\xbb\xbfconsent_id,provider,kind,user_ref,permissions,expiration_date_time,terms,status,base_consent_id\r\n"
        b'"a,1",demobank,account-access,"Zo\xc3\xab ""the"" =1+1",ReadA;ReadB  ReadC,2027-01-01T00:00:00+04:00,'
        b'"{""a"": [1,\n 2]}",Authorized,root\r\n'
        b"\r\n"
        b"b,demobank,account-access,,,,,,\r\n"
        b"c,demobank\r\n"
        b"d,demobank,account-access,\xff,,,,,\r\n"
        b"e,demobank,account-access,u,,tomorrow,,,\r\n"
        b"f,demobank,account-access,u,,,{,,\r\n"
        b"g,demobank,account-access,u,,,[],,\r\n"
        b'h,demobank,account-access,"u"x,,,,,\r\n'
        b"i,demobank,account-access,a\x00b,,,,,\r\n"
        b"j,demobank,account-access,,,,,,"
    )
    rows = [row.said for row in read_rows(path)]
    first = rows[0]
    assert isinstance(first, ImportRowIn)
    assert (first.consent_id, first.user_ref, first.permissions) == (
        "a,1",
        'Zoë "the" =1+1',
        ("ReadA", "ReadB", "ReadC"),
    )
    assert (first.terms, first.base_consent_id) == ({"a": [1, 2]}, "root")
    assert first.expiration_date_time is not None
    assert first.expiration_date_time.isoformat() == "2026-12-31T20:00:00+00:00"
    assert said(path)[1:] == [
        "b",
        "!malformed_csv",
        "!malformed_csv",
        "!invalid_request",
        "!malformed_json",
        "!invalid_request",
        "!malformed_csv",
        "!invalid_request",
        "j",
    ]


def test_a_quote_that_never_closes_does_not_fill_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    row = "a,demobank,account-access\n"
    path.write_text('consent_id,provider,kind\n"' + row * 20_000)
    found = said(path)
    assert found[0] == "!malformed_csv"
    assert found[-1] == "a"


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        ("consent_id,provider,kind,colour", "a column 'colour'"),
        ("consent_id,provider", "no column 'kind'"),
        ("", "no column 'provider'"),
        ("consent_id,kind,provider,kind", "the column 'kind' twice"),
        ("consent_id;kind;provider", "not separated by commas"),
    ],
)
def test_a_header_that_names_something_else_is_refused(tmp_path: Path, header: str, sentence: str) -> None:
    path = tmp_path / "c.csv"
    path.write_text(header + "\na,b,c\n")
    with pytest.raises(InvalidRequestError, match=sentence):
        list(read_rows(path))
