"""What proves the journal to others: keys, checkpoints, proofs, and the tree itself."""

from aiohttp import hdrs, web

from tracker.domain.checkpoint_errors import CheckpointNotFoundError
from tracker.journal.checkpoint import NoteError
from tracker.journal.tiles import Tile
from tracker.ports.checkpoints import StoredCheckpoint
from tracker.usecases.proofs import Proofs
from tracker.web.api.operation import Operation, answer, body_of, query_of
from tracker.web.api.shapes.audit import (
    AuditKeysOut,
    CheckpointKeyOut,
    CheckpointOut,
    CheckpointQuery,
    CosignaturesIn,
    ProofOut,
    ProofQuery,
    TileOut,
    TileQuery,
)
from tracker.web.problems import Problem
from tracker.web.services import Services

_SCOPE = "audit"
_TEXT = "text/plain"
_HASH_BYTES = 32
_HIGHEST = 7  # of 256^8 entries there is no number


async def keys(_: web.Request, services: Services) -> web.Response:
    """Show the keys that sign checkpoints, or did."""
    checkpoints = services.auditing.checkpoints
    history = {one.vkey: one for one in await checkpoints.keys()}
    now = checkpoints.vkeys
    shown = []
    for vkey in (*now, *(vkey for vkey in history if vkey not in now)):
        past = history.get(vkey)
        shown.append(
            CheckpointKeyOut(
                vkey=vkey,
                state="active" if vkey in now else "retired",
                first_size=past and past.first_size,
                since=past and past.first_at,
                last_size=past and past.last_size,
                until=past and past.last_at,
            )
        )
    return answer(AuditKeysOut(origin=checkpoints.origin, keys=tuple(shown)))


async def checkpoint(request: web.Request, services: Services) -> web.Response:
    """Show the latest checkpoint, or that of a size."""
    size = query_of(request, CheckpointQuery).size
    checkpoints = services.auditing.checkpoints
    found = await checkpoints.latest() if size is None else await checkpoints.at(size)
    if found is None:
        raise CheckpointNotFoundError
    return _shown(request, found)


async def sign(request: web.Request, services: Services) -> web.Response:
    """Sign what there is now."""
    return _shown(request, await services.auditing.checkpoints.require_head())


async def cosign(request: web.Request, services: Services) -> web.Response:
    """Keep what witnesses say of a checkpoint."""
    body = await body_of(request, CosignaturesIn)
    try:
        kept = await services.auditing.witnessing.keep(body.note)
    except NoteError as error:
        raise Problem("invalid_request", str(error)) from error
    return _shown(request, kept)


async def proof(request: web.Request, services: Services) -> web.Response:
    """Prove that an entry is in the journal, or that the journal only grew."""
    query = query_of(request, ProofQuery)
    if query.sequence is not None and query.from_size is not None:
        raise Problem("invalid_request", "Give either sequence or from_size.")
    proofs = services.auditing.proofs
    size = await _size(query, services)
    if query.from_size is not None:
        return answer(await _consistency(proofs, query.from_size, size))
    return answer(await _inclusion(proofs, size if query.sequence is None else query.sequence, size))


async def _inclusion(proofs: Proofs, sequence: int, size: int) -> ProofOut:
    if not 1 <= sequence <= size:
        raise Problem("invalid_request", f"There is no entry {sequence} among the first {size}.")
    path = (await proofs.inclusions([sequence], size))[sequence]
    return ProofOut(
        kind="inclusion",
        size=size,
        root=(await proofs.root(size)).hex(),
        hashes=tuple(one.hex() for one in path),
        index=sequence - 1,
        leaf_hash=(await proofs.leaf(sequence)).hex(),
        from_size=None,
        from_root=None,
    )


async def _consistency(proofs: Proofs, older: int, size: int) -> ProofOut:
    if older > size:
        raise Problem("invalid_request", f"There are not {older} entries among the first {size}.")
    path = await proofs.consistency(older, size)
    return ProofOut(
        kind="consistency",
        size=size,
        root=(await proofs.root(size)).hex(),
        hashes=tuple(one.hex() for one in path),
        index=None,
        leaf_hash=None,
        from_size=older,
        from_root=(await proofs.root(older)).hex(),
    )


async def tile(request: web.Request, services: Services) -> web.Response:
    """Show a part of the tree."""
    query = query_of(request, TileQuery)
    wanted = Tile(query.level, query.position)
    hashes = (await services.store.tiles([wanted])).get(wanted) if query.level <= _HIGHEST else None
    if hashes is None:
        raise Problem("invalid_request", "The tree does not reach so far.")
    texts = tuple(hashes[at : at + _HASH_BYTES].hex() for at in range(0, len(hashes), _HASH_BYTES))
    return answer(TileOut(level=query.level, position=query.position, hashes=texts))


async def _size(query: ProofQuery, services: Services) -> int:
    """How many entries the proof is to be about."""
    proofs = services.auditing.proofs
    if query.size is None:
        latest = await services.auditing.checkpoints.latest()
        return latest.size if latest is not None else await proofs.extend()
    reaches = await proofs.size()
    if query.size > reaches:
        reaches = await proofs.extend()
    if query.size > reaches:
        raise Problem("invalid_request", f"There are {reaches} entries.")
    return query.size


def _shown(request: web.Request, found: StoredCheckpoint) -> web.Response:
    """As JSON, or as the note itself for whoever asks for text."""
    if found.note is not None and request.headers.get(hdrs.ACCEPT, "").strip().lower().startswith(_TEXT):
        return web.Response(text=found.note, content_type=_TEXT, charset="utf-8")
    return answer(CheckpointOut.of(found))


_AS_TEXT = "With `Accept: text/plain` the answer is the note itself."

OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/audit/key",
        scope=_SCOPE,
        summary="Get the keys that sign checkpoints",
        description=(
            "Every key that signs or ever signed, as VKEY. Auditors should have it by another way than from whom they audit: "
            "this is for comparing, and for seeing when a key came and went."
        ),
        handle=keys,
        answers={200: AuditKeysOut},
    ),
    Operation(
        method="GET",
        path="/v1/audit/checkpoint",
        scope=_SCOPE,
        summary="Get a checkpoint",
        description=f"The latest, or that over the first `size` entries, if there is one. {_AS_TEXT}",
        handle=checkpoint,
        query=CheckpointQuery,
        answers={200: CheckpointOut},
        also_text=True,
        problems=("checkpoint_not_found",),
    ),
    Operation(
        method="POST",
        path="/v1/audit/checkpoint",
        scope=_SCOPE,
        summary="Sign a checkpoint now",
        description=(
            "Over all entries that there are; the one that is there, if there are no new ones. Only after it is proven that the "
            f"journal begins with the last one: otherwise `journal_forked`, and nothing is ever signed. {_AS_TEXT}"
        ),
        handle=sign,
        answers={200: CheckpointOut},
        also_text=True,
        problems=("not_signed", "journal_forked"),
    ),
    Operation(
        method="POST",
        path="/v1/audit/checkpoint/cosignatures",
        scope=_SCOPE,
        summary="Keep witnesses' signatures",
        description=(
            "Send a checkpoint of ours with cosignatures (C2SP `cosignature/v1`, Ed25519) by the `witnesses` of the "
            "configuration. They are checked and shown under it from then on; of each witness the latest is kept."
        ),
        handle=cosign,
        body=CosignaturesIn,
        answers={200: CheckpointOut},
        also_text=True,
        problems=("checkpoint_not_found", "cosignature_refused"),
    ),
    Operation(
        method="GET",
        path="/v1/audit/proof",
        scope=_SCOPE,
        summary="Prove something of the journal",
        description=(
            "With `sequence`: that this entry is in the journal. With `from_size`: that the journal begins with an older one. "
            "The proof is that of RFC 6962, against the root over the first `size` entries: compare that with a checkpoint that "
            "you trust, and the leaf hash with the entry that you have."
        ),
        handle=proof,
        query=ProofQuery,
        answers={200: ProofOut},
    ),
    Operation(
        method="GET",
        path="/v1/audit/tile",
        scope=_SCOPE,
        summary="Read the tree itself",
        description=(
            "A tile of the tree, as C2SP tlog-tiles has it: from these all proofs can be made. A full one never changes."
        ),
        handle=tile,
        query=TileQuery,
        answers={200: TileOut},
    ),
)
