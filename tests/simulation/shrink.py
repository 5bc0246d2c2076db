"""Makes a run in which something broke as small as can be, so that a person can read what happened.

Everything of a scenario is from chance that hangs on the consent alone, so most of it can be left out without changing the
rest: the other consents first, then the weather, then single moves and events. What is left out stays out if the same thing
still breaks without it.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.simulation.chance import Scenario, Weather
from tests.simulation.holder import Life
from tests.simulation.run import Outcome, run
from tests.simulation.witness import Broken

Run = Callable[[Scenario], Outcome]


def shrunk(scenario: Scenario, broken: Broken, simulate: Run = run) -> Scenario:
    """The smallest scenario found in which the same thing breaks."""

    def still_breaks(smaller: Scenario) -> bool:
        return any(one.what == broken.what for one in simulate(smaller).broken)

    mine = replace(scenario, lives=tuple(life for life in scenario.lives if life.consent_id == broken.consent_id))
    scenario = mine if still_breaks(mine) else _halved(scenario, still_breaks)
    calm = replace(scenario, options=replace(scenario.options, failing=0.0, lagging=0.0))
    scenario = calm if still_breaks(calm) else scenario
    is_smaller = True
    while is_smaller:
        is_smaller = False
        for smaller in _smaller(scenario):
            if still_breaks(smaller):
                scenario, is_smaller = smaller, True
                break
    return scenario


def _halved(scenario: Scenario, still_breaks: Callable[[Scenario], bool]) -> Scenario:
    """Leave out halves of the consents while it goes on breaking."""
    while len(scenario.lives) > 1:
        middle = len(scenario.lives) // 2
        halves = (replace(scenario, lives=lives) for lives in (scenario.lives[:middle], scenario.lives[middle:]))
        half = next(filter(still_breaks, halves), None)
        if half is None:
            break
        scenario = half
    return scenario


def _smaller(scenario: Scenario) -> Iterator[Scenario]:
    """The same with one thing less."""
    weather = scenario.weather
    if weather != Weather():
        yield replace(scenario, weather=Weather())
    for name in ("silent", "away", "throttled"):
        spans = getattr(weather, name)
        for number in range(len(spans)):
            less = {name: spans[:number] + spans[number + 1 :]}
            yield replace(scenario, weather=replace(weather, **less))
    for place, life in enumerate(scenario.lives):
        for less in _less(life):
            yield replace(scenario, lives=(*scenario.lives[:place], less, *scenario.lives[place + 1 :]))


def _less(life: Life) -> Iterator[Life]:
    for number in range(len(life.moves) - 1, 0, -1):
        yield life.without_move(number)
    for number, move in enumerate(life.moves):
        for sent in range(len(move.deliveries)):
            fewer = move.deliveries[:sent] + move.deliveries[sent + 1 :]
            moves = (*life.moves[:number], replace(move, deliveries=fewer), *life.moves[number + 1 :])
            yield replace(life, moves=moves)


def told(scenario: Scenario) -> str:
    """A scenario in words."""
    lines = [f"{scenario.provider}, {scenario.options.days} days, weather: {scenario.weather}"]
    for life in scenario.lives:
        lines.append(f"{life.consent_id}: {life.kind}, registered {life.registered_at}, expires {life.expires}")
        for move in life.moves:
            sent = ", ".join(f"after {d.after} (minted after {d.minted_after})" for d in move.deliveries)
            lines.append(f"  {move.at} {move.status.value}: event {sent or 'never'}")
    return "\n".join(lines)
