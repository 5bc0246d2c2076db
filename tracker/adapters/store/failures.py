"""What goes wrong in a database, in the tracker's words: whether the same call may succeed later, and nothing personal."""

import os

from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    ProgrammingError,
    SQLAlchemyError,
    StatementError,
)

from tracker.domain.errors import StorageError

_FOR_GOOD = (IntegrityError, DataError, ProgrammingError)
# Of SQL's own states: the data are wrong, they break a constraint, they are too large. PostgreSQL tells no more than that.
_FOR_GOOD_CLASSES = frozenset({"22", "23", "54"})
# A table, a column or a right is missing. Our statements have one text whatever the data are: so it is the database that is not
# as it should be, and nothing is to be put aside for that.
_OF_THE_DATABASE = "42"


class NotStorableError(StorageError):
    """The database will not take this, now or later."""

    code = "not_storable"
    retryable = False


def storage_error(error: BaseException) -> StorageError:
    """Say in our words what a database or its driver said. To be raised from the error itself."""
    if isinstance(error, DBAPIError):
        state: str = getattr(error.orig, "sqlstate", None) or ""
        is_of_the_data = isinstance(error, _FOR_GOOD) or state[:2] in _FOR_GOOD_CLASSES
        is_for_good = is_of_the_data and state[:2] != _OF_THE_DATABASE
        kind = NotStorableError if is_for_good else StorageError
        return kind(f"The database could not do it: {_words(error.orig)}.")
    if isinstance(error, StatementError):  # a value that cannot even be handed over; its words may be the value's
        return NotStorableError(f"A value cannot be stored ({type(error.orig).__name__}).")
    if isinstance(error, SQLAlchemyError):
        return StorageError(f"The database could not do it: {error}.")
    if isinstance(error, OSError) and error.errno:
        return StorageError(f"The database cannot be reached: {os.strerror(error.errno)}.")
    return StorageError(f"The database could not do it, because of another's work ({type(error).__name__}).")


def _words(error: BaseException | None) -> str:
    """What the database said, without the value, which the driver adds where it cannot even send it."""
    said = str(error)
    return said.partition(":")[0] if said.startswith("invalid input for query argument") else said
