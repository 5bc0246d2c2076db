from dataclasses import dataclass, field, replace

import pytest

from tests.contract.facts import a_consent, a_report
from tracker.domain.changed import changed


@dataclass(frozen=True, slots=True, kw_only=True)
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
