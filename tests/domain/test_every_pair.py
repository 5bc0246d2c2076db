"""Every pair of statuses, for every kind, against tables that are written out here and derived from nothing.

The holder says the status of the row, then that of the column. In between nobody asks.

    +   the status moves                              Moved
    v   it moves, and Authorized was missed between   Moved, via Authorized
    =   the same again                                Confirmed
    .   nothing moves                                 Late
    !   the two cannot both be; it moves              Irregular
    #   the two cannot both be; it stays              Irregular
    ?   a word that the profile does not know         Irregular; it stays
    x   a status that the kind cannot have            Irregular; it stays
"""

from typing import Final

import pytest

from tests.domain.kinds import AU, CO, KINDS, NS, UN
from tests.domain.playback import play
from tests.domain.reports import Ear, at
from tracker.domain.consent import Status
from tracker.domain.lifecycle import Telling, Verdict

DATED_LATER: Final = {
    "data sharing": """
                        Unknown AwaitingAuthorization Authorized Suspended Rejected Consumed Expired Revoked
NotStaged                  ?              +               +          +         +        x       +       +
Unknown                    ?              +               +          +         +        x       +       +
AwaitingAuthorization      ?              =               +          v         +        x       +       +
Authorized                 ?              !               =          +         !        x       +       +
Suspended                  ?              !               +          =         !        x       +       +
Rejected                   ?              #               #          #         =        x       #       #
Consumed                   ?              +               +          +         +        x       +       +
Expired                    ?              #               #          #         #        x       =       #
Revoked                    ?              #               #          #         #        x       #       =
""",
    "payment": """
                        Unknown AwaitingAuthorization Authorized Suspended Rejected Consumed Expired Revoked
NotStaged                  ?              +               +          +         +        +       +       +
Unknown                    ?              +               +          +         +        +       +       +
AwaitingAuthorization      ?              =               +          v         +        v       +       +
Authorized                 ?              !               =          +         !        +       +       +
Suspended                  ?              !               +          =         !        v       +       +
Rejected                   ?              #               #          #         =        #       #       #
Consumed                   ?              #               #          #         #        =       #       #
Expired                    ?              #               #          #         #        #       =       #
Revoked                    ?              #               #          #         #        #       #       =
""",
    "revivable": """
                        Unknown AwaitingAuthorization Authorized Suspended Rejected Consumed Expired Revoked
NotStaged                  ?              +               +          +         +        x       +       +
Unknown                    ?              +               +          +         +        x       +       +
AwaitingAuthorization      ?              =               +          v         +        x       +       +
Authorized                 ?              !               =          +         !        x       +       +
Suspended                  ?              !               +          =         !        x       +       +
Rejected                   ?              #               #          #         =        x       #       #
Consumed                   ?              +               +          +         +        x       +       +
Expired                    ?              #               #          #         #        x       =       #
Revoked                    ?              #               +          .         #        x       .       =
""",
}

DATED_EARLIER: Final = {
    "data sharing": """
                        Unknown AwaitingAuthorization Authorized Suspended Rejected Consumed Expired Revoked
Unknown                    ?              +               +          +         +        x       +       +
AwaitingAuthorization      ?              .               #          #         !        x       !       !
Authorized                 ?              .               .          .         !        x       !       !
Suspended                  ?              .               .          .         !        x       !       !
Rejected                   ?              .               #          #         =        x       !       !
Consumed                   ?              +               +          +         +        x       +       +
Expired                    ?              .               .          .         !        x       =       !
Revoked                    ?              .               .          .         !        x       !       =
""",
    "payment": """
                        Unknown AwaitingAuthorization Authorized Suspended Rejected Consumed Expired Revoked
Unknown                    ?              +               +          +         +        +       +       +
AwaitingAuthorization      ?              .               #          #         !        !       !       !
Authorized                 ?              .               .          .         !        !       !       !
Suspended                  ?              .               .          .         !        !       !       !
Rejected                   ?              .               #          #         =        !       !       !
Consumed                   ?              .               .          .         !        =       !       !
Expired                    ?              .               .          .         !        !       =       !
Revoked                    ?              .               .          .         !        !       !       =
""",
    "revivable": """
                        Unknown AwaitingAuthorization Authorized Suspended Rejected Consumed Expired Revoked
Unknown                    ?              +               +          +         +        x       +       +
AwaitingAuthorization      ?              .               #          #         !        x       !       !
Authorized                 ?              .               .          .         !        x       !       .
Suspended                  ?              .               .          .         !        x       !       +
Rejected                   ?              .               #          #         =        x       !       !
Consumed                   ?              +               +          +         +        x       +       +
Expired                    ?              .               .          .         !        x       =       +
Revoked                    ?              .               .          .         !        x       !       =
""",
}

DATED_ALIKE: Final = {
    "data sharing": """
                        Unknown AwaitingAuthorization Authorized Suspended Rejected Consumed Expired Revoked
Unknown                    ?              +               +          +         +        x       +       +
AwaitingAuthorization      ?              =               +          v         +        x       +       +
Authorized                 ?              .               =          !         !        x       +       +
Suspended                  ?              .               #          =         !        x       +       +
Rejected                   ?              .               #          #         =        x       !       !
Consumed                   ?              +               +          +         +        x       +       +
Expired                    ?              .               .          .         #        x       =       !
Revoked                    ?              .               .          .         #        x       #       =
""",
    "payment": """
                        Unknown AwaitingAuthorization Authorized Suspended Rejected Consumed Expired Revoked
Unknown                    ?              +               +          +         +        +       +       +
AwaitingAuthorization      ?              =               +          v         +        v       +       +
Authorized                 ?              .               =          !         !        +       +       +
Suspended                  ?              .               #          =         !        v       +       +
Rejected                   ?              .               #          #         =        !       !       !
Consumed                   ?              .               .          .         #        =       !       !
Expired                    ?              .               .          .         #        #       =       !
Revoked                    ?              .               .          .         #        #       #       =
""",
    "revivable": """
                        Unknown AwaitingAuthorization Authorized Suspended Rejected Consumed Expired Revoked
Unknown                    ?              +               +          +         +        x       +       +
AwaitingAuthorization      ?              =               +          v         +        x       +       +
Authorized                 ?              .               =          !         !        x       +       !
Suspended                  ?              .               #          =         !        x       +       !
Rejected                   ?              .               #          #         =        x       !       !
Consumed                   ?              +               +          +         +        x       +       +
Expired                    ?              .               .          .         #        x       =       !
Revoked                    ?              .               #          #         #        x       #       =
""",
}

VERDICTS: Final = {"+": "Moved", "v": "Moved", "=": "Confirmed", ".": "Late"}
"""All other marks: Irregular."""


def cells(tables: dict[str, str]) -> list[tuple[str, Status, Status, str]]:
    out = []
    for kind, table in tables.items():
        head, *rows = [line.split() for line in table.strip().splitlines()]
        for row in rows:
            out += [(kind, Status(row[0]), Status(c), mark) for c, mark in zip(head, row[1:], strict=True)]
    return out


def check(kind: str, row: Status, column: Status, mark: str, seconds: float) -> None:
    """Say the row's status at a minute, then the column's so many seconds later or earlier by the holder's time."""
    rules, ear = KINDS[kind], Ear()
    first = [] if row is NS else [ear.event(row, 60)]
    playback = play(rules, *first, ear.event(column, 60 + seconds, received=70))
    decision, judgement = playback.position.decision(), playback.last
    was = NS if row is UN or not rules.can_have(row) else row

    assert judgement.verdict == VERDICTS.get(mark, "Irregular")
    assert decision.status is (column if mark in "+v=!" else was)
    changed = [s for s in judgement.statements if s.type is Telling.STATUS_CHANGED]
    assert [s.to_status for s in changed] == ([column] if mark in "+v!" else [])
    if mark != "!":
        assert [s.via for s in changed if s.via] == ([(AU,)] if mark == "v" else [])
    assert decision.is_in_doubt == (mark in "!#?x" or row is UN or (row is not NS and was is NS))
    assert decision.is_usable(at(70)) == (decision.status is AU and not decision.is_in_doubt)


@pytest.mark.parametrize(("kind", "row", "column", "mark"), cells(DATED_LATER))
def test_dated_later(kind: str, row: Status, column: Status, mark: str) -> None:
    check(kind, row, column, mark, 5)


@pytest.mark.parametrize(("kind", "row", "column", "mark"), cells(DATED_EARLIER))
def test_dated_earlier(kind: str, row: Status, column: Status, mark: str) -> None:
    check(kind, row, column, mark, -5)


@pytest.mark.parametrize(("kind", "row", "column", "mark"), cells(DATED_ALIKE))
def test_dated_alike(kind: str, row: Status, column: Status, mark: str) -> None:
    check(kind, row, column, mark, 0)


@pytest.mark.parametrize("tables", [DATED_LATER, DATED_EARLIER, DATED_ALIKE])
def test_no_pair_is_left_out(tables: dict[str, str]) -> None:
    pairs = {(kind, row, column) for kind, row, column, _ in cells(tables)}
    rows = set(Status) if tables is DATED_LATER else set(Status) - {NS}
    assert pairs == {(kind, row, column) for kind in KINDS for row in rows for column in set(Status) - {NS}}


def test_not_staged_is_never_the_holders_word() -> None:
    playback = play(KINDS["payment"], Ear().event(NS, 0), Ear().event(CO, 5))
    assert playback.verdicts == [Verdict.IRREGULAR, Verdict.MOVED]
    assert playback.judgements[0].statements[0].reasons == ("impossible_status",)
