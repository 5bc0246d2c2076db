"""A pack made by hand, entry by entry, with tokens that the holder's key really signed; and ways to spoil it."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from tests import tokens
from tests.journal.drafts import JOURNAL_ID, ORIGIN, START, Signer, a_draft, sealed, uuid
from tests.usecases.bench import data, message
from tracker.journal import tree
from tracker.journal.canonical import canonical
from tracker.journal.checkpoint import Checkpoint, assemble
from tracker.journal.entry import Draft, Entry, Evidence
from tracker.journal.holder_key import thumbprint
from tracker.journal.pack import SEAL, pack_bytes
from tracker.journal.verify import Answer
from tracker.journal.verify_pack import Anchors, PackVerdict, verify_pack

CONSENT = "5b0e7c1a-2f34-4b9d-8a66-0d1f5c9e7a10"
TRACKING_ID = uuid(100)
TIMES = ("2026-03-02T11:13:19Z", "2026-03-02T11:13:23Z", "2026-03-02T11:13:25Z")

Said = dict[str, Any]


@cache
def hub_thumbprint(name: str = "hub") -> str:
    found = thumbprint(tokens.public_jwk(tokens.rsa_key(name)))
    assert found is not None
    return found


def claims(status: str, at: str, consent_id: str = CONSENT, **changes: Any) -> dict[str, Any]:
    begins = int(START.timestamp())
    said = message(data(status, at, ConsentId=consent_id), at=at, ConsentId=consent_id)
    return tokens.claims(**{"iat": begins, "nbf": begins - 60, "exp": begins + 600, "message": said, **changes})


@dataclass
class Story:
    """What becomes a pack: drafts about one consent with their tokens, among those of others."""

    key: str = "hub"
    kid: str = tokens.HUB_KID
    kept: list[bytes] = field(default_factory=list)

    def token(self, status: str, at: str, **changes: Any) -> Evidence:
        jws = tokens.jws(claims(status, at, **changes), key=tokens.rsa_key(self.key), kid=self.kid)
        self.kept.append(jws)
        return Evidence(
            channel="webhook",
            signed=True,
            jws_sha256=hashlib.sha256(jws).hexdigest(),
            jwe_sha256="0" * 64,
            kid=self.kid,
            jwk_thumbprint=hub_thumbprint(self.key),
        )

    def drafts(self) -> list[Draft]:
        """Registered, authorized, suspended, revoked; in between and after, others."""
        steps = ("Authorized", "Suspended", "Revoked")
        terms = {"terms": {"Permissions": ["ReadBalances"], "Amount": 12.5, "Purpose": "Haushalt für Zoë"}}
        own = [
            a_draft(
                id=uuid(1),
                type="consent.registered",
                consent_id=CONSENT,
                channel=None,
                evidence=(),
                status_date_time=None,
                received_at=None,
                revoked_by=None,
                from_status=None,
                to_status="NotStaged",
                private={"user_ref": "customer-42"} | terms,
                private_salt=b"s" * 32,
            )
        ]
        before = "NotStaged"
        for number, (status, at) in enumerate(zip(steps, TIMES), start=2):
            own.append(
                a_draft(
                    id=uuid(number),
                    consent_id=CONSENT,
                    from_status=before,
                    to_status=status,
                    status_date_time=datetime.fromisoformat(at),
                    evidence=(self.token(status, at),),
                    usable=status == "Authorized",
                    revoked_by=None,
                )
            )
            before = status
        others = [
            a_draft(id=uuid(50 + n), tracking_id=uuid(200 + n), consent_id=f"other-{n}", evidence=(), channel="clock")
            for n in range(8)
        ]
        return [others[0], own[0], *others[1:3], own[1], own[2], *others[3:6], own[3], *others[6:]]


def pack_of(entries: Sequence[Entry], kept: Sequence[bytes], key: str = "hub", kid: str = tokens.HUB_KID) -> Said:
    """What stands under `pack`, unsigned."""
    leaves = [entry.leaf_hash for entry in entries]
    mine = [entry for entry in entries if entry.tracking_id == TRACKING_ID]
    received = "2026-03-02T11:13:20.000000Z"
    return {
        "journal_id": JOURNAL_ID,
        "origin": ORIGIN,
        "made_at": "2026-03-02T12:00:00.000000Z",
        "left_out": [],
        "consent": {
            "tracking_id": TRACKING_ID,
            "provider": "demobank",
            "consent_id": CONSENT,
            "kind": "account-access",
            "profile": "uae-v2.1",
            "issuer": tokens.ISSUER,
            "client_id": tokens.CLIENT_ID,
        },
        "tree": {
            "size": len(leaves),
            "root_hash": tree.root(leaves).hex(),
            "checkpoint": None,
            "consistency": [
                {
                    "size": 5,
                    "root_hash": tree.root(leaves[:5]).hex(),
                    "proof": [node.hex() for node in tree.consistency_proof(leaves, 5)],
                }
            ],
        },
        "entries": [
            {
                "entry": dict(entry.leaf),
                "leaf_hash": entry.leaf_hash.hex(),
                "private": None if entry.private is None else dict(entry.private),
                "private_salt": None if entry.private_salt is None else tokens.b64(entry.private_salt),
                "proof": [node.hex() for node in tree.inclusion_proof(leaves, entry.sequence - 1)],
            }
            for entry in mine
        ],
        "tokens": [
            {
                "jws_sha256": hashlib.sha256(jws).hexdigest(),
                "jwe_sha256": "0" * 64,
                "jws": jws.decode(),
                "kid": kid,
                "jwk_thumbprint": hub_thumbprint(key),
                "received_at": received,
                "key_fetched_at": received,
                "verification": {
                    "at": received,
                    "alg": "PS256",
                    "iss": tokens.ISSUER,
                    "aud": [tokens.CLIENT_ID],
                    "checks": ["signature", "iss", "aud", "exp", "nbf"],
                },
            }
            for jws in kept
        ],
        "unsigned_answers": [],
        "keys": [
            {
                "kid": kid,
                "jwk_thumbprint": hub_thumbprint(key),
                "jwk": tokens.public_jwk(tokens.rsa_key(key), kid=kid, use="sig"),
                "jwks_uri": tokens.JWKS_URI,
                "x5c": ["AAAA"],
                "tls_chain_sha256": ["1" * 64],
                "fetched_at": received,
                "first_seen_at": received,
            }
        ]
        if kept
        else [],
        "terms": {"authorized_by": 5, "stated_by": 2, "data": dict(mine[0].private or {})["terms"]},
        "told": [
            {
                "subscription_id": uuid(9),
                "description": "CRM",
                "address": "https://crm.example",
                "created_at": "2026-03-01T00:00:00.000000Z",
                "last_answered_at": "2026-03-02T11:14:00.000000Z",
                "entries": [{"sequence": 5, "state": "settled", "attempts": None, "given_up_at": None}],
                "work": [
                    {
                        "sequence": 10,
                        "work": "data_deleted",
                        "due_at": "2026-03-05T11:14:00.000000Z",
                        "reported_at": None,
                        "done_at": None,
                        "evidence_url": None,
                    }
                ],
            }
        ],
        "access": [{"at": "2026-03-02T11:40:00.000000Z", "who": "key crm", "what": "read"}],
    }


def signed(said: Said, signer: Signer) -> Said:
    """The same with a checkpoint."""
    checkpoint = Checkpoint(said["origin"], said["tree"]["size"], bytes.fromhex(said["tree"]["root_hash"]))
    return said | {"tree": said["tree"] | {"checkpoint": signer.note(checkpoint)}}


def sealing(signer: Signer) -> Callable[[str], str]:
    def sign(text: str) -> str:
        assert text.startswith(f"{ORIGIN}{SEAL}\n")
        return signed_by(signer, text)

    return sign


def signed_by(signer: Signer, text: str) -> str:
    return assemble(text, signer.name, signer.public_key, signer.sign(text.encode()))


def a_pack(signer: Signer, key: str = "hub", kid: str = tokens.HUB_KID) -> bytes:
    """A whole pack."""
    story = Story(key, kid)
    return pack_bytes(signed(pack_of(sealed(story.drafts()), story.kept, key, kid), signer), sealing(signer))


def said_in(pack: bytes) -> Said:
    said: Said = json.loads(pack)["pack"]
    return said


def written(said: Said, pack: bytes) -> bytes:
    """The pack with other contents, its digest mended, and the seal of before."""
    file = json.loads(pack) | {"pack": said, "sha256": hashlib.sha256(canonical(said)).hexdigest()}
    return canonical(file) + b"\n"


def resigned(said: Said, signer: Signer) -> bytes:
    """The pack with other contents, its tree signed and it sealed by somebody's key."""
    return pack_bytes(signed(said, signer), sealing(signer))


def refused(verdict: PackVerdict, *words: str) -> None:
    """Require that a pack is called broken, for the reason given."""
    assert not verdict.accepted
    assert verdict.intact.answer is Answer.NO, verdict.lines()
    assert verdict.by_whom.answer is Answer.UNKNOWN
    assert verdict.holders_word.answer is Answer.UNKNOWN
    for word in words:
        assert word in verdict.intact.sentence, verdict.intact.sentence
    assert verdict.intact.sentence.isprintable()


def anchors(signer: Signer, **more: Any) -> Anchors:
    return Anchors(**{"vkeys": [signer.vkey], "holder_keys": tokens.hub_jwks(), **more})


def check(pack: bytes, signer: Signer, **more: Any) -> PackVerdict:
    return verify_pack(pack, anchors(signer, **more))
