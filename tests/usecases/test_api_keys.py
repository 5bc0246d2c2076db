"""Keys of our API's callers: good ones, and names that nobody should have to read."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.usecases.bench import NOW, Bench, NoJitter
from tracker.domain.errors import InvalidRequestError
from tracker.usecases.api_keys import ApiKeys


@pytest.fixture
def keys(bench: Bench) -> ApiKeys:
    return ApiKeys(bench.store, bench.clock, NoJitter())


async def test_a_key_is_good_until_it_expires_or_is_revoked(bench: Bench, keys: ApiKeys) -> None:
    key, text = await keys.add("crm", ["read"], bench.clock.now() + timedelta(hours=1))
    assert await keys.check(text) == key
    assert await keys.check(text[:-1]) is None
    bench.advance(hours=1)
    assert await keys.check(text) is None
    key, text = await keys.add("crm", ["read", "admin"])
    assert await keys.revoke(key.id)
    assert await keys.check(text) is None


@pytest.mark.parametrize("name", ["", "x" * 129, "a\x1b[2J", "line\nbreak", "\u202etxt"])
async def test_names_are_printable(keys: ApiKeys, name: str) -> None:
    with pytest.raises(InvalidRequestError, match="printable"):
        await keys.add(name, ["read"])


@pytest.mark.parametrize("scopes", [[], ["root"], ["read", ""]])
async def test_scopes_are_known(keys: ApiKeys, scopes: list[str]) -> None:
    with pytest.raises(InvalidRequestError, match="scopes"):
        await keys.add("crm", scopes)


async def test_a_key_that_has_expired_is_not_made(keys: ApiKeys) -> None:
    with pytest.raises(InvalidRequestError, match="expired"):
        await keys.add("crm", ["read"], NOW)


async def test_no_secret_is_kept(bench: Bench, keys: ApiKeys, database: Path) -> None:
    _, text = await keys.add("crm", ["read"])
    await bench.store.close()
    secret = text.rpartition("_")[2].encode()
    assert all(secret not in path.read_bytes() for path in database.parent.glob("tracker.db*"))
