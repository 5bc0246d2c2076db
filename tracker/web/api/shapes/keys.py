"""API keys as they are shown; they are made and revoked on the command line only."""

from tracker.ports import ApiKey
from tracker.web.api.shapes.fields import Out, TimeOut


class ApiKeyOut(Out):
    """A key of one of our API's callers, without its secret."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created_at: TimeOut
    expires_at: TimeOut | None
    revoked_at: TimeOut | None

    @classmethod
    def of(cls, key: ApiKey) -> "ApiKeyOut":
        """Show it."""
        facts = {name: getattr(key, name) for name in cls.model_fields if name != "scopes"}
        return cls(**facts, scopes=tuple(sorted(key.scopes)))
