"""Ids as RFC 9562 writes them."""

import uuid

from tracker.adapters.clock import SystemIds


def test_ordered_ids_are_uuids_of_version_7_that_rise() -> None:
    ids = SystemIds()
    made = [ids.ordered() for _ in range(2000)]
    assert made == sorted(set(made))
    for one in made:
        parsed = uuid.UUID(one)
        assert (str(parsed), parsed.version, parsed.variant) == (one, 7, uuid.RFC_4122)


def test_random_ids_are_uuids_of_version_4() -> None:
    ids = SystemIds()
    made = {ids.random() for _ in range(2000)}
    assert len(made) == 2000
    for one in made:
        parsed = uuid.UUID(one)
        assert (str(parsed), parsed.version, parsed.variant) == (one, 4, uuid.RFC_4122)
