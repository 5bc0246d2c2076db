"""Holders' tokens and keys in the database: all that is written to and read from `evidence` and `holder_key`.

A token and a key are written once, by whoever has them first, and never changed: `known_ones_stay`.
"""

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Row, select

from tracker.adapters.store.at_hand import at_hand, with_their_keys
from tracker.adapters.store.columns import json_text
from tracker.adapters.store.completion_tables import completion
from tracker.adapters.store.completions import to_work
from tracker.adapters.store.key_tables import NO_CONSENT
from tracker.adapters.store.many import insert_rows
from tracker.adapters.store.rows.reading import Values, consistent, sorted_out
from tracker.adapters.store.sealed import token_place
from tracker.adapters.store.subscription_tables import dead_letter, parked, subscription
from tracker.adapters.store.tables import evidence, holder_key
from tracker.domain.completion import Work
from tracker.domain.consent import ProviderId
from tracker.journal.instant import parse_rfc3339, rfc3339
from tracker.ports import Aftermath, Evidence, KeptKey, KeptToken, KeyOrigin, Untold, Verification

T = TypeVar("T")
N = TypeVar("N", str, int)

_AT_ONCE = 500
"""So many names in one statement: databases have a limit."""


class _Database(Protocol):
    async def read(self, work: Callable[[Connection], T]) -> T: ...


def write(connection: Connection, tokens: Sequence[Values], proofs: Iterable[Evidence]) -> None:
    """Keep tokens, given as rows that are sealed, and the keys that verified them."""
    insert_rows(connection, evidence, tokens, known_ones_stay=True)
    keys = {(proof.provider, proof.token.jwk_thumbprint): _key_values(proof) for proof in proofs}
    insert_rows(connection, holder_key, list(keys.values()), known_ones_stay=True)


class SqlEvidence:
    """Implements `ports.EvidenceBook`."""

    def __init__(self, database: _Database) -> None:
        self._database = database

    async def tokens(self, digests: Collection[str]) -> list[KeptToken]:
        """Read tokens, in the order of receipt."""

        def read(connection: Connection) -> list[KeptToken]:
            kept = (
                to_token(row)
                for some in _pieces(digests)
                for row in with_their_keys(connection.execute(select(evidence).where(evidence.c.jws_sha256.in_(some))))
            )
            found = [token for token in kept if token is not None]
            return sorted(found, key=lambda one: (one.received_at, one.jws_sha256))

        return await self._database.read(read)

    async def keys(self, provider: ProviderId, thumbprints: Collection[str]) -> list[KeptKey]:
        """Read a provider's keys."""
        query = select(holder_key).where(holder_key.c.provider == provider).order_by(holder_key.c.jwk_thumbprint)
        return await self._database.read(
            lambda connection: [
                _to_key(row)
                for some in _pieces(thumbprints)
                for row in connection.execute(query.where(holder_key.c.jwk_thumbprint.in_(some)))
            ]
        )

    async def aftermath(self, sequences: Collection[int]) -> Aftermath:
        """Read what came of telling entries."""

        def read(connection: Connection) -> Aftermath:
            untold: list[Untold] = []
            work: list[Work] = []
            # By subscription, which the keys of all three tables begin with.
            for subscription_id in connection.execute(select(subscription.c.id).order_by(subscription.c.id)).scalars():
                for some in _pieces(sequences):
                    untold += _untold(connection, subscription_id, some)
                    mine = completion.c.subscription_id == subscription_id, completion.c.sequence.in_(some)
                    in_order = select(completion).where(*mine).order_by(completion.c.sequence, completion.c.work)
                    work += sorted_out(connection.execute(in_order), to_work)[0]
            return Aftermath(untold, work)

        return await self._database.read(read)


def _pieces(names: Collection[N]) -> Iterable[list[N]]:
    ordered = sorted(set(names))
    return (ordered[at : at + _AT_ONCE] for at in range(0, len(ordered), _AT_ONCE))


def _untold(connection: Connection, subscription_id: str, sequences: Collection[int]) -> list[Untold]:
    found: list[Untold] = []
    for table in (parked, dead_letter):
        query = select(table).where(table.c.subscription_id == subscription_id, table.c.sequence.in_(sequences))
        found += [
            Untold(
                subscription_id=subscription_id,
                sequence=row.sequence,
                attempts=row.attempts,
                given_up_at=row.given_up_at if table is dead_letter else None,
            )
            for row in connection.execute(query.order_by(table.c.sequence))
        ]
    return found


# ---------------------------------------------------------------------------------------------- rows


def token_values(proof: Evidence, consent_id: str | None) -> Values:
    """The row of a signed token, not sealed yet; and about which consent it is."""
    token = proof.token
    return {
        "jws_sha256": proof.jws_sha256,
        "jwe_sha256": proof.jwe_sha256,
        "provider": proof.provider,
        "jws": token.jws,
        "kid": token.kid,
        "jwk_thumbprint": token.jwk_thumbprint,
        "received_at": proof.received_at,
        "key_fetched_at": token.origin.fetched_at,
        "verification": None
        if token.verification is None
        else _verification_text(token.verification, proof.received_at),
        "consent_id": consent_id or NO_CONSENT,
    }


def _verification_text(done: Verification, received_at: datetime) -> str:
    at = None if done.at == received_at else rfc3339(done.at)
    return _written(at, done.alg, done.issuer, done.audience, done.checks)


@lru_cache(maxsize=256)  # of events, all of a provider's are alike
def _written(at: str | None, alg: str, issuer: str, audience: tuple[str, ...], checks: tuple[str, ...]) -> str:
    return json_text({"at": at, "alg": alg, "iss": issuer, "aud": audience, "checks": checks})


def _key_values(proof: Evidence) -> Values:
    token = proof.token
    return {
        "provider": proof.provider,
        "jwk_thumbprint": token.jwk_thumbprint,
        "kid": token.kid,
        "jwk": dict(token.jwk),
        "jwks_uri": token.jwks_uri,
        "first_seen_at": proof.received_at,
        "fetched_at": token.origin.fetched_at,
        "x5c": list(token.origin.x5c) or None,
        "tls_chain": list(token.origin.tls_chain) or None,
    }


@consistent("evidence", "jws_sha256")
def to_jws(row: Row[Any]) -> bytes | None:
    """The signed token of a row of `evidence`, as it was received; None where its key is no more."""
    if row.consent_id is None:  # of an older version, and not encrypted yet
        return bytes(row.jws)
    return at_hand().opened((row.provider, row.consent_id), bytes(row.jws), token_place(row.jws_sha256))


@consistent("evidence", "jws_sha256")
def to_token(row: Row[Any]) -> KeptToken | None:
    """A row of `evidence`; None where its key is no more."""
    jws = to_jws(row)
    if jws is None:
        return None
    return KeptToken(
        jws_sha256=row.jws_sha256,
        jwe_sha256=row.jwe_sha256,
        jws=jws,
        kid=row.kid,
        jwk_thumbprint=row.jwk_thumbprint,
        received_at=row.received_at,
        key_fetched_at=row.key_fetched_at,
        verification=None if row.verification is None else _to_verification(row.verification, row.received_at),
    )


def _to_verification(text: str, received_at: datetime) -> Verification:
    kept = json.loads(text)
    return Verification(
        at=received_at if kept["at"] is None else parse_rfc3339(kept["at"]),
        alg=kept["alg"],
        issuer=kept["iss"],
        audience=tuple(kept["aud"]),
        checks=tuple(kept["checks"]),
    )


@consistent("holder_key", "jwk_thumbprint")
def _to_key(row: Row[Any]) -> KeptKey:
    origin = KeyOrigin(fetched_at=row.fetched_at, x5c=tuple(row.x5c or ()), tls_chain=tuple(row.tls_chain or ()))
    return KeptKey(
        kid=row.kid,
        jwk_thumbprint=row.jwk_thumbprint,
        jwk=row.jwk,
        jwks_uri=row.jwks_uri,
        first_seen_at=row.first_seen_at,
        origin=origin,
    )
