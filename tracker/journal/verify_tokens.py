"""The holder's word: did a key of the holder's sign the tokens of a pack, and do they say what the entries say?

Offline, with the keys that the auditor brings along. A token that only a key of the pack itself vouches for proves nothing of
the holder: whoever made the pack could have made the key. It is *unanchored*, whatever else is right about it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from tracker.domain.errors import RejectedEventError, TrackerError
from tracker.journal.entry import Entry
from tracker.journal.holder_key import Jwk, thumbprint
from tracker.journal.instant import parse_rfc3339
from tracker.journal.leaf import HOLDERS_CHANNELS
from tracker.journal.pack_examine import Examined, Part
from tracker.journal.pack_word import (
    Said,
    Statement,
    UnreadableTokenError,
    claims_fault,
    moves_by_itself,
    said_by,
    told_by,
)
from tracker.journal.private import from_base64url
from tracker.profiles.compact import JWS_PARTS, decoded, read_claims, take_apart
from tracker.profiles.profile import Profile

_MIN_BITS: Final = 2048
_MAX_BITS: Final = 8192
_LEAST_EXPONENT: Final = 65537
_MAX_EXPONENT_BITS: Final = 64
_ALGORITHMS: Final = frozenset({"PS256"})
"""What can be verified here; a profile may allow more, and none does so far."""


class Word(Enum):
    """What an entry rests on, as far as it could be found out; the worst comes first."""

    FALSE = auto()
    """Something is wrong with it."""
    MISSING = auto()
    """Its token is not in the pack."""
    UNREAD = auto()
    """Nobody here can read its token."""
    UNANCHORED = auto()
    """On a token by a key that only the pack vouches for."""
    HOLDERS = auto()
    """On a token by a key of the holder's that is trusted."""
    UNSIGNED = auto()
    """On an answer of the holder's that was not signed."""
    OWN = auto()
    """On our own clock, record or application."""


@dataclass(frozen=True, slots=True)
class EntryWord:
    """On whose word one entry rests.

    Attributes:
        sequence: Which entry.
        word: For programs.
        sentence: For people.
    """

    sequence: int
    word: Word
    sentence: str


@dataclass(frozen=True, slots=True)
class _Token:
    """A token whose signature and claims hold."""

    said: Mapping[str, Said]
    claims: Mapping[str, Any]
    received_at: str
    is_anchored: bool


class TokenFaultError(TrackerError):
    """A token is not what it should be; the message says what is wrong with it."""

    code = "token_false"


class Witness:
    """Checks the tokens of one pack, and what its entries make of them."""

    def __init__(self, consent: Part, profile: Profile | None, found: Examined, trusted: Sequence[Jwk]) -> None:
        """Check all tokens.

        Args:
            consent: Whom the pack says it is about.
            profile: Reads the tokens; None: nobody here can.
            found: The pack's parts.
            trusted: The holder's keys that the auditor trusts.
        """
        self._consent = consent
        self._unsigned_answers = found.unsigned_answers
        self._profile = profile
        self._found = found
        signing = [key for key in trusted if _may_sign(key)]
        self._trusted = {thumbprint(key): key for key in signing}
        self._trusted_kids = {key.get("kid") for key in signing if isinstance(key.get("kid"), str)}
        self._told_before = _told_before(found.entries)
        self._good: dict[str, _Token] = {}
        self.faults: dict[str, str] = {}
        for name, part in found.tokens.items() if profile is not None else ():
            try:
                self._good[name] = self._check(part, profile)
            except (TokenFaultError, RejectedEventError) as error:
                self.faults[name] = str(error)

    def of(self, entry: Entry) -> EntryWord:
        """Say on whose word an entry rests."""
        data = entry.data
        proofs = [one for one in data["evidence"] if one["channel"] in HOLDERS_CHANNELS]
        if data["channel"] not in HOLDERS_CHANNELS or not proofs:
            return EntryWord(entry.sequence, Word.OWN, "our own clock, record or application")
        words = [self._rests_on(entry, proof) for proof in proofs if proof["signed"]]
        if not words:
            return EntryWord(entry.sequence, Word.UNSIGNED, "an answer of the holder's that was not signed")
        return min(words, key=lambda one: one.word.value)

    def _rests_on(self, entry: Entry, proof: Part) -> EntryWord:
        name = proof["jws_sha256"]
        part = self._found.tokens.get(name)
        if part is None:
            return EntryWord(entry.sequence, Word.MISSING, f"its token {name} is not in the pack")
        if name in self.faults:
            return EntryWord(entry.sequence, Word.FALSE, f"its token {name}: {self.faults[name]}")
        if self._profile is None:
            return EntryWord(entry.sequence, Word.UNREAD, "its token is of an ecosystem that is not known here")
        token = self._good[name]
        fault = self._fault(entry, proof, part, token)
        if fault is not None:
            return EntryWord(entry.sequence, Word.FALSE, f"its token {name}: {fault}")
        if told_by(entry) is None or moves_by_itself(entry, self._told_before[entry.sequence]):
            return EntryWord(entry.sequence, Word.OWN, "what we ourselves made of it: no token has to state that")
        answered_at = self._only_unsigned(entry, token, proof["channel"])
        if answered_at is not None:
            sentence = f"what the holder answered without signing it, received {answered_at}"
            return EntryWord(entry.sequence, Word.UNSIGNED, sentence)
        if token.is_anchored:
            return EntryWord(
                entry.sequence, Word.HOLDERS, f"signed by the holder's key {part['kid']!a}, which you trust"
            )
        sentence = f"signed by the key {part['kid']!a}, for which only the pack vouches"
        return EntryWord(entry.sequence, Word.UNANCHORED, sentence)

    def _fault(self, entry: Entry, proof: Part, part: Part, token: _Token) -> str | None:
        """Say what of a good token does not fit the entry that rests on it."""
        if (part["kid"], part["jwk_thumbprint"]) != (proof["kid"], proof["jwk_thumbprint"]):
            return "it is signed with another key than the entry names"
        if part["jwe_sha256"] != proof["jwe_sha256"]:
            return "it came encrypted in another body than the entry names"
        if entry.data["received_at"] is not None:
            fault = self._claims_fault(part, token.claims, proof["channel"], entry.data["received_at"])
            if fault is not None:
                return fault
        said = token.said.get(proof["channel"])
        if said is None:
            return "it is no message of the kind that the entry says it came as"
        if not said.has_terms_of(entry):
            return "it has other terms than the entry's private value"
        told = told_by(entry)
        if told is None or self._is_stated(told, said, entry, token) or self._unsigned(told, entry) is not None:
            return None
        states = "nothing of a status" if said.statement is None else said.statement.told
        return f"it states {states}, and the entry tells {told.told}"

    def _only_unsigned(self, entry: Entry, token: _Token, channel: str) -> str | None:
        """When we had the unsigned answer that alone states what an entry tells; None if a token does, or need not."""
        told = told_by(entry)
        if told is None or self._is_stated(told, token.said[channel], entry, token):
            return None
        return self._unsigned(told, entry)

    def _unsigned(self, told: Statement, entry: Entry) -> str | None:
        for answer in self._unsigned_answers:
            stated = Statement(
                answer["status"].lower(), parse_rfc3339(answer["status_date_time"]), revoked_by=told.revoked_by
            )  # who revoked is not kept of it: what is not signed is our own word in any case
            if answer["received_at"] <= entry.leaf["time"] and told.is_met_by(stated):
                return str(answer["received_at"])
        return None

    def _is_stated(self, told: Statement, said: Said, entry: Entry, own: _Token) -> bool:
        """Whether its own token states what an entry tells, or one that we had before."""
        if said.statement is not None and told.is_met_by(said.statement):
            return True
        return any(
            told.is_met_by(other.statement)
            for token in self._good.values()
            if token.received_at <= entry.leaf["time"] and token.is_anchored >= own.is_anchored
            for other in token.said.values()
            if other.statement is not None
        )

    def _check(self, part: Part, profile: Profile | None) -> _Token:
        token: bytes = part["jws"].encode()
        taken = take_apart(token, JWS_PARTS)
        header, pieces, _ = taken
        if header["kid"] != part["kid"]:
            raise TokenFaultError(f"it names the key {header['kid']!a}, and is said to name {part['kid']!a}")
        if profile is None or header["alg"] not in profile.push.jws_algs & _ALGORITHMS:
            raise TokenFaultError(f"it is signed with {header['alg']!a}, which is not allowed")
        trusted = self._trusted.get(part["jwk_thumbprint"])
        if trusted is None and part["kid"] in self._trusted_kids:
            raise TokenFaultError(f"the key {part['kid']!a} is another one among those that you trust")
        key = trusted if trusted is not None else self._found.keys[part["jwk_thumbprint"]]["jwk"]
        if not _is_signed(token, decoded(pieces[2]), key):
            raise TokenFaultError("its signature is not by its key")
        claims = read_claims(decoded(pieces[1]))
        self._check_record(part, header["alg"], claims)
        said = self._said(claims, profile)
        fault = self._claims_fault(part, claims, min(said), part["received_at"])
        if fault is not None:
            raise TokenFaultError(fault)
        return _Token(said, claims, part["received_at"], is_anchored=trusted is not None)

    def _claims_fault(self, part: Part, claims: Mapping[str, Any], channel: str, received_at: str) -> str | None:
        """A provider's issuer and client may have changed since: what was recorded then counts, where it was recorded."""
        recorded, at = part["verification"], parse_rfc3339(received_at)
        issuer, clients = self._consent["issuer"], {self._consent["client_id"]}
        if recorded is not None:
            issuer, clients = recorded["iss"], clients | set(recorded["aud"])
        return claims_fault(claims, issuer=issuer, client_ids=clients, channel=channel, at=at)

    def _check_record(self, part: Part, alg: str, claims: Mapping[str, Any]) -> None:
        """What is recorded of verifying it must be about this very token."""
        recorded = part["verification"]
        if recorded is not None and (recorded["alg"], recorded["iss"]) != (alg, claims.get("iss")):
            raise TokenFaultError("what is recorded of verifying it is about another token")

    def _said(self, claims: Mapping[str, Any], profile: Profile) -> Mapping[str, Said]:
        """What it says, by the way in which it can have come: what is an event is no answer, though it may look like one."""
        for channel in ("webhook", "poll"):
            try:
                said = said_by(claims, profile, self._consent["kind"], channel)
            except UnreadableTokenError:
                continue
            if said.consent_id != self._consent["consent_id"]:
                raise TokenFaultError("it is about another consent")
            return {channel: said}
        raise TokenFaultError("it cannot be read as a message about a consent")


def _told_before(entries: Sequence[Entry]) -> dict[int, str | None]:
    """The status that was told last when an entry came."""
    told: str | None = None
    before: dict[int, str | None] = {}
    for entry in entries:
        before[entry.sequence] = told
        told = entry.to_status or told
    return before


def _may_sign(jwk: Jwk) -> bool:
    """Whether the holder has the key for signing, as opening would ask too. Spec: RFC 7517 §4.2 to §4.4."""
    operations = jwk.get("key_ops", ["verify"])
    is_to_verify = isinstance(operations, list) and "verify" in operations
    is_public = "d" not in jwk  # with its secret in the set, anybody may have signed
    return is_public and is_to_verify and jwk.get("use", "sig") == "sig" and jwk.get("alg", "PS256") == "PS256"


def _is_signed(token: bytes, signature: bytes, jwk: Jwk) -> bool:
    """Whether a key made this signature, PS256. Spec: RFC 7518 §3.5; the salt is as long as the hash."""
    key = _public_key(jwk)
    if key is None:
        return False
    try:
        key.verify(
            signature,
            token[: token.rindex(b".")],
            padding.PSS(padding.MGF1(SHA256()), SHA256.digest_size),
            SHA256(),
        )
    except InvalidSignature:
        return False
    return True


def _public_key(jwk: Jwk) -> rsa.RSAPublicKey | None:
    """An RSA key that is neither weak nor a burden; None for any other."""
    if jwk.get("kty") != "RSA":
        return None
    try:
        n, e = (int.from_bytes(from_base64url(jwk[name]), "big") for name in ("n", "e"))
        is_sound = _MIN_BITS <= n.bit_length() <= _MAX_BITS and e.bit_length() <= _MAX_EXPONENT_BITS
        return rsa.RSAPublicNumbers(e, n).public_key() if is_sound and e >= _LEAST_EXPONENT else None
    except (ValueError, KeyError, TypeError):
        return None
