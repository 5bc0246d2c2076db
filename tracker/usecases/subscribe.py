"""Subscriptions: who asks to be told, checked before it is believed."""

import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final

from tracker.domain.completion import LONGEST_WITHIN, MOST_WORK, SHORTEST_WITHIN, WORK_PATTERN, CompletionTerms
from tracker.domain.consent import Status, is_provider_id
from tracker.domain.errors import (
    InvalidRequestError,
    SubscriptionNotFoundError,
    SubscriptionNotPolledError,
    SubscriptionPolledError,
)
from tracker.domain.manner import Attempts, Manner, Order
from tracker.domain.pull import PollTerms
from tracker.domain.sending import AS_USUAL, Sending, check_fits, check_secrets_stay, check_sending
from tracker.domain.subscription import EntryFilter, Subscription, SubscriptionState, moved, resumed, with_new_secret
from tracker.journal.entry import Entry
from tracker.ports import Clock, Entropy, Ids, Store, Undelivered
from tracker.usecases.due_work import find_due
from tracker.usecases.wake import Bell

MOST_PATTERNS: Final = 50
LONGEST_DESCRIPTION: Final = 500

_WORD = r"[a-z][a-z0-9_]{0,63}"
TYPE_PATTERN: Final = rf"(\*|{_WORD}(\.{_WORD}){{0,3}}(\.\*)?)"
_KIND = re.compile(r"[\x21-\x7e]{1,64}")
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionRequest:
    """What somebody asks for.

    Attributes:
        url: Where notifications are to be posted; empty: nothing is, they are polled.
        entry_filter: What is to be heard; its types must not be empty, `*` means everything.
        description: For people; at most 500 characters.
        include_private: Whether private values are sent along.
        from_sequence: The first entry to be told, from 1 to the one after the last; None: what comes from now on.
        manner: In what order, how much at a time, how often again.
        polling: How it is polled.
        key_id: The API key that acts for the subscriber.
        completion: What the subscriber must report as done, from its first entry on.
        sending: How it is to be told.
    """

    url: str
    entry_filter: EntryFilter = field(default_factory=lambda: EntryFilter(types=("*",)))
    description: str = ""
    include_private: bool = False
    from_sequence: int | None = None
    manner: Manner = field(default_factory=Manner)
    polling: PollTerms = field(default_factory=PollTerms)
    key_id: str | None = None
    completion: CompletionTerms | None = None
    sending: Sending = AS_USUAL


@dataclass(frozen=True, kw_only=True)
class SubscriptionChanges:
    """What is to be other than it is; None: as it is.

    Attributes:
        url: Where notifications are to be posted.
        types: Which types of entries are to be heard.
        only: What else they must be: the rest of the filter.
        description: For people; at most 500 characters.
        include_private: Whether private values are sent along.
        order: What keeps its order.
        most_in_flight: How many posts may be under way at a time.
        attempts: How often what is refused is tried again; all of it.
        others: Terms that are set as they are, by the names of their attributes; None, too, is a value there.
        sending: Members of `Sending`.
    """

    url: str | None = None
    types: tuple[str, ...] | None = None
    only: EntryFilter | None = None
    description: str | None = None
    include_private: bool | None = None
    order: Order | None = None
    most_in_flight: int | None = None
    attempts: Attempts | None = None
    others: Mapping[str, Any] = field(default_factory=dict)
    sending: Mapping[str, Any] = field(default_factory=dict)

    def on(self, before: Subscription) -> Subscription:
        """The subscription with these changes."""
        wanted = before.entry_filter if self.only is None else replace(self.only, types=before.entry_filter.types)
        return replace(
            before,
            url=before.url if self.url is None else self.url,
            entry_filter=wanted if self.types is None else replace(wanted, types=self.types),
            description=before.description if self.description is None else self.description,
            include_private=before.include_private if self.include_private is None else self.include_private,
            manner=Manner(
                order=before.manner.order if self.order is None else self.order,
                most_in_flight=before.manner.most_in_flight if self.most_in_flight is None else self.most_in_flight,
                attempts=before.manner.attempts if self.attempts is None else self.attempts,
            ),
            **self.others,
            sending=before.sending.with_changes(self.sending),
        )


class Subscriptions:
    """Adding, reading and deleting subscriptions."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        ids: Ids,
        entropy: Entropy,
        check_url: Callable[[str], None],
        changed: Bell,
        check_means: Callable[[Sending], None] = lambda _: None,
        needs_proof: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """Take what there is to work with.

        Args:
            store: The database.
            clock: Our clock.
            ids: For the subscription's id.
            entropy: For its secret.
            check_url: Raises InvalidRequestError for a URL to which nothing may be posted.
            changed: Rung when a subscription came or went.
            needs_proof: Whether a URL must be proved to belong to who asks.
            check_means: Raises InvalidRequestError for a way of telling that we lack the means for.
        """
        self._store = store
        self._clock = clock
        self._ids = ids
        self._entropy = entropy
        self._check_url = check_url
        self._changed = changed
        self._check_means = check_means
        self._needs_proof = needs_proof

    async def add(self, request: SubscriptionRequest) -> Subscription:
        """Make a subscription with a secret of its own.

        Raises:
            InvalidRequestError: The URL, the filter or the place to begin cannot be.
            StorageError: The database is away.
        """
        if request.url:
            self._check_url(request.url)
        await self._check_key(request.key_id)
        check_filter(request.entry_filter)
        _check_description(request.description)
        request.manner.check()
        _check_completion(request.completion)
        start = await self._start(request.from_sequence)
        self._check_sending(request.sending)
        check_fits(request.sending, request.url)
        subscription = Subscription(
            id=self._ids.ordered(),
            url=request.url,
            entry_filter=request.entry_filter,
            secret=self._secret(),
            description=request.description,
            include_private=request.include_private,
            cursor=start,
            created_at=self._clock.now(),
            manner=request.manner,
            polling=request.polling,
            key_id=request.key_id,
            completion=request.completion and replace(request.completion, after=start),
            sending=request.sending,
            state=SubscriptionState.PENDING if self._needs_proof(request.url) else SubscriptionState.ACTIVE,
        )
        await self._store.add_subscription(subscription)
        self._changed.ring()
        return subscription

    async def _check_key(self, key_id: str | None) -> None:
        if key_id is not None and await self._store.get_api_key(key_id) is None:
            raise InvalidRequestError("key_id names no API key; `tracker keys list` shows those that there are.")

    def _check_sending(self, sending: Sending) -> None:
        check_sending(sending)
        if sending.credentials is not None:
            self._check_url(sending.credentials.token_url)
        self._check_means(sending)

    def _secret(self) -> str:
        return "whsec_" + b64encode(self._entropy.token(_SECRET_BYTES)).decode()

    async def _start(self, from_sequence: int | None) -> int:
        head = await self._store.head()
        if from_sequence is None:
            return head
        if not 1 <= from_sequence <= head + 1:
            raise InvalidRequestError(f"from_sequence is from 1 to {head + 1}, the entry after the last one.")
        return from_sequence - 1

    async def list(self) -> list[Subscription]:
        """All of them, in order of id."""
        return await self._store.subscriptions()

    async def get(self, subscription_id: str) -> Subscription:
        """One of them.

        Raises:
            SubscriptionNotFoundError: There is none of this id.
        """
        subscription = await self._store.get_subscription(subscription_id)
        if subscription is None:
            raise SubscriptionNotFoundError
        return subscription

    async def change(
        self, subscription_id: str, changes: SubscriptionChanges, check: Callable[[int], None]
    ) -> Subscription:
        """Change the terms of one. With another URL it begins with a clean slate, also if it was disabled.

        Args:
            subscription_id: Which one.
            changes: What is to be other.
            check: Raises if it must not be done at this version.

        Raises:
            InvalidRequestError: The URL, the filter or a number cannot be.
            SubscriptionNotFoundError: There is none of this id.
            SubscriptionPolledError: A URL is given to one that is polled.
            SubscriptionNotPolledError: How it is polled is said of one that has a URL.
        """
        if changes.url is not None:
            self._check_url(changes.url)
        _check_description(changes.description or "")
        await self._check_key(changes.others.get("key_id"))
        if (completion := changes.others.get("completion")) is not None:
            _check_completion(completion)
            placed = replace(completion, after=await self._store.head())
            changes = replace(changes, others={**changes.others, "completion": placed})

        def with_changes(before: Subscription) -> Subscription:
            if changes.url is not None and before.is_polled:
                raise SubscriptionPolledError
            if "polling" in changes.others and not before.is_polled:
                raise SubscriptionNotPolledError
            after = changes.on(before)
            check_fits(after.sending, after.url)
            check_secrets_stay(before.sending, before.url, after.url, changes.sending)
            check_filter(after.entry_filter)
            after.manner.check()
            if changes.sending:
                self._check_sending(after.sending)
            return moved(after, is_proved=not self._needs_proof(after.url)) if after.url != before.url else after

        return await self._alter(subscription_id, with_changes, check)

    async def pause(self, subscription_id: str, check: Callable[[int], None]) -> Subscription:
        """Send nothing until it is resumed; its place in the journal is kept. What is under way may still arrive.

        Raises:
            SubscriptionNotFoundError: There is none of this id.
        """
        now = self._clock.now()
        return await self._alter(
            subscription_id, lambda before: before if before.paused_at else replace(before, paused_at=now), check
        )

    async def resume(self, subscription_id: str, check: Callable[[int], None]) -> Subscription:
        """Go on where it stands: one that was paused, disabled, or waits for its endpoint.

        Raises:
            SubscriptionNotFoundError: There is none of this id.
        """
        return await self._alter(subscription_id, resumed, check, is_anew=True)

    async def rotate_secret(
        self, subscription_id: str, overlap: timedelta, check: Callable[[int], None]
    ) -> Subscription:
        """Give it another secret; the one before signs beside it for so long.

        Raises:
            SubscriptionNotFoundError: There is none of this id.
            SubscriptionPolledError: Nothing is signed with a secret.
        """
        now, secret = self._clock.now(), self._secret()

        def rotated(before: Subscription) -> Subscription:
            if before.is_polled:
                raise SubscriptionPolledError
            return with_new_secret(before, secret, now, overlap)

        return await self._alter(subscription_id, rotated, check)

    async def _alter(
        self,
        subscription_id: str,
        altered: Callable[[Subscription], Subscription],
        check: Callable[[int], None],
        *,
        is_anew: bool = False,
    ) -> Subscription:
        """Write what becomes of one; if somebody else was quicker, what becomes of that."""
        while True:
            before = await self.get(subscription_id)
            check(before.version)
            after = altered(before)
            if after == before:
                return before
            if (after.completion, after.entry_filter) != (before.completion, before.entry_filter):
                await find_due(self._store, before)  # what was asked for until now stays so
            begins_anew = is_anew or after.url != before.url
            if await self._store.change_subscription(after, before.version, is_anew=begins_anew):
                self._changed.ring()
                return await self.get(subscription_id)

    async def undelivered(
        self, subscription_id: str, after: int, limit: int
    ) -> Sequence[tuple[Undelivered, Entry | None]]:
        """What one was not told behind a sequence, with the entries themselves, as far as the journal still has them.

        Raises:
            SubscriptionNotFoundError: There is none of this id.
        """
        await self.get(subscription_id)
        found = await self._store.undelivered(subscription_id, after, limit)
        entries = await self._store.entries_at([one.sequence for one in found])
        return [(one, entries.get(one.sequence)) for one in found]

    async def delete(self, subscription_id: str) -> None:
        """Forget one. A post under way may still arrive.

        Raises:
            SubscriptionNotFoundError: There is none of this id.
        """
        if not await self._store.delete_subscription(subscription_id):
            raise SubscriptionNotFoundError
        self._changed.ring()


def _check_description(description: str) -> None:
    if len(description) > LONGEST_DESCRIPTION:
        raise InvalidRequestError(f"A description has at most {LONGEST_DESCRIPTION} characters.")


def _check_completion(terms: CompletionTerms | None) -> None:
    if terms is None:
        return
    check_filter(EntryFilter(types=terms.types, to=terms.to))
    if not 1 <= len(set(terms.work)) == len(terms.work) <= MOST_WORK:
        raise InvalidRequestError(f"A completion names 1 to {MOST_WORK} pieces of work, each once.")
    for word in terms.work:
        if not re.fullmatch(WORK_PATTERN, word):
            raise InvalidRequestError(
                f"{word[:80]!r} is no word for work: those have a-z, 0-9 and _, such as data_deleted."
            )
    if not SHORTEST_WITHIN <= terms.within <= LONGEST_WITHIN:
        raise InvalidRequestError(f"Work is due within 1 minute to {LONGEST_WITHIN.days} days.")


def check_filter(entry_filter: EntryFilter) -> None:
    """Refuse a filter that nothing can be meant by.

    Raises:
        InvalidRequestError: It is none.
    """
    if not entry_filter.types:
        raise InvalidRequestError('types must name at least one pattern; ["*"] is everything.')
    if max(len(part) for part in (entry_filter.types, *_members(entry_filter))) > MOST_PATTERNS:
        raise InvalidRequestError(f"types and each part of filter have at most {MOST_PATTERNS} items.")
    for pattern in entry_filter.types:
        if not re.fullmatch(TYPE_PATTERN, pattern):
            raise InvalidRequestError(
                f"{pattern[:80]!r} is no pattern of entry types: write an exact type, a prefix such as consent.*, or *."
            )
    providers, kinds, statuses = _members(entry_filter)
    for provider in providers:
        if not is_provider_id(provider):
            raise InvalidRequestError(f"{provider[:80]!r} is no provider id: those have a-z, 0-9 and - only.")
    for kind in kinds:
        if not _KIND.fullmatch(kind):
            raise InvalidRequestError(f"{kind[:80]!r} is no kind of consent.")
    for status in statuses:
        if status not in _STATUSES:
            raise InvalidRequestError(f"{status[:80]!r} is no status: there are {', '.join(sorted(_STATUSES))}.")


def _members(entry_filter: EntryFilter) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    return entry_filter.provider, entry_filter.kind, entry_filter.to


_STATUSES = frozenset(status.value for status in Status)
