from dataclasses import dataclass, field, replace

import pytest

from tests.contract.facts import a_consent, a_report
from tracker.domain.changed import changed


@dataclass(frozen=True, kw_only=True)
class Thing:
    one: int
    two: str = ""
    made: list[int] = field(default_factory=list, init=False)


def test_it_is_what_replace_gives() -> None:
    consent, report = a_consent(), a_report()
    assert changed(consent, version=7, user_ref="u") == replace(consent, version=7, user_ref="u")
    assert changed(report, asks=3) == replace(report, asks=3)
    assert changed(consent) == consent


def test_what_its_init_does_not_take_is_made_anew() -> None:
    thing = Thing(one=1)
    thing.made.append(1)
    assert changed(thing, two="x") == Thing(one=1, two="x")


def test_a_field_that_it_does_not_have_is_refused() -> None:
    with pytest.raises(TypeError):
        changed(Thing(one=1), three=3)


def test_what_does_something_when_it_is_made_is_refused() -> None:
    @dataclass(frozen=True)
    class Checked:
        one: int

        def __post_init__(self) -> None:
            raise AssertionError

    @dataclass(frozen=True, slots=True)
    class Slotted:
        one: int

    for thing in (Slotted(1), object.__new__(Checked)):
        with pytest.raises(TypeError):
            changed(thing, one=2)
