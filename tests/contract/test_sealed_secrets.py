"""What is secret of a subscription, encrypted in the database; and what becomes of it when its key is not there."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, text, update

from tests.contract.facts import NewDatabase, a_subscription, at
from tracker.adapters.secret_keys import NO_KEYS, SecretKeys
from tracker.adapters.store.store import SqlStore
from tracker.adapters.store.subscription_tables import subscription
from tracker.adapters.store.vault import Sealing
from tracker.domain.errors import InvalidRequestError
from tracker.domain.sending import ClientCredentials, Sending, StaticHeader
from tracker.domain.subscription import RetiredSecret, Subscription, with_new_secret
from tracker.ports import Progress

OLD, NEW = {"old": b"o" * 32}, {"new": b"n" * 32}
SECRET, RETIRED = "whsec_aGVsbG8gaGVsbG8=", "whsec_cmV0aXJlZA=="


def one_with_secrets() -> Subscription:
    return a_subscription(secret=SECRET, retired_secrets=(RetiredSecret(secret=RETIRED, until=at(99)),))


async def row_of(store: SqlStore, one: Subscription) -> str:
    """Everything that stands in its row."""

    def read(connection: Any) -> str:
        row = connection.execute(text("SELECT * FROM subscription WHERE id = :id"), {"id": one.id}).one()
        return json.dumps([str(value) for value in row])

    return await store._database.read(read)


async def execute(store: SqlStore, statement: str, **values: Any) -> None:
    await store._write(lambda connection: connection.execute(text(statement), values))


async def test_secrets_are_encrypted_in_the_row_and_read_as_they_were(store: SqlStore) -> None:
    store.vault.use_keys(SecretKeys(NEW))
    made = one_with_secrets()
    await store.add_subscription(made)
    row = await row_of(store, made)
    assert row.count("aesgcm:new:") == 2
    assert not any(secret in row for secret in (SECRET, RETIRED))
    assert await store.get_subscription(made.id) == made
    assert await store.subscriptions() == [made]


async def test_changed_terms_are_encrypted_too_and_progress_leaves_them_alone(store: SqlStore) -> None:
    store.vault.use_keys(SecretKeys(NEW))
    made = one_with_secrets()
    await store.add_subscription(made)
    assert await store.save_progress(Progress(subscription=replace(made, failures=3)))
    rotated = replace(with_new_secret(made, "whsec_bmV4dA==", at(1), at(9) - at(0)), failures=3)
    assert await store.change_subscription(rotated, 1)
    row = await row_of(store, made)
    assert row.count("aesgcm:new:") == 3
    assert "whsec" not in row
    assert await store.get_subscription(made.id) == replace(rotated, version=2)


async def test_without_a_key_they_stand_as_they_are_and_are_encrypted_later(store: SqlStore) -> None:
    made = one_with_secrets()
    await store.add_subscription(made)
    assert SECRET in await row_of(store, made)
    store.vault.use_keys(SecretKeys(NEW))
    assert await store.get_subscription(made.id) == made
    assert await store.secrets_standing() == {Sealing.OLD: 1}
    assert await store.seal_again() == {Sealing.OLD: 1}
    assert "whsec" not in await row_of(store, made)
    assert await store.seal_again() == await store.secrets_standing() == {Sealing.CURRENT: 1}
    assert await store.get_subscription(made.id) == made  # at the same version: its terms are the same


async def test_keys_are_replaced_one_after_the_other(store: SqlStore) -> None:
    store.vault.use_keys(SecretKeys(OLD))
    made = one_with_secrets()
    await store.add_subscription(made)
    store.vault.use_keys(SecretKeys(NEW | OLD))
    assert await store.get_subscription(made.id) == made
    assert await store.seal_again() == {Sealing.OLD: 1}
    store.vault.use_keys(SecretKeys(NEW))
    assert await store.get_subscription(made.id) == made


async def test_without_its_key_one_is_locked_and_nothing_that_is_written_harms_it(store: SqlStore) -> None:
    store.vault.use_keys(SecretKeys(OLD))
    made, other = one_with_secrets(), a_subscription()
    await store.add_subscription(made)
    store.vault.use_keys(SecretKeys(NEW))
    await store.add_subscription(other)
    locked = await store.get_subscription(made.id)
    assert locked is not None
    assert not locked.is_told
    assert (
        locked.trouble
        == locked.locked
        == "Its secrets are encrypted with the key 'old', which at_rest_keys does not hold."
    )
    assert locked.last_error is None
    assert SECRET not in repr(locked)
    assert await store.subscriptions() == [locked, other]
    assert await store.secrets_standing() == {Sealing.LOCKED: 1, Sealing.CURRENT: 1}
    assert (await store.seal_again())[Sealing.LOCKED] == 1
    assert await store.change_subscription(replace(locked, description="for the CRM"), 1)
    for keys in (NO_KEYS, SecretKeys(OLD)):
        store.vault.use_keys(keys)
        found = await store.get_subscription(made.id)
        assert found is not None
        assert (found.locked is None, found.description) == (keys is not NO_KEYS, "for the CRM")
    assert found == replace(made, description="for the CRM", version=2)


async def test_another_secret_unlocks_one_whose_key_is_lost(store: SqlStore) -> None:
    store.vault.use_keys(SecretKeys(OLD))
    made = one_with_secrets()
    await store.add_subscription(made)
    store.vault.use_keys(SecretKeys(NEW))
    locked = await store.get_subscription(made.id)
    assert locked is not None
    assert await store.change_subscription(with_new_secret(locked, SECRET, at(1), at(9) - at(0)), 1)
    found = await store.get_subscription(made.id)
    assert found == replace(made, secret=SECRET, retired_secrets=(), version=2)


@pytest.mark.parametrize("column", ["secret", "retired_secrets"])
async def test_what_is_copied_from_another_row_opens_nothing(store: SqlStore, column: str) -> None:
    store.vault.use_keys(SecretKeys(NEW))
    mine, other = one_with_secrets(), one_with_secrets()
    for one in (mine, other):
        await store.add_subscription(one)
    theirs = f"(SELECT {column} FROM subscription WHERE id = :other)"
    await execute(store, f"UPDATE subscription SET {column} = {theirs} WHERE id = :mine", mine=mine.id, other=other.id)
    found = await store.get_subscription(mine.id)
    assert found is not None
    assert found.locked == "Its secrets are encrypted for another place, or were changed."
    assert await store.get_subscription(other.id) == other


async def test_nobody_passes_off_as_encrypted_what_is_not(store: SqlStore) -> None:
    with pytest.raises(InvalidRequestError, match="must not begin with aesgcm:"):
        await store.add_subscription(a_subscription(secret="aesgcm:new:AAAA"))
    assert await store.subscriptions() == []


async def test_a_race_of_processes_that_encrypt_and_change_loses_nothing(new_database: NewDatabase) -> None:
    opened = new_database()
    stores = [opened() for _ in range(3)]
    try:
        made = [one_with_secrets() for _ in range(8)]
        for one in made:
            await stores[0].add_subscription(one)
        for store in stores:
            store.vault.use_keys(SecretKeys(NEW))

        async def change() -> None:
            for one in made:
                assert await stores[2].change_subscription(replace(one, secret="whsec_b3RoZXI="), 1)

        await asyncio.gather(stores[0].seal_again(), stores[1].seal_again(), change())
        found = await stores[1].subscriptions()
        assert found == [replace(one, secret="whsec_b3RoZXI=", version=2) for one in made]
        assert await stores[0].secrets_standing() == {Sealing.CURRENT: 8}
    finally:
        for store in stores:
            await store.close()


async def test_what_receivers_ask_of_us_is_encrypted_too(store: SqlStore) -> None:
    credentials = ClientCredentials(
        token_url="https://as.example/t", client_id="c", client_secret="s3cret-1", scope="a b"
    )
    headers = (StaticHeader("X-Api-Key", "s3cret-2"), StaticHeader("X-Other", "s3cret-3"))
    asked = Sending(signatures=("v1", "v1a"), headers=headers, credentials=credentials, certificate="crm")
    made = a_subscription(sending=asked)
    await store.add_subscription(made)
    assert (await row_of(store, made)).count("s3cret") == 3
    assert await store.get_subscription(made.id) == made
    store.vault.use_keys(SecretKeys(NEW))
    assert await store.seal_again() == {Sealing.OLD: 1}
    row = await row_of(store, made)
    assert ("s3cret" in row, row.count("aesgcm:new:")) == (False, 4)
    assert await store.get_subscription(made.id) == made
    store.vault.use_keys(NO_KEYS)
    locked = await store.get_subscription(made.id)
    assert locked is not None
    assert locked.locked is not None


async def test_an_encrypted_header_says_nothing_under_another_name(store: SqlStore) -> None:
    store.vault.use_keys(SecretKeys(NEW))
    made = a_subscription(sending=Sending(headers=(StaticHeader("X-A", "s3cret"),)))
    await store.add_subscription(made)

    def rename(connection: Any) -> None:
        value = connection.execute(select(subscription.c.sending)).scalar_one()
        value["headers"][0][0] = "X-B"
        connection.execute(update(subscription).values(sending=value))

    await store._write(rename)
    found = await store.get_subscription(made.id)
    assert found is not None
    assert found.locked is not None
