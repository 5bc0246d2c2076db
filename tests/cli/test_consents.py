"""`tracker consents`: the same answers as the API's, for people and for programs."""

import json
import sqlite3

import pytest

from tests import crowd
from tests.cli.histories import CONSENT, DEMOBANK, authorized, hear, tell
from tracker.web.api.shapes.consents import ConsentOut, ConsentsQuery

NAME = f"demobank/{CONSENT}"
WITH_SLASHES = "urn:bank:1/2//3"


async def several(bench):
    await authorized(bench)
    await bench.register(WITH_SLASHES, kind="payment", base_consent_id="root")
    await bench.register("other", provider="demobank", kind="payment", user_ref="[b]x[/] :smile:")
    await bench.register("x" * 128, kind="insurance")


@pytest.fixture
def consents(filled, key_folder):
    tell(filled / "tracker.db", key_folder, several)
    return filled


def spoil(folder, sql, *values):
    with sqlite3.connect(folder / "tracker.db") as connection:
        assert connection.execute(sql, values).rowcount == 1
    connection.close()


def ids(done):
    assert (done.status, done.err) == (0, "")
    return [item["consent_id"] for item in json.loads(done.out)["items"]]


# ---------------------------------------------------------------------------------------------- list


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ((), [CONSENT, WITH_SLASHES, "other", "x" * 128]),
        (("--provider", "demobank", "--status", "Authorized"), [CONSENT]),
        (("--provider", "otherbank"), []),
        (("--kind", "payment"), [WITH_SLASHES, "other"]),
        (("--status", "NotStaged", "--kind", "insurance"), ["x" * 128]),
        (("--user-ref", "customer-42"), [CONSENT]),
        (("--base-consent-id", "root"), [WITH_SLASHES]),
        (("--effective-status", "Authorized"), [CONSENT]),
        (("--effective-status", "Authorized", "--status", "Authorized"), [CONSENT]),
        (("--expiring-before", "2099-08-31T20:00:00Z"), []),
        (("--expiring-before", "2099-09-01T00:00:00.000001+04:00"), [CONSENT]),
        (("--updated-since", "2026-03-02T06:17:33Z"), [CONSENT, WITH_SLASHES, "other", "x" * 128]),
        (("--updated-since", "2026-03-02T10:17:33.000001+04:00"), []),
    ],
)
def test_list_shows_what_passes_all_filters(run, consents, options, found):
    assert ids(run("consents", "list", "--json", *options)) == found


def test_list_is_a_table_with_whole_ids(run, consents):
    lines = run("consents", "list").lines
    assert [" ".join(line.split()) for line in lines] == [
        "consent kind status usable expires (UTC) confirmed (UTC)",
        f"{NAME} account-access Authorized yes 2099-08-31 20:00:00 2026-03-02 06:17:31",
        f"demobank/{WITH_SLASHES} payment NotStaged no – –",
        "demobank/other payment NotStaged no – –",
        f"demobank/{'x' * 128} insurance NotStaged no – –",
    ]


def test_list_on_80_columns_cuts_nothing(run, consents, terminal):
    terminal(80)
    lines = run("consents", "list").lines
    assert lines[:3] == [
        NAME,
        "    kind account-access  status Authorized  usable yes",
        "    expires (UTC) 2099-08-31 20:00:00  confirmed (UTC) 2026-03-02 06:17:31",
    ]
    assert f"demobank/{'x' * 128}" in lines
    assert all(len(line) <= 80 for line in lines if not line.startswith("demobank/"))


def test_list_says_that_there_is_more_and_goes_on_there(run, consents):
    first = run("consents", "list", "--json", "--limit", "3")
    cursor = json.loads(first.out)["next_cursor"]
    rest = run("consents", "list", "--json", "--limit", "3", "--cursor", cursor)
    assert len(ids(first)) == 3
    assert ids(first) + ids(rest) == [CONSENT, WITH_SLASHES, "other", "x" * 128]
    assert json.loads(rest.out)["next_cursor"] is None
    assert cursor in run("consents", "list", "--limit", "3").lines[-1]
    assert "cursor" not in run("consents", "list", "--limit", "4").out
    assert run("consents", "list", "--kind", "payment", "--cursor", cursor).says.startswith("This --cursor is not of")


def test_list_of_nothing_says_so(run, filled):
    assert run("consents", "list").lines == ["No consents found."]
    assert json.loads(run("consents", "list", "--json").out) == {"items": [], "next_cursor": None}


def test_a_list_of_ten_thousand_is_whole_and_can_be_taken_in_two(run, filled, key_folder):
    tell(filled / "tracker.db", key_folder, lambda bench: bench.register(crowd.name(0), user_ref="u"))
    crowd.gather(filled / "tracker.db", 10_000)
    names = [crowd.name(n) for n in range(10_000)]
    heading, *rows = run("consents", "list", "--limit", "10000").lines
    assert heading.startswith("consent ")
    assert [row.split()[0] for row in rows] == [f"demobank/{name}" for name in names]
    first = run("consents", "list", "--json", "--user-ref", "u", "--limit", "6000")
    cursor = json.loads(first.out)["next_cursor"]
    rest = run("consents", "list", "--json", "--user-ref", "u", "--limit", "6000", "--cursor", cursor)
    assert (ids(first) + ids(rest), json.loads(rest.out)["next_cursor"]) == (names, None)


@pytest.fixture
def run_out(filled, key_folder):
    """A consent of which the holder last said Authorized, and that ended long ago by our clock."""

    async def runs_out(bench):
        await bench.register()
        bench.advance(minutes=8)
        await hear(bench, "Authorized", "2026-03-02T10:17:31+04:00", ExpirationDateTime="2026-03-03T00:00:00+04:00")

    tell(filled / "tracker.db", key_folder, runs_out)
    return filled


def test_list_marks_what_only_our_clock_says(run, run_out):
    assert "Expired (by our clock)  no" in run("consents", "list").out
    assert "Expired  (by our clock; the holder has not said so)" in run("consents", "show", NAME).out


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (("--holder-status", "Authorized"), [CONSENT]),
        (("--holder-status", "Expired"), []),
        (("--status", "Authorized"), []),
        (("--effective-status", "Authorized"), []),
        (("--status", "Expired"), [CONSENT]),
        (("--effective-status", "Expired", "--holder-status", "Authorized"), [CONSENT]),
        (("--expiring-before", "2026-03-02T20:00:00Z"), []),
        (("--expiring-before", "2026-03-02T20:00:01Z"), [CONSENT]),
    ],
)
def test_the_holders_status_and_the_one_with_our_clock_are_told_apart(run, run_out, options, found):
    assert ids(run("consents", "list", "--json", *options)) == found


def test_every_filter_of_the_api_is_an_option_of_the_list(run):
    named = {"status": "--holder-status", "effective_status": "--effective-status"}
    shown = run("consents", "list", "--help").out
    for name in ConsentsQuery.model_fields:
        assert f"{named.get(name, '--' + name.replace('_', '-'))} " in shown


# ---------------------------------------------------------------------------------------------- show


def test_show_tells_what_a_person_asks_for(run, consents):
    lines = run("consents", "show", NAME).lines
    shown = {line[:12].strip(): line[14:] for line in lines}
    tracking_id = shown.pop("tracking id")
    assert tracking_id.count("-") == 4
    assert shown.pop("asked next") != "–"
    assert shown == {
        "consent": NAME,
        "kind": "account-access, uae-v2.1",
        "status": "Authorized",
        "usable": "yes",
        "since": "2026-03-02 06:17:31",
        "learned": "2026-03-02 06:17:33",
        "confirmed": "2026-03-02 06:17:31 by webhook",
        "authorize by": "–",
        "expires": "2099-08-31 20:00:00",
        "revoked by": "–",
        "revocation": "–",
        "renewal of": "–",
        "user": "customer-42",
        "permissions": "ReadAccountsBasic, ReadBalances",
    }


@pytest.mark.parametrize("consent_id", [CONSENT, WITH_SLASHES])
def test_json_is_the_shape_of_the_api(run, consents, key_folder, consent_id):
    async def read(bench):
        return ConsentOut.of(await bench.consulting.get(DEMOBANK, consent_id)).model_dump(mode="json", by_alias=True)

    of_api = tell(consents / "tracker.db", key_folder, read)
    shown = json.loads(run("consents", "show", f"demobank/{consent_id}", "--json").out)
    listed = json.loads(run("consents", "list", "--json").out)["items"]
    assert shown == of_api
    assert {**shown, "next_poll_at": None} in listed


def test_a_name_is_split_at_the_first_slash(run, consents):
    assert f"demobank/{WITH_SLASHES}" in run("consents", "show", f"demobank/{WITH_SLASHES}").out


@pytest.mark.parametrize("command", ["show", "timeline", "refresh"])
@pytest.mark.parametrize("name", ["demobank/nope", "nobank/x", "demobank/.", "demobank/a b", "demobank/\x1b[2J"])
def test_a_consent_that_is_not_tracked_is_a_no(run, consents, command, name):
    done = run("consents", command, name)
    assert done.status == 1
    assert done.says.endswith("is not tracked; `tracker consents list` shows what is.")
    assert "\x1b" not in done.err


def test_what_others_wrote_is_shown_and_not_obeyed(run, consents):
    mine = NAME.partition("/")[2]
    plain = "UPDATE consent SET user_ref = ?, sealed = NULL WHERE consent_id = ?"  # as an older version wrote it
    spoil(consents, plain, "\x1b[2J\u202e[red]x[/]", mine)
    shown = run("consents", "show", NAME)
    assert "\\x1b[2J\\u202e[red]x[/]" in shown.out
    for done in (shown, run("consents", "show", NAME, "--json"), run("consents", "list", "--json")):
        assert done.status == 0
        assert not {"\x1b", "\u202e"} & set(done.out)
    assert "[b]x[/] :smile:" in run("consents", "show", "demobank/other").out


# ---------------------------------------------------------------------------------------------- revoke, pause, resume


def test_pause_and_resume_are_printed(consents, run):
    paused = run("consents", "pause", NAME)
    assert paused.status == 0
    assert "usable        no  (paused)" in paused.lines
    assert json.loads(run("consents", "show", NAME, "--json").out)["paused"] is True
    resumed = run("consents", "resume", NAME)
    assert "usable        yes" in resumed.lines
    assert json.loads(run("consents", "resume", NAME, "--json").out)["paused"] is False
    assert run("consents", "pause", "demobank/other").says == (
        "Only an authorized consent can be paused; it is NotStaged."
    )
    assert run("consents", "pause", "demobank/nobody").says.startswith("demobank/nobody is not tracked")


def test_a_request_to_a_holder_that_is_away_is_kept(consents, run):
    done = run("consents", "revoke", NAME)
    assert done.status == 0
    (line,) = [line for line in done.out.splitlines() if line.startswith("revocation")]
    assert "pending, asked for" in line
    assert "by TPP.InitiatedByUser; holder_unavailable; goes on" in line
    assert "usable        no  (revocation pending)" in done.out.splitlines()
    shown = json.loads(run("consents", "show", NAME, "--json").out)
    assert shown["revocation"]["state"] == "pending"
    assert run("consents", "pause", NAME).says == "The holder has been asked to revoke the consent."
    story = run("consents", "timeline", NAME)
    assert any("revocation requested" in line and "operator" in line for line in story.out.splitlines())
    withdrawn = run("consents", "revoke", NAME, "--withdraw")
    assert withdrawn.status == 0
    assert "usable        no  (in doubt: asking)" in withdrawn.out.splitlines()  # it may have arrived


def test_what_cannot_be_revoked_is_said_in_a_sentence(consents, run):
    assert run("consents", "revoke", "demobank/other").says == "It is NotStaged: there is nothing to revoke."
    assert run("consents", "revoke", NAME, "--revoked-by", "LFI").says == (
        "revoked_by is one of TPP, TPP.InitiatedByUser."
    )
    assert run("consents", "revoke", NAME, "--withdraw").says == (
        "There is no request to revoke it that could be withdrawn."
    )
