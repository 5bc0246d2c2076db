"""`tracker subscriptions`: who is told."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.text import Text

from tracker.cli.completion import kinds, providers, statuses
from tracker.cli.manner import DisableAfter, MostInFlight, OrderOption, RetryAlone, RetryDown, chosen
from tracker.cli.output import Json, age_text, print_json, print_line, print_table, time_text
from tracker.cli.running import do

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from datetime import datetime

    from tracker.app import Tracker
    from tracker.domain.subscription import EntryFilter, Subscription
    from tracker.usecases.ping import Pong
    from tracker.usecases.resending import Followed
    from tracker.web.api.shapes.subscriptions import FailureOut

T = TypeVar("T")

_CHALLENGE_SECONDS = 25.0
"""A challenge takes 20 at most; the secret is shown whatever comes of it."""

app = typer.Typer(help="Who is told of every move.", epilog="Example: tracker subscriptions list", no_args_is_help=True)


@app.command(epilog="Example: tracker subscriptions add https://crm.example/hooks --type 'consent.*' --to Revoked")
def add(
    url: Annotated[
        str | None, typer.Argument(help="Where notifications are posted; without it they are polled.")
    ] = None,
    type_: Annotated[list[str] | None, typer.Option("--type", help="Which entries; may be repeated.")] = None,
    to: Annotated[
        list[str] | None, typer.Option(help="Only moves to this status; may be repeated.", autocompletion=statuses)
    ] = None,
    provider: Annotated[
        list[str] | None, typer.Option(help="Only this provider; may be repeated.", autocompletion=providers)
    ] = None,
    kind: Annotated[
        list[str] | None, typer.Option(help="Only this kind; may be repeated.", autocompletion=kinds)
    ] = None,
    description: Annotated[str, typer.Option(help="For people.")] = "",
    from_sequence: Annotated[int | None, typer.Option(min=1, help="Begin with this entry.")] = None,
    order: OrderOption = "consent",
    most_in_flight: MostInFlight = 16,
    retry_alone: RetryAlone = None,
    retry_down: RetryDown = None,
    disable_after: DisableAfter = 259_200,
    visibility: Annotated[
        int,
        typer.Option(min=1, max=12 * 3600, help="Polled: after so many seconds what was not answered for comes again."),
    ] = 60,
    signed: Annotated[bool, typer.Option("--signed", help="Polled: hand out signed Security Event Tokens.")] = False,
    key_id: Annotated[
        str | None, typer.Option(help="The API key that acts for the subscriber; `tracker keys list` has the ids.")
    ] = None,
    work: Annotated[
        list[str] | None, typer.Option(help="What must be reported as done, such as data_deleted; may be repeated.")
    ] = None,
    work_on: Annotated[
        list[str] | None,
        typer.Option(help="Only of moves to this status; may be repeated.", autocompletion=statuses),
    ] = None,
    within: Annotated[int, typer.Option(min=60, help="Within so many seconds.")] = 86_400,
    sending: Annotated[
        Path | None,
        typer.Option(help="A file of JSON with signatures, headers, oauth, client_certificate; readable by you alone."),
    ] = None,
    json: Json = False,
) -> None:
    """Subscribe a URL, whose secret for signatures is printed this once; or, without one, somebody who polls."""
    from datetime import timedelta  # noqa: PLC0415

    from tracker.cli.sending_file import read_sending  # noqa: PLC0415
    from tracker.domain.completion import CompletionTerms  # noqa: PLC0415
    from tracker.domain.errors import InvalidRequestError  # noqa: PLC0415
    from tracker.domain.pull import PollFormat, PollTerms  # noqa: PLC0415
    from tracker.domain.sending import AS_USUAL  # noqa: PLC0415
    from tracker.domain.subscription import EntryFilter  # noqa: PLC0415
    from tracker.usecases.subscribe import SubscriptionRequest  # noqa: PLC0415

    if url == "":
        raise InvalidRequestError("The URL is empty; leave it out for a subscription that is polled.")
    wanted = EntryFilter(
        types=tuple(type_ or ("*",)),
        provider=frozenset(provider or ()),
        kind=frozenset(kind or ()),
        to=frozenset(to or ()),
    )

    asked = CompletionTerms(
        types=("consent.status_changed",),
        to=frozenset(work_on or ()),
        work=tuple(work or ()),
        within=timedelta(seconds=within),
    )
    format_ = PollFormat.SET if signed else PollFormat.ENTRY
    polling = PollTerms(format=format_, visibility=timedelta(seconds=visibility))

    wishes = AS_USUAL if sending is None else read_sending(sending)
    manner = chosen(order, most_in_flight, retry_alone, retry_down, disable_after)

    async def deed(tracker: "Tracker") -> "tuple[Subscription, datetime]":
        tracker.services.polling.require(polling)
        request = SubscriptionRequest(
            url=url or "",
            entry_filter=wanted,
            description=description,
            from_sequence=from_sequence,
            manner=manner,
            polling=polling,
            key_id=key_id,
            completion=asked if work else None,
            sending=wishes,
        )
        made = await tracker.services.subscriptions.add(request)
        if made.state.value == "pending":
            made = await tracker.services.ownership.challenge_first(made, _CHALLENGE_SECONDS)
        return made, tracker.world.clock.now()

    made, now = do(deed, may_begin=True)
    if json:
        from tracker.web.api.shapes.subscriptions import NewSubscriptionOut  # noqa: PLC0415

        print_json(NewSubscriptionOut.made(made, now))
        return
    print(f"id      {made.id}" + ("" if made.is_polled else f"\nsecret  {made.secret}"))
    if made.state.value == "pending":
        print_line(
            f"It is pending. {made.last_error or 'Its address is not proved.'} Then: tracker subscriptions challenge {made.id}"
        )


@app.command("list", epilog="Example: tracker subscriptions list")
def listing(json: Json = False) -> None:
    """List subscriptions and how far they are."""

    async def deed(tracker: "Tracker") -> "Sequence[Followed]":
        return await tracker.services.resending.overview.all()

    found = do(deed)
    if json:
        from tracker.web.api.shapes.followed import FollowedListOut, FollowedOut  # noqa: PLC0415

        print_json(FollowedListOut(items=tuple(FollowedOut.followed(one) for one in found), next_cursor=None))
        return
    rows = (
        (
            one.subscription.id,
            one.subscription.url or "(polled)",
            ",".join(one.subscription.entry_filter.types),
            _only(one.subscription.entry_filter),
            _state(one.subscription),
            str(one.lag.entries),
            age_text(one.seconds_behind),
            str(one.lag.dead_letters),
            time_text(one.subscription.last_delivered_at),
            one.subscription.trouble or "",
        )
        for one in found
    )
    headings = ("id", "url", "types", "only", "state", "behind", "for", "given up", "last told (UTC)", "error")
    print_table(headings, rows, empty="There are no subscriptions.")


_STYLES = {"active": "green", "failing": "yellow", "disabled": "red", "paused": "yellow", "pending": "yellow"}


def _state(one: "Subscription") -> Text:
    state = "paused" if one.paused_at is not None else one.state.value
    return Text(state, _STYLES[state])


def _only(wanted: "EntryFilter") -> str:
    """What is heard of the types."""
    parts = {"to": wanted.to, "from": wanted.provider, "of": wanted.kind}
    return ", ".join(f"{word} {' or '.join(sorted(names))}" for word, names in parts.items() if names)


@app.command(epilog="Example: tracker subscriptions pause 0198f1c2-7e0a-7c3e-9d1b-2f6a8b0c4d5e")
def pause(subscription_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Send nothing until it is resumed; its place in the journal is kept."""

    async def deed(tracker: "Tracker") -> None:
        await tracker.services.subscriptions.pause(subscription_id, _at_any_version)

    known(deed, subscription_id)
    print_line(f"{subscription_id} is paused.")


@app.command(epilog="Example: tracker subscriptions resume 0198f1c2-7e0a-7c3e-9d1b-2f6a8b0c4d5e")
def resume(subscription_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Go on where it stands: one that was paused, was disabled, or waits for its endpoint."""

    async def deed(tracker: "Tracker") -> "tuple[Subscription, int]":
        resumed = await tracker.services.subscriptions.resume(subscription_id, _at_any_version)
        return resumed, await tracker.store.head()

    resumed, head = known(deed, subscription_id)
    print_line(f"{subscription_id} goes on, {head - resumed.cursor} entries behind.")


@app.command(
    "rotate-secret", epilog="Example: tracker subscriptions rotate-secret 0198f1c2-7e0a-7c3e-9d1b-2f6a8b0c4d5e"
)
def rotate_secret(
    subscription_id: Annotated[str, typer.Argument(metavar="ID")],
    overlap: Annotated[
        int, typer.Option(min=0, max=30 * 86_400, help="So many seconds the one before signs beside it.")
    ] = 86_400,
) -> None:
    """Replace the secret. The new one is printed this once."""
    from datetime import timedelta  # noqa: PLC0415

    async def deed(tracker: "Tracker") -> "Subscription":
        subscriptions = tracker.services.subscriptions
        return await subscriptions.rotate_secret(subscription_id, timedelta(seconds=overlap), _at_any_version)

    print(f"secret  {known(deed, subscription_id).secret}")


@app.command(epilog="Example: tracker subscriptions test 0198f1c2-7e0a-7c3e-9d1b-2f6a8b0c4d5e")
def test(subscription_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Post a signed ping, which is no entry, and say what the endpoint answered."""

    async def deed(tracker: "Tracker") -> "Pong":
        return await tracker.services.pings.ping(subscription_id)

    pong = known(deed, subscription_id)
    if not pong.delivery.delivered:
        print_line(pong.delivery.error or "")
        raise typer.Exit(1)
    print_line(f"It answered {pong.delivery.status} after {pong.seconds:.2f} s.")


@app.command(epilog="Example: tracker subscriptions challenge 0198f1c2-7e0a-7c3e-9d1b-2f6a8b0c4d5e")
def challenge(
    subscription_id: Annotated[str, typer.Argument(metavar="ID")],
    answer: Annotated[
        str | None, typer.Option(help="The text that was posted last, as read there: post nothing.")
    ] = None,
) -> None:
    """Post a challenge to the URL of a pending subscription; it is active when the endpoint answers with it."""

    async def deed(tracker: "Tracker") -> "Subscription":
        ownership = tracker.services.ownership
        if answer is None:
            return await ownership.challenge(subscription_id)
        return await ownership.verify(subscription_id, answer)

    found = known(deed, subscription_id)
    if found.state.value == "pending":
        print_line(found.trouble or "")
        raise typer.Exit(1)
    print_line(f"{subscription_id} is {found.state.value}.")


def _at_any_version(_: int) -> None:
    """Whoever sits at the shell means it."""


@app.command(epilog="Example: tracker subscriptions failures 0198f1c2-7e0a-7c3e-9d1b-2f6a8b0c4d5e")
def failures(
    subscription_id: Annotated[str, typer.Argument(metavar="ID")],
    limit: Annotated[int, typer.Option(min=1, max=500, help="At most so many.")] = 100,
    json: Json = False,
) -> None:
    """List what a subscriber refused while it took other entries, and what waits behind that."""
    from tracker.cli.looking import looked_at_several  # noqa: PLC0415
    from tracker.web.api.shapes.subscriptions import FailureOut, FailuresOut  # noqa: PLC0415

    async def deed(tracker: "Tracker") -> "list[FailureOut]":
        found = await tracker.services.subscriptions.undelivered(subscription_id, 0, limit)
        keys = dict.fromkeys(undelivered.tracking_id for undelivered, _ in found)
        await looked_at_several(tracker, "subscription.failures", keys, {"subscription": subscription_id})
        return [FailureOut.of(undelivered, entry) for undelivered, entry in found]

    found = known(deed, subscription_id)
    if json:
        print_json(FailuresOut(items=tuple(found), next_cursor=None))
        return
    rows = (
        (
            one.sequence.lstrip("0"),
            one.type or "",
            one.tracking_id,
            Text(one.state, _FAILURE_STYLES[one.state]),
            str(one.attempts),
            time_text(one.given_up_at or one.next_attempt_at),
            one.last_error or "",
            one.answer or "",
        )
        for one in found
    )
    headings = ("sequence", "type", "tracking id", "state", "refused", "next or last (UTC)", "error", "answer")
    print_table(headings, rows, empty="It was told everything up to where it is.")


_FAILURE_STYLES = {"waiting": "", "refused": "yellow", "given_up": "red"}


def known(deed: "Callable[[Tracker], Coroutine[Any, Any, T]]", subscription_id: str) -> T:
    """Do something with a subscription; name the command that lists them where there is none of this id."""
    from tracker.domain.errors import SubscriptionNotFoundError  # noqa: PLC0415

    try:
        return do(deed)
    except SubscriptionNotFoundError as error:
        raise SubscriptionNotFoundError(
            f"There is no subscription {subscription_id}; `tracker subscriptions list` shows those that are."
        ) from error


@app.command(epilog="Example: tracker subscriptions delete 0198f1c2-7e0a-7c3e-9d1b-2f6a8b0c4d5e")
def delete(subscription_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Forget a subscription."""

    async def deed(tracker: "Tracker") -> None:
        await tracker.services.subscriptions.delete(subscription_id)

    known(deed, subscription_id)
    print_line(f"{subscription_id} is deleted.")
