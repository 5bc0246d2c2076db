"""Schema 0021 on its way up and down, on both databases: what is sealed is opened below it, and no value is lost on the way."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from tests.contract.facts import name_of
from tests.contract.test_consent_keys import PERSONAL, content, destroy, fill, one_with_everything, tokens
from tracker.adapters.clock import SystemIds
from tracker.adapters.secret_keys import NO_KEYS, SecretKeys
from tracker.adapters.store import migrate
from tracker.adapters.store.postgres import PostgresDatabase, in_one_transaction
from tracker.adapters.store.sqlite import SqliteDatabase, one_transaction
from tracker.adapters.store.store import SqlStore
from tracker.adapters.store.vault import Vault
from tracker.domain.errors import ConfigurationError

BEFORE = "0015"
RING = SecretKeys({"ring": b"r" * 32})


class Place:
    """A database of either kind."""

    def __init__(self, url: str | Path) -> None:
        self._url = url

    def store(self, ring: SecretKeys = NO_KEYS) -> SqlStore:
        opened = SqliteDatabase(self._url) if isinstance(self._url, Path) else PostgresDatabase(self._url)
        return SqlStore(opened, SystemIds(), Vault(ring))

    async def do(self, work: Callable[[Connection], Any]) -> Any:
        if isinstance(self._url, str):
            return await in_one_transaction(self._url, work)

        def alone(path: Path) -> Any:
            with one_transaction(path) as connection:
                return work(connection)

        return await asyncio.to_thread(alone, self._url)


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest) -> Place:
    if request.param == "sqlite":
        return Place(request.getfixturevalue("database"))
    return Place(request.getfixturevalue("another_postgres")())


def below(connection: Connection) -> list[Any]:
    """What an older version reads."""

    def one(statement: str) -> Any:
        return connection.execute(text(statement)).one()

    def read(value: Any) -> Any:
        return json.loads(value) if isinstance(value, str) else value

    whose = one("SELECT user_ref, terms FROM consent")
    entry = one("SELECT private, private_salt FROM entry")
    return [
        (whose.user_ref, read(whose.terms)),
        read(one("SELECT terms FROM report")[0]),
        read(one("SELECT data FROM other_event")[0]),
        tuple(one("SELECT transaction_id, amount, currency FROM payment")),
        {bytes(jws) for jws in connection.execute(text("SELECT jws FROM evidence")).scalars()},
        (read(entry.private), bytes(entry.private_salt)),
    ]


def down(connection: Connection, ring: SecretKeys = NO_KEYS) -> list[Any]:
    migrate.downgrade(connection, BEFORE, ring)
    return below(connection)


@pytest.mark.parametrize("ring", [NO_KEYS, RING], ids=["no ring", "ring"])
async def test_the_older_version_reads_everything_and_the_newer_one_seals_it_again(
    place: Place, ring: SecretKeys
) -> None:
    store = place.store(ring)
    kept = one_with_everything()
    await fill(store, kept)
    await store.close()
    assert await place.do(lambda connection: down(connection, ring)) == [
        (PERSONAL, {"Name": PERSONAL}),
        {"Name": PERSONAL},
        {"Name": PERSONAL},
        (PERSONAL, PERSONAL, "AED"),
        {f"h.{PERSONAL}.s".encode(), f"h.{PERSONAL}2.s".encode()},
        ({"user_ref": PERSONAL}, b"s" * 32),
    ]
    await place.do(migrate.upgrade)
    store = place.store(ring)
    assert await store.find_consent(name_of(kept)) == replace(kept, last_sequence=1)
    while await store.sealing.step(3) is not None:
        pass
    assert PERSONAL not in await content(store)
    assert await store.find_consent(name_of(kept)) == replace(kept, last_sequence=1)
    assert None not in await tokens(store)
    await store.close()


async def test_without_the_ring_it_does_not_go_down_and_nothing_changes(place: Place) -> None:
    store = place.store(RING)
    kept = one_with_everything()
    await fill(store, kept)
    await store.close()
    with pytest.raises(ConfigurationError, match=r"nothing was changed.*'ring'"):
        await place.do(down)
    assert await place.do(migrate.current) == migrate.newest()
    store = place.store(RING)
    assert await store.find_consent(name_of(kept)) == replace(kept, last_sequence=1)
    await store.close()


async def test_what_was_destroyed_stays_away(place: Place) -> None:
    store = place.store()
    kept = one_with_everything()
    await fill(store, kept)
    await destroy(store, kept)
    await store.close()

    def look(connection: Connection) -> list[Any]:
        migrate.downgrade(connection, BEFORE)
        found = connection.execute(text("SELECT private, private_salt FROM entry")).one()
        terms = connection.execute(text("SELECT user_ref, terms FROM consent")).one()
        return [*found, *terms, *connection.execute(text("SELECT jws FROM evidence")).scalars()]

    assert [bytes(one) if one is not None else None for one in await place.do(look)] == [None] * 4 + [b"", b""]
