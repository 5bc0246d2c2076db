"""Write one record for each consent, in the order of their tracking ids."""

import asyncio
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from typing import Final

from tracker.domain.consent import TrackingId
from tracker.domain.errors import TrackerError
from tracker.domain.tracked import TrackedConsent
from tracker.journal.blocks import Blocks
from tracker.journal.consent_record import RECORDS_NAME, RecordFacts, consent_record, record_line
from tracker.journal.entry import Entry
from tracker.journal.folder import ExportFolder
from tracker.journal.selection import Part
from tracker.ports import ConsentQuery, Store
from tracker.usecases.providers import Providers

_PAGE: Final = 200
_ANY_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""No status is asked for: so it does not matter what time it is."""


class ConsentRecords:
    """Makes consent records: their events end where the export does, the rest is as it stands when it is written."""

    def __init__(self, store: Store, providers: Providers) -> None:
        self._store = store
        self._providers = providers

    async def write(self, folder: ExportFolder, part: Part, progress: Callable[[int, int], object]) -> tuple[int, str]:
        """Write what is chosen, or go on; how many there are and the file's name.

        Raises:
            ExportError: They cannot be written.
            StorageError: They cannot be read.
        """
        after: str = folder.state.get("after", "")
        count: int = folder.state.get("count", 0)
        looked: int = folder.state.get("looked", 0)
        total = await self._store.count_consents()
        with closing(await asyncio.to_thread(Blocks, folder, RECORDS_NAME, is_packed=True)) as blocks:
            while page := await self._page(part, after):
                for consent in page:
                    after, looked = consent.tracking_id, looked + 1
                    if not _is_chosen(part, consent):
                        continue
                    entries = await self._store.entries_of(consent.tracking_id)
                    count += 1
                    blocks.put([self._line(consent, [one for one in entries if one.sequence <= part.last])])
                    if blocks.is_full:
                        blocks.cut({"after": after, "count": count, "looked": looked})
                progress(min(looked, total), total)
            blocks.cut({"after": after, "count": count, "looked": looked})
            await asyncio.to_thread(blocks.finish)
        return count, RECORDS_NAME

    async def _page(self, part: Part, after: str) -> list[TrackedConsent]:
        """The next consents. Those that are named are looked up one by one: they may be of an old `user_ref`."""
        chosen = part.selection
        if chosen.tracking_ids is None:
            query = ConsentQuery(provider=chosen.provider, kind=chosen.kind, after=after or None, limit=_PAGE)
            return await self._store.search(query, _ANY_TIME)
        ids = [one for one in chosen.tracking_ids if one > after][:_PAGE]
        found = [await self._store.get_consent(TrackingId(one)) for one in ids]
        return [one for one in found if one is not None]

    def _line(self, consent: TrackedConsent, entries: list[Entry]) -> bytes:
        provider = self._providers.get(consent.provider)
        facts = RecordFacts(
            tracking_id=consent.tracking_id,
            provider=consent.provider,
            issuer=None if provider is None else provider.issuer,
            consent_id=consent.consent_id,
            client_id=consent.client_id,
            profile=consent.profile,
            kind=consent.kind,
            user_ref=consent.user_ref,
            permissions=consent.permissions,
            terms=consent.terms,
            expires_at=self._expiry(consent),
            base_consent_id=consent.base_consent_id,
        )
        return record_line(consent_record(facts, entries))

    def _expiry(self, consent: TrackedConsent) -> datetime | None:
        try:
            rules = self._providers.kind_of(consent).rules
        except TrackerError:  # the configuration does not have its provider any more, or its profile not the kind
            return consent.registered_expiry
        return consent.decision(rules).expiration_date_time


def _is_chosen(part: Part, consent: TrackedConsent) -> bool:
    chosen = part.selection
    return chosen.provider in {None, consent.provider} and chosen.kind in {None, consent.kind}
