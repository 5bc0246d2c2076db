"""What must hold of the judge, whatever reaches us and in whatever order. Letters as in the model: see each section."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tests.domain.histories import DAY, SECOND, Move, World, hearsay, holders, worlds
from tests.domain.kinds import AU
from tests.domain.playback import Playback, Step, play
from tests.domain.reports import START, at
from tracker.domain.consent import Channel, Status
from tracker.domain.decision import decide, decide_summary
from tracker.domain.lifecycle import Position, Telling, Verdict, tick, view
from tracker.domain.moves import Rules
from tracker.domain.report import Report
from tracker.domain.standing import Summary, fold, standing

SETTLING = timedelta(minutes=5)
LONG_AFTER = START + 9000 * DAY
Randoms = st.randoms(use_true_random=False)


def folded(rules: Rules, reports: list[Report]) -> Summary:
    summary = Summary()
    for report in reports:
        summary = fold(summary, report, rules)
    return summary


def told_by_holder(reports: list[Report]) -> list[Report]:
    return [r for r in reports if r.channel.is_holders_word]


def heard(world: World) -> list[Report]:
    """What was heard for the first time."""
    first: dict[str, Report] = {}
    for _, report in world.reports():
        first.setdefault(report.digest, report)
    return list(first.values())


def play_world(world: World) -> Playback:
    return play(world.holder.rules, *(report for _, report in world.reports()))


# ------------------------------------------------------------------------------------------------ the set decides


@given(hearsay(), Randoms)
def test_any_order_and_any_repetition_come_to_the_same(said: tuple[Rules, list[Report]], random: Random) -> None:
    rules, reports = said
    shuffled = [*reports, *random.choices(reports, k=3)]
    random.shuffle(shuffled)
    one, other = decide(reports, rules), decide(shuffled, rules)
    assert one == other
    assert one.report == other.report


@given(hearsay())
def test_folding_one_by_one_is_the_set_function_after_every_report(said: tuple[Rules, list[Report]]) -> None:
    rules, reports = said
    summary = Summary()
    for n, report in enumerate(reports, 1):
        summary = fold(summary, report, rules)
        whole, kept = decide(reports[:n], rules, at(7)), decide_summary(summary, rules, at(7))
        assert summary.standing == standing(reports[:n], rules)
        assert kept == whole
        assert kept.report == whole.report


@given(worlds(lag=True), Randoms)
def test_events_between_two_questions_may_come_in_any_order(world: World, random: Random) -> None:
    rules, reports = world.holder.rules, heard(world)
    spans: dict[int, list[Report]] = {}
    for report in reports:
        spans.setdefault(report.asks, []).append(report)
    shuffled = [r for _, span in sorted(spans.items()) for r in random.sample(span, len(span))]
    assert folded(rules, reports) == folded(rules, shuffled)


@given(worlds(lag=True))
def test_a_repeat_that_is_heard_later_changes_nothing(world: World) -> None:
    """The store drops it; the set function, which is given everything, must not take it for something newer."""
    rules = world.holder.rules
    assert decide([r for _, r in world.reports()], rules) == decide(heard(world), rules)


@given(hearsay(), st.data())
def test_a_repeat_is_a_duplicate_and_says_nothing(said: tuple[Rules, list[Report]], data: st.DataObject) -> None:
    rules, reports = said
    playback = play(rules, *reports)
    before = playback.position
    again = playback.hear(data.draw(st.sampled_from(reports)), reports[-1].recorded_at)
    assert again.verdict is Verdict.DUPLICATE
    assert again.statements == ()
    assert again.position == before


# ------------------------------------------------------------------------------------------------ the holder is right


@given(worlds())
def test_one_last_answer_gives_the_holders_status(world: World) -> None:
    """Any loss, order, repetition, late opening, holders' times cut to seconds or not, slow flips: one poll heals."""
    final = world.holder.final
    playback = play_world(world.with_last_question(SECOND / 1000))
    decision = playback.position.decision()
    assert (decision.status, decision.since) == (final.status, final.status_date_time)


@given(st.one_of(worlds(lag=True), worlds(holders(takes_back=False), lag=True, our_clock_steps=True)))
def test_one_last_answer_after_the_settling_time_leaves_no_doubt(world: World) -> None:
    """Also when polls read old copies or our own clock steps: then usable is what the holder would let us."""
    holder = world.holder
    playback = play_world(world.with_last_question(SETTLING + timedelta(hours=2)))
    decision, now = playback.position.decision(), playback.reports[-1].recorded_at
    assert (decision.status, decision.since) == (holder.final.status, holder.final.status_date_time)
    assert not decision.is_in_doubt
    assert decision.is_usable(now) == (holder.final.status is AU and now < holder.expiry)
    assert decision.is_confirmed(now) or now >= holder.expiry


@given(worlds(holders(strict=True, takes_back=False)))
def test_a_true_holder_whose_times_rise_is_never_doubted(world: World) -> None:
    """Whatever came when, the latest that we heard of is so, and there is no false alarm."""
    playback = Playback(Position(rules=world.holder.rules))
    for move, report in world.reports():
        before = playback.position.decision()
        verdict = playback.hear(report).verdict
        decision = playback.position.decision()
        latest = max(r.status_date_time for r in playback.reports)
        assert decision.since == latest
        assert decision.status is next(r.status for r in playback.reports if r.status_date_time == latest)
        assert not decision.contradictions
        assert verdict is not Verdict.IRREGULAR
        if verdict is Verdict.MOVED:
            assert before.since is None or decision.since > before.since
        if verdict is Verdict.LATE:
            assert world.holder.moves[move].status_date_time < latest
    assert playback.count(Telling.IRREGULAR) == 0


@given(worlds(holders(strict=True, takes_back=False), lag=True))
def test_stale_answers_take_nothing_back(world: World) -> None:
    playback = Playback(Position(rules=world.holder.rules))
    for _, report in world.reports():
        playback.hear(report)
        decision = playback.position.decision()
        assert decision.since == max(r.status_date_time for r in playback.reports)


# ------------------------------------------------------------------------------------------------ never usable


@given(worlds(lag=True))
def test_usable_only_if_the_truest_thing_heard_was_authorized(world: World) -> None:
    """Ties within a second and stale answers together: of all moves heard of, the last true one was to Authorized."""
    playback, known = Playback(Position(rules=world.holder.rules)), 0
    for move, report in world.reports():
        playback.hear(report)
        known = max(known, move)
        if playback.position.is_usable(START):
            assert world.holder.moves[known].status is AU


@given(hearsay())
def test_never_usable_after_an_end_was_heard(said: tuple[Rules, list[Report]]) -> None:
    rules, reports = said
    playback = Playback(Position(rules=rules))
    for report in reports:
        playback.hear(report)
        decision = playback.position.decision()
        ends = [r for r in told_by_holder(playback.reports) if rules.is_end(r.status)]
        if any(r.status not in rules.revivable for r in ends):
            assert decision.status.is_terminal
        if decision.is_usable(START):
            assert decision.since is not None
            assert all(decision.since > r.status_date_time for r in ends)  # the holder took them back, later
            assert all(r.status in rules.revivable for r in ends)


@given(hearsay(), st.sampled_from([0 * SECOND, SECOND / 1_000_000, 300 * SECOND, 500 * DAY]))
def test_never_usable_at_or_after_an_expiry_that_stands(said: tuple[Rules, list[Report]], later: timedelta) -> None:
    rules, reports = said
    playback = Playback(Position(rules=rules))
    for report in reports:
        playback.hear(report)
        position = playback.position
        for expiry in [r.expiration_date_time for r in position.summary.standing if r.status.is_open]:
            if expiry is not None:
                assert not position.is_usable(expiry + later)
                assert not tick(position, expiry + later).position.told.usable


@given(hearsay())
def test_never_usable_against_the_newest_answer_or_a_later_word_that_stands(said: tuple[Rules, list[Report]]) -> None:
    rules, reports = said
    playback = Playback(Position(rules=rules))
    for report in reports:
        playback.hear(report)
        decision = playback.position.decision()
        if not decision.is_usable(START - DAY):
            continue
        assert decision.since is not None
        for r in playback.position.summary.standing:
            assert r.status is AU or r.status_date_time <= decision.since
        newest = max((r for r in playback.reports if r.is_poll), key=lambda r: r.ask or 0, default=None)
        if newest is not None:
            since = [r for r in told_by_holder(playback.reports) if not newest.was_asked_after(r)]
            assert any(r.status is AU for r in since)


@given(hearsay(), Randoms)
def test_what_our_application_says_never_makes_usable(said: tuple[Rules, list[Report]], random: Random) -> None:
    rules, reports = said
    without, told = decide(told_by_holder(reports), rules), decide(reports, rules)
    assert (told.status, told.since, told.contradictions) == (without.status, without.since, without.contradictions)
    assert without.is_usable(START) or not told.is_usable(START)
    mine = [replace(r, channel=random.choice([Channel.TOKEN, Channel.CALLBACK])) for r in reports]
    assert not decide(mine, rules).is_usable(START)


@given(hearsay())
def test_an_end_that_our_application_saw_denies_use_until_a_later_question_is_answered(
    said: tuple[Rules, list[Report]],
) -> None:
    rules, reports = said
    playback = Playback(Position(rules=rules))
    for report in reports:
        playback.hear(report)
        hints = [r for r in playback.reports if r.channel in {Channel.TOKEN, Channel.CALLBACK} and r.status.is_terminal]
        answers = [r for r in playback.reports if r.is_poll and rules.can_have(r.status)]
        is_open = any(not any((a.ask or 0) > h.asks for a in answers) for h in hints)
        assert playback.position.decision().end_hinted == is_open
        assert not (is_open and playback.position.told.usable)


# ------------------------------------------------------------------------------------------------ what is told


@given(hearsay(), st.data())
def test_whoever_applies_what_is_told_stands_where_we_stand(
    said: tuple[Rules, list[Report]], data: st.DataObject
) -> None:
    """The playback checks it after every step; here with repeats, ticks, and a clock of ours that steps back."""
    rules, reports = said
    steps: list[Step] = [*reports, *data.draw(st.lists(st.sampled_from(reports), max_size=2))]
    for instant in data.draw(st.lists(st.sampled_from([START, at(1), at(300), at(10**6), LONG_AFTER]), max_size=4)):
        steps.insert(data.draw(st.integers(0, len(steps))), instant)
    registered = data.draw(st.sampled_from([None, at(2), at(100_000)]))
    playback = play(rules, *steps, registered_expiry=registered)
    for judgement in playback.judgements:
        for statement in judgement.statements:
            assert (statement.type is Telling.IRREGULAR) == bool(statement.reasons)
            assert not (statement.usable and statement.to_status is not AU)


@given(worlds(lag=True), st.lists(st.sampled_from([START, at(90), at(420), START + 21 * DAY, LONG_AFTER]), max_size=4))
def test_the_same_of_true_holders_with_ticks_in_between(world: World, ticks: list[datetime]) -> None:
    arrivals = [report for _, report in world.reports()]
    steps: list[Step] = sorted([*arrivals, *ticks], key=lambda s: s.recorded_at if isinstance(s, Report) else s)
    play(world.holder.rules, *steps)


@given(hearsay())
def test_a_contradiction_is_told_when_it_comes_and_not_while_it_stands(said: tuple[Rules, list[Report]]) -> None:
    rules, reports = said
    playback, before = Playback(Position(rules=rules)), decide([], rules)
    for report in reports:
        playback.hear(report)
        after = playback.position.decision()
        new = {c.code for c in after.contradictions - before.contradictions}
        told = [s for s in playback.last.statements if s.type is Telling.IRREGULAR and s.reasons != ("end_hinted",)]
        assert [s.reasons for s in told] == ([tuple(sorted(new))] if new else [])
        before = after


# ------------------------------------------------------------------------------------------------ our own clock


@given(hearsay(), st.lists(st.sampled_from([-DAY, -300 * SECOND, -SECOND / 1_000_000]), min_size=1, max_size=3))
def test_our_clock_stepping_back_makes_nothing_usable_again(
    said: tuple[Rules, list[Report]], back: list[timedelta]
) -> None:
    rules, reports = said
    playback = play(rules, *reports, registered_expiry=at(200_000))
    expiry = playback.position.decision().expiration_date_time
    assert expiry is not None
    playback.look(max(expiry, reports[-1].recorded_at))
    was = playback.position.told
    assert not was.usable
    for step in back:
        assert playback.look(expiry + step).statements == ()
        assert playback.position.told == was
        assert not playback.position.is_usable(expiry + step)
    again = replace(reports[-1], digest="another")
    assert not playback.hear(again, expiry - DAY).position.told.usable


# ------------------------------------------------------------------------------------------------ two times


@given(worlds(holders(strict=True, flips=False, skew=False)), st.data())
def test_with_everything_heard_the_past_is_the_holders(world: World, data: st.DataObject) -> None:
    """As of T, as known today: the holder's status at T by the holder's clock, with the expiry added."""
    holder = world.holder
    told = [
        Report(
            digest=f"told in full {n}",
            channel=Channel.WEBHOOK,
            status=move.status,
            status_date_time=move.status_date_time,
            received_at=LONG_AFTER,
            recorded_at=LONG_AFTER,
            asks=99,
            expiration_date_time=holder.expiry,
        )
        for n, move in enumerate(holder.moves)
    ]
    times = [m.status_date_time for m in holder.moves]
    as_of = data.draw(st.sampled_from(times)) + data.draw(st.sampled_from([-SECOND, 0 * SECOND, SECOND / 3, 30 * DAY]))
    decision, effective = view([*heard(world), *told], holder.rules, as_of, LONG_AFTER)
    moves = [m for m in holder.moves if m.status_date_time <= as_of]
    expected = _status_after(moves)
    assert decision.status is expected
    assert effective is (Status.EXPIRED if expected.is_open and as_of >= holder.expiry else expected)


def _status_after(moves: list[Move]) -> Status:
    return moves[-1].status if moves else Status.NOT_STAGED


AS_OF = [at(-5), at(0), at(0.5), at(1), at(2), at(300), at(501), at(100_000)]


@given(hearsay(), st.sampled_from(AS_OF))
def test_belief_changes_only_by_hearing(said: tuple[Rules, list[Report]], as_of: datetime) -> None:
    rules, reports = said
    known = sorted({r.recorded_at for r in reports})
    for since, until in pairwise([*known, LONG_AFTER]):
        unheard = until - timedelta(microseconds=1)
        assert view(reports, rules, as_of, since) == view(reports, rules, as_of, unheard)


@given(hearsay())
def test_an_end_that_is_known_stays_known(said: tuple[Rules, list[Report]]) -> None:
    """At every later instant, and in the eyes of everyone who knows more."""
    rules, reports = said
    ended = set[datetime]()
    for known_at in sorted({r.recorded_at for r in reports}):
        now = {as_of for as_of in AS_OF if view(reports, rules, as_of, known_at)[0].status.is_terminal}
        assert rules.revivable or ended <= now
        assert rules.revivable or now == {as_of for as_of in AS_OF if now and as_of >= min(now)}
        ended = now


@given(worlds(lag=True))
def test_now_as_known_now_is_what_is_so(world: World) -> None:
    playback = Playback(Position(rules=world.holder.rules))
    for _, report in world.reports():
        now = playback.hear(report).position.judged_at
        assert now is not None
        decision, effective = view(playback.reports, world.holder.rules, now, now)
        assert decision == playback.position.decision()
        assert effective is playback.position.told.status
