"""What proves the journal, over the wire: keys, checkpoints, proofs."""

from base64 import b64encode
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from tracker.journal.checkpoint import parse_note
from tracker.ports.checkpoints import StoredCheckpoint
from tracker.web.api.shapes.fields import In, Out, Query, Sequence, TimeOut

_MAX_NOTE = 65_536
HashText = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class CheckpointQuery(Query):
    """Which checkpoint."""

    size: Sequence | None = Field(None, description="Over so many entries; the latest, if left out.")


class ProofQuery(Query):
    """What is to be proven of the journal."""

    sequence: Sequence | None = Field(
        None, description="That this entry is in it; the last one, if nothing is asked for."
    )
    from_size: Sequence | None = Field(None, description="Instead: that it begins with so many entries as they were.")
    size: Sequence | None = Field(
        None, description="Of its first so many entries; those of the latest checkpoint, if left out."
    )


class TileQuery(Query):
    """Which tile of the tree."""

    level: Sequence = Field(0, description="0: leaf hashes; 1: roots of 256 of these, and so on.")
    position: Sequence = Field(0, description="Its number on that level, from 0.")


class CosignaturesIn(In):
    """A checkpoint of ours with the signatures of witnesses under it."""

    note: Annotated[str, StringConstraints(min_length=1, max_length=_MAX_NOTE)] = Field(
        description="A C2SP signed note; signatures by others than the witnesses that are configured are passed over."
    )


class SignatureOut(Out):
    """A signature under a checkpoint."""

    name: str = Field(description="Whose it says to be.")
    key_hash: str = Field(description="By which of their keys; 4 bytes in hex, as in the VKEY.")


class CheckpointOut(Out):
    """A checkpoint: how many entries there are, their root, and who signed that."""

    size: int = Field(description="How many entries.")
    root_hash: HashText = Field(description="RFC 6962 root over their leaf hashes; hex.")
    note: str = Field(description="The C2SP signed note: this is what counts.")
    signed_at: TimeOut = Field(description="When we signed it first.")
    signatures: tuple[SignatureOut, ...] = Field(description="Who has signed it: we, then witnesses.")
    timestamp: str | None = Field(
        description="What an RFC 3161 authority said of the note's text: a TimeStampResp, DER in base64. Null if none was asked."
    )

    @classmethod
    def of(cls, stored: StoredCheckpoint) -> "CheckpointOut":
        """Show one that is signed."""
        note = stored.note or ""
        lines = parse_note(note).signatures
        return cls.model_validate(
            {
                "size": stored.size,
                "root_hash": stored.root.hex(),
                "note": note,
                "signed_at": stored.signed_at,
                "signatures": tuple(SignatureOut(name=one.name, key_hash=one.key_hash.hex()) for one in lines),
                "timestamp": None if stored.timestamp is None else b64encode(stored.timestamp).decode(),
            }
        )


class CheckpointKeyOut(Out):
    """A key that signs checkpoints, or did."""

    vkey: str = Field(description="Give this to auditors, by another way than this one.")
    state: Literal["active", "retired"] = Field(description="`active`: it signs every checkpoint from now on.")
    first_size: int | None = Field(description="The first checkpoint that it signed; null: none yet.")
    since: TimeOut | None = Field(description="When that was.")
    last_size: int | None = Field(description="The last one.")
    until: TimeOut | None = Field(description="When that was.")


class AuditKeysOut(Out):
    """The journal's name, and the keys that sign its checkpoints."""

    origin: str = Field(description="The journal's name in checkpoints.")
    keys: tuple[CheckpointKeyOut, ...] = Field(
        description="Those that sign now, then those that did, the latest first."
    )


class ProofOut(Out):
    """A proof about the journal, as RFC 6962 has it. All hashes are hex."""

    kind: Literal["inclusion", "consistency"]
    size: int = Field(description="Of the journal's first so many entries.")
    root: HashText = Field(description="The root over these: compare it with a checkpoint's.")
    hashes: tuple[HashText, ...] = Field(description="The proof, in the order of RFC 6962.")
    index: int | None = Field(description="Inclusion: the leaf's number, which is the sequence less one.")
    leaf_hash: HashText | None = Field(description="Inclusion: the entry's hash.")
    from_size: int | None = Field(description="Consistency: the older journal has so many entries.")
    from_root: HashText | None = Field(description="Consistency: the root over these.")


class TileOut(Out):
    """A tile of the tree, as C2SP tlog-tiles has it."""

    level: int
    position: int
    hashes: tuple[HashText, ...] = Field(description="Up to 256; fewer at the right edge of the tree.")
