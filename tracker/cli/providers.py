"""`tracker providers`: how they are doing."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from tracker.cli.completion import providers
from tracker.cli.output import Json, print_json, print_line, print_table, time_text
from tracker.cli.running import do

if TYPE_CHECKING:
    from tracker.app import Tracker
    from tracker.domain.lags import Lags
    from tracker.usecases.provider_health import ProviderView

app = typer.Typer(help="How the providers are doing.", epilog="Example: tracker providers", invoke_without_command=True)
Hours = Annotated[int, typer.Option(min=1, max=168, help="Count moves of so many hours.")]


@app.callback()
def main(context: typer.Context, json: Json = False) -> None:
    """How the providers are doing."""
    if context.invoked_subcommand is None:
        listing(json=json)


@app.command("list", epilog="Example: tracker providers list --hours 168")
def listing(hours: Hours = 24, json: Json = False) -> None:
    """List them."""

    async def deed(tracker: "Tracker") -> "list[ProviderView]":
        now = tracker.world.clock.now()
        return await tracker.services.provider_health.all(now, timedelta(hours=hours))

    found = do(deed)
    if json:
        from tracker.web.api.shapes.providers import ProviderOut, ProvidersOut  # noqa: PLC0415

        print_json(ProvidersOut(items=tuple(ProviderOut.of(view) for view in found), next_cursor=None))
        return
    headings = ("id", "events", "last event (UTC)", "told", "asked", "room", "left today", "keys", "tokens")
    print_table(headings, (_row(view) for view in found), empty="There are no providers: see [[provider]].")


@app.command(epilog="Example: tracker providers show demobank")
def show(
    provider: Annotated[str, typer.Argument(metavar="ID", autocompletion=providers)],
    hours: Hours = 24,
    json: Json = False,
) -> None:
    """Show one."""
    from tracker.domain.errors import ProviderNotFoundError  # noqa: PLC0415

    async def deed(tracker: "Tracker") -> "ProviderView":
        now = tracker.world.clock.now()
        return await tracker.services.provider_health.one(provider, now, timedelta(hours=hours))

    try:
        view = do(deed)
    except ProviderNotFoundError as error:
        raise ProviderNotFoundError(
            f"No provider is called {provider}; `tracker providers` shows those that are."
        ) from error
    if json:
        from tracker.web.api.shapes.providers import ProviderOut  # noqa: PLC0415

        print_json(ProviderOut.of(view))
        return
    for label, fact in _facts(view).items():
        print_line(Text.assemble((f"{label:<12}  ", "bold"), fact))


def _row(view: "ProviderView") -> "tuple[str | Text, ...]":
    return (
        view.provider.id,
        _events(view),
        time_text(view.facts.health.signs.last_event_at),
        _share(view),
        _breaker(view),
        str(view.room.urgent),
        "–" if view.left_today is None else str(view.left_today),
        _fetched(view.keys.value),
        _fetched(view.tokens.value),
    )


def _facts(view: "ProviderView") -> "dict[str, str | Text]":
    from tracker.ports import Told  # noqa: PLC0415

    signs, hearing = view.facts.health.signs, view.facts.health.hearing
    limits, hours = view.provider.limits, view.window // timedelta(hours=1)
    since = f" since {time_text(hearing.quiet_since)}" if hearing.quiet else ""
    held = f", left alone until {time_text(view.held_until)}" if view.held_until else ""
    day = f", {view.left_today} of {limits.per_day} left today" if view.left_today is not None else ""
    return {
        "provider": f"{view.provider.id}, {view.provider.profile.name}",
        "issuer": view.provider.issuer,
        "events": Text.assemble(_events(view), since, f", last {time_text(signs.last_event_at)}"),
        "told": f"{_share(view)} of the moves of {hours} h; {view.lags(Told.MISSED).count} missed",
        "by webhook": _lags(view.lags(Told.WEBHOOK)),
        "by poll": _lags(view.lags(Told.POLL)),
        "keys": Text.assemble(_fetched(view.keys.value), f", fetched {time_text(signs.keys_fetched_at)}"),
        "tokens": Text.assemble(_fetched(view.tokens.value), f", fetched {time_text(signs.tokens_fetched_at)}"),
        "asked": Text.assemble(_breaker(view), held),
        "budget": f"{view.room.urgent} now, {limits.per_second:g} a second{day}",
        "stretch": f"{view.facts.health.stretch:g}",
    }


def _events(view: "ProviderView") -> Text:
    quiet = view.facts.health.hearing.quiet
    return Text("come", "green") if quiet is None else Text(quiet.value, "red" if quiet.is_alarming else "yellow")


def _share(view: "ProviderView") -> str:
    return "–" if view.share_told is None else f"{view.share_told:.1%}"


def _breaker(view: "ProviderView") -> Text:
    from tracker.domain.breaker import BreakerState  # noqa: PLC0415

    state = view.facts.ledger.breaker.state
    return Text("as usual", "green") if state is BreakerState.CLOSED else Text("one at a time", "red")


def _fetched(state: str) -> Text:
    return Text(state, {"ok": "green", "failing": "red"}.get(state, "dim"))


def _lags(lags: "Lags") -> str:
    found = [lags.percentile(share) for share in (0.5, 0.95, 1.0)]
    if not lags.count:
        return "none"
    told = ", ".join(
        f"{name} {round(lag, 1 if lag >= 1 else 3):g} s"
        for name, lag in zip(("p50", "p95", "max"), found, strict=True)
        if lag is not None
    )
    return f"{lags.count}: {told}"
