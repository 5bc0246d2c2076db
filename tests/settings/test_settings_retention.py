"""From the sections on retention to the plan."""

from tests.contract.facts import a_consent
from tracker.app.configured import retention_plan
from tracker.domain.retention import CountsFrom, Duties, RetentionPlan
from tracker.settings import Settings


def test_nothing_said_is_the_rule_of_the_uae() -> None:
    assert retention_plan(Settings()) == RetentionPlan()
    assert retention_plan(Settings()).of(a_consent()) == Duties()


def test_what_is_said_reaches_the_plan() -> None:
    said = {
        "retention": {"consent_years": 7, "dispose": "when_asked", "quarantine_years": 1, "unregistered_years": 2},
        "retention_override": [{"provider": "demobank", "counts_from": "end", "payment_years": 9}],
    }
    plan = retention_plan(Settings.model_validate(said))
    assert (plan.goes_unasked, plan.quarantine_years, plan.unregistered_years) == (False, 1, 2)
    expected = Duties(counts_from=CountsFrom.END, consent_years=7, payment_years=9)
    assert plan.of(a_consent()) == expected
    assert plan.of(a_consent(provider="otherbank")).counts_from is CountsFrom.CREATION
