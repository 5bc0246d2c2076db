"""What a subscription would get, over the wire."""

from typing import Annotated

from pydantic import Field

from tracker.domain.subscription import EntryFilter
from tracker.usecases.preview import Preview
from tracker.usecases.subscribe import MOST_PATTERNS
from tracker.web.api.shapes.fields import In, Out
from tracker.web.api.shapes.journal import EntryJson, entry_json
from tracker.web.api.shapes.subscriptions import FilterIn, TypePattern


class PreviewIn(In):
    """What would be heard."""

    types: Annotated[tuple[TypePattern, ...], Field(min_length=1, max_length=MOST_PATTERNS, strict=False)] = Field(
        ("*",), description="Exact types, `prefix.*` or `*`."
    )
    filter: FilterIn = FilterIn()

    def wanted(self) -> EntryFilter:
        """The filter."""
        return self.filter.only(self.types)


class TypeCountOut(Out):
    """How many entries of a type."""

    type: str
    count: int


class PreviewOut(Out):
    """What of the last entries would be told."""

    looked_at: int = Field(description="How many of the last entries were looked at; at most 1000.")
    from_sequence: int | None = Field(description="The first of them; null while the journal is empty.")
    passed: int = Field(description="How many of them would be told.")
    by_type: tuple[TypeCountOut, ...] = Field(description="Of which types, the most frequent first.")
    newest: tuple[EntryJson, ...] = Field(description="The last 20 that would be told, the newest first.")

    @classmethod
    def of(cls, preview: Preview) -> "PreviewOut":
        """Show it; personal values are left out, whoever looks."""
        return cls(
            looked_at=preview.looked_at,
            from_sequence=preview.first,
            passed=preview.passed,
            by_type=tuple(TypeCountOut(type=name, count=count) for name, count in preview.by_type.items()),
            newest=tuple(entry_json(entry, with_private=False) for entry in preview.newest),
        )
