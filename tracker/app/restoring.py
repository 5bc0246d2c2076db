"""Going on after a restore, with what the configuration has for it."""

from collections.abc import Sequence

from tracker.app.composition import Tracker
from tracker.app.key_making import public_keys
from tracker.domain.errors import InvalidRequestError
from tracker.journal.checkpoint import NoteError
from tracker.journal.entry import Entry
from tracker.journal.published import Published
from tracker.usecases.after_restore import AfterRestore
from tracker.usecases.proofs import Proofs


async def jump_after_restore(
    tracker: Tracker, *, published: Published, vkeys: Sequence[str], margin: int | None, again: bool
) -> Entry:
    """Jump past what a published checkpoint is of, and give the entry that says so; see `AfterRestore.jump`.

    Raises:
        InvalidRequestError: A key is none, or there is none.
        TrackerError: As there.
    """
    own = public_keys(tracker.settings).get("checkpoint_vkey")
    trusted = list(vkeys) or ([own] if own else [])
    if not trusted:
        raise InvalidRequestError(
            "Name the key that signed the checkpoint with --key: there is no [audit] checkpoint_key."
        )
    store, world = tracker.store, tracker.world
    deed = AfterRestore(store.restored, Proofs(store), world.clock, world.ids)
    try:
        return await deed.jump(published, trusted, margin=margin, again=again)
    except NoteError as error:
        raise InvalidRequestError(f"One --key is no VKEY: {error}") from error
