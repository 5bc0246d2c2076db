"""What a store's database is sent: counts guard against getting slow where seconds would only be noise."""

from typing import Any

from sqlalchemy import event

from tracker.adapters.store.store import SqlStore


class Counted:
    """A store, and what its database is sent.

    Attributes:
        statements: Those that were sent; one with many rows is one.
        commits: How often a transaction that writes ended well.
    """

    def __init__(self, store: SqlStore, engine: Any) -> None:
        self.store = store
        self.statements: list[str] = []
        self.commits = 0
        self._engine = engine
        event.listen(engine, "before_cursor_execute", self._sent)
        event.listen(engine, "commit", self._committed)

    def _sent(self, _c: Any, _cursor: Any, statement: str, _p: Any, _context: Any, _many: bool) -> None:
        self.statements.append(statement)

    def _committed(self, _: Any) -> None:
        self.commits += 1

    def start_again(self) -> None:
        """Count from here."""
        self.statements.clear()
        self.commits = 0

    def forget(self) -> None:
        event.remove(self._engine, "before_cursor_execute", self._sent)
        event.remove(self._engine, "commit", self._committed)
