"""Evidence packs over the wire. They are sent as they were made; the model here only describes them."""

from typing import Any, Literal

from pydantic import Field

from tracker.web.api.shapes.fields import Out, Query, YesOrNo


class EvidenceQuery(Query):
    """What is to be in a pack."""

    private: YesOrNo = Field(
        True, description="Whether it holds private values, the terms, and the holder's tokens, which say the same."
    )


class EvidencePackOut(Out):
    """One consent's story with all that proves it."""

    format: Literal["consent-tracker/evidence-pack"]
    version: Literal[1]
    pack: dict[str, Any] = Field(
        description=(
            "Entries with proofs, tokens, keys, terms, who was told, who looked. docs/evidence.md has the members, and "
            "`tracker evidence schema` their JSON Schema."
        )
    )
    sha256: str = Field(description="Hex SHA-256 of the RFC 8785 form of `pack`.")
    seal: str | None = Field(description="A signed note over that; null without a checkpoint key.")
