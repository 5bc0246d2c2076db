"""The JSON Schema of evidence packs, shipped with the package."""

from importlib.resources import files
from typing import Final

SCHEMA_NAME: Final = "evidence-pack.schema.json"


def schema_text() -> str:
    """The schema, as the file has it: JSON Schema 2020-12."""
    return files("tracker.journal").joinpath(SCHEMA_NAME).read_text("utf-8")
