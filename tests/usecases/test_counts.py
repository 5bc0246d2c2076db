"""What an event may cost, in counts: one private RSA operation, no key parsed, its share of one commit."""

from collections.abc import Callable
from typing import Any

import pytest
from jwcrypto.jwk import JWK
from sqlalchemy import event as sql_event

from tests.usecases.bench import Bench, data, event, message
from tracker.adapters import jose
from tracker.adapters.store.sqlite import SqliteDatabase


class CountedAlgorithm:
    """An algorithm that unwraps keys, and how often it did."""

    def __init__(self, algorithm: Any) -> None:
        self._algorithm = algorithm
        self.used = 0

    def unwrap(self, *arguments: Any) -> bytes:
        self.used += 1
        unwrapped: bytes = self._algorithm.unwrap(*arguments)
        return unwrapped


async def test_a_batch_of_events(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"consent-{number}" for number in range(40)]
    for name in names:
        await bench.register(name)
    bodies = [event(None, message=message(data(ConsentId=name), ConsentId=name)) for name in names]
    rsa = CountedAlgorithm(jose.key_algorithm("RSA-OAEP-256"))
    parsed: list[str] = []
    commits: list[str] = []
    real: Callable[..., None] = JWK.import_key

    def import_key(self: JWK, **members: Any) -> None:
        parsed.append("parsed")
        real(self, **members)

    monkeypatch.setattr(jose, "key_algorithm", lambda _: rsa)
    monkeypatch.setattr(JWK, "import_key", import_key)
    database = bench.store._database.beneath
    assert isinstance(database, SqliteDatabase)
    sql_event.listen(database._write_engine, "commit", lambda _: commits.append("commit"))
    for body in bodies:
        await bench.receiver.receive(bench.profile, body, "interaction")
    admitted = len(commits)
    assert await bench.opening.run_once() == len(bodies)
    assert len(commits) == admitted + 1
    assert rsa.used == len(bodies)
    assert parsed == []
    assert len([told for told in await bench.told() if told[0] == "status_changed"]) == len(bodies)
