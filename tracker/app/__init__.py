"""The composition root: what is made of what (`composition`), how it runs (`service`), and what operators do with it."""

from tracker.adapters.store.grants import statements as grant_statements
from tracker.app.checks import TO_COPY, check_all
from tracker.app.composition import Tracker, build
from tracker.app.database import (
    database_place,
    downgrade_database,
    grant_to_service,
    require_schema,
    schema_revisions,
    service_role,
    upgrade_database,
)
from tracker.app.detaching import detach_journal
from tracker.app.findings import Finding
from tracker.app.key_making import make_key_file, public_keys, take_key_over
from tracker.app.our_keys import keys_in_use
from tracker.app.restoring import jump_after_restore
from tracker.app.sealing import seal_secrets
from tracker.app.service import Role, running, service, with_tracker, worker_for
from tracker.app.timestamping import stamp_of
from tracker.app.world import World

__all__ = [
    "TO_COPY",
    "Finding",
    "Role",
    "Tracker",
    "World",
    "build",
    "check_all",
    "database_place",
    "detach_journal",
    "downgrade_database",
    "grant_statements",
    "grant_to_service",
    "jump_after_restore",
    "keys_in_use",
    "make_key_file",
    "public_keys",
    "require_schema",
    "running",
    "schema_revisions",
    "seal_secrets",
    "service",
    "service_role",
    "stamp_of",
    "take_key_over",
    "upgrade_database",
    "with_tracker",
    "worker_for",
]
