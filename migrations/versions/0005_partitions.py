"""What grows without end: cut into partitions and stored as it is used on PostgreSQL, and listed by index on both.

On PostgreSQL the journal's old table becomes its first partition as it is, and the confirmations' too; reports are moved over.
That takes as long as reading the journal and writing the reports once more, and nobody writes meanwhile.

Revision: 0005, after 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ENTRIES = 50_000_000
REPORTS = 8

OUT_OF_LINE = (("inbox", "body"), ("quarantine", "body"))
PACKED = (
    ("consent", "summary"),
    ("consent", "terms"),
    ("report", "terms"),
    ("other_event", "data"),
    ("evidence", "jws"),
    ("entry", "leaf"),
    ("entry", "private"),
)
PARAMETERS = {
    # Room on each page for the next versions of its rows.
    "consent": {
        "fillfactor": 80,
        "autovacuum_vacuum_scale_factor": 0.02,
        "autovacuum_analyze_scale_factor": 0.02,
    },
    # Queues and rows that are written all the time: cleaned after so many dead rows, however large they have been.
    "inbox": {
        "fillfactor": 75,
        "autovacuum_vacuum_scale_factor": 0,
        "autovacuum_vacuum_threshold": 2000,
        "autovacuum_vacuum_cost_delay": 0,
        "autovacuum_analyze_scale_factor": 0,
        "autovacuum_analyze_threshold": 5000,
        "toast.autovacuum_vacuum_scale_factor": 0,
        "toast.autovacuum_vacuum_threshold": 5000,
        "toast.autovacuum_vacuum_cost_delay": 0,
    },
    "lease": {"fillfactor": 50, "autovacuum_vacuum_scale_factor": 0, "autovacuum_vacuum_threshold": 500},
    "journal": {"fillfactor": 10, "autovacuum_vacuum_scale_factor": 0, "autovacuum_vacuum_threshold": 500},
    "batch": {"autovacuum_vacuum_scale_factor": 0.05},
}


def upgrade() -> None:
    op.create_index("ix_consent_provider_tracking_id", "consent", ["provider", "tracking_id"], unique=False)
    op.create_index("ix_consent_status_tracking_id", "consent", ["status", "tracking_id"], unique=False)
    op.create_index(
        "ix_consent_status_expiration_date_time", "consent", ["status", "expiration_date_time"], unique=False
    )
    op.create_index("ix_consent_updated_at", "consent", ["updated_at"], unique=False)
    if not _is_postgres():
        return
    _cut_entries()
    _cut_confirmations()
    _cut_reports()
    for table, parameters in PARAMETERS.items():
        told = ", ".join(f"{name} = {value}" for name, value in parameters.items())
        op.execute(f"ALTER TABLE {table} SET ({told})")
    for table, column in OUT_OF_LINE:  # encrypted: there is nothing to pack
        op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET STORAGE EXTERNAL")
    if _has_lz4():
        for table, column in PACKED:
            _on_all_partitions(table, f"ALTER COLUMN {column} SET COMPRESSION lz4")


def downgrade() -> None:
    op.drop_index("ix_consent_updated_at", "consent")
    op.drop_index("ix_consent_status_expiration_date_time", "consent")
    op.drop_index("ix_consent_status_tracking_id", "consent")
    op.drop_index("ix_consent_provider_tracking_id", "consent")
    if not _is_postgres():
        return
    for table, column in OUT_OF_LINE:
        op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET STORAGE EXTENDED")
    for table, column in PACKED:
        _on_all_partitions(table, f"ALTER COLUMN {column} SET COMPRESSION default")
    for table, parameters in PARAMETERS.items():
        op.execute(f"ALTER TABLE {table} RESET ({', '.join(parameters)})")
    _in_one_piece("report")
    op.execute("ALTER TABLE report ADD CONSTRAINT pk_report PRIMARY KEY (digest)")
    _index_reports()
    _in_one_piece("confirmation")
    op.execute("ALTER TABLE confirmation ADD CONSTRAINT pk_confirmation PRIMARY KEY (id)")
    op.create_index("ix_confirmation_recorded_at", "confirmation", ["recorded_at"], unique=False)
    _index_confirmations()
    _in_one_piece("entry")
    op.execute("ALTER TABLE entry ADD CONSTRAINT pk_entry PRIMARY KEY (sequence)")
    op.execute("ALTER TABLE entry ADD CONSTRAINT uq_entry_id UNIQUE (id)")
    _index_entries()


# ---------------------------------------------------------------------------------------------- into partitions


def _cut_entries() -> None:
    next_sequence = int(_value("SELECT coalesce(max(sequence), 0) + 1 FROM entry"))
    upper = (next_sequence // ENTRIES + 1) * ENTRIES
    first = f"entry_before_{upper}"
    op.execute("ALTER TABLE entry DROP CONSTRAINT uq_entry_id")  # it would have to hold within each partition alone
    _step_aside("entry", first, ["pk_entry", "ix_entry_tracking_id_sequence"])
    op.execute(f"CREATE TABLE entry (LIKE {first} INCLUDING DEFAULTS) PARTITION BY RANGE (sequence)")
    op.execute("ALTER TABLE entry ADD CONSTRAINT pk_entry PRIMARY KEY (sequence)")
    _index_entries()
    op.execute(f"ALTER TABLE entry ATTACH PARTITION {first} FOR VALUES FROM (MINVALUE) TO ({upper})")
    op.execute("CREATE TABLE entry_rest PARTITION OF entry DEFAULT")


def _cut_confirmations() -> None:
    day = _value("SELECT greatest(now(), max(recorded_at)) AT TIME ZONE 'UTC' + interval '1 day' FROM confirmation")
    first, upper = f"confirmation_before_{day:%Y%m%d}", f"'{day:%Y-%m-%d} 00:00:00+00'"
    op.execute("ALTER TABLE confirmation DROP CONSTRAINT pk_confirmation")
    op.drop_index("ix_confirmation_recorded_at", "confirmation")
    _step_aside("confirmation", first, ["ix_confirmation_tracking_id_vouched_at"])
    op.execute(f"CREATE TABLE confirmation (LIKE {first} INCLUDING DEFAULTS) PARTITION BY RANGE (recorded_at)")
    op.execute("ALTER SEQUENCE confirmation_id_seq OWNED BY confirmation.id")
    _index_confirmations()
    op.execute(f"ALTER TABLE confirmation ATTACH PARTITION {first} FOR VALUES FROM (MINVALUE) TO ({upper})")
    op.execute("CREATE TABLE confirmation_rest PARTITION OF confirmation DEFAULT")


def _cut_reports() -> None:
    _step_aside("report", "old_report", ["pk_report", "ix_report_tracking_id_recorded_at", "ix_report_waiting"])
    op.execute("CREATE TABLE report (LIKE old_report INCLUDING DEFAULTS) PARTITION BY HASH (consent_id)")
    _index_reports()
    for n in range(REPORTS):
        op.execute(f"CREATE TABLE report_{n} PARTITION OF report FOR VALUES WITH (MODULUS {REPORTS}, REMAINDER {n})")
        # A digest is made of the consent's id, among others: what is unique in its partition is unique.
        op.execute(f"ALTER TABLE report_{n} ADD CONSTRAINT pk_report_{n} PRIMARY KEY (digest)")
    op.execute("INSERT INTO report SELECT * FROM old_report")
    op.execute("DROP TABLE old_report")


def _step_aside(table: str, name: str, indexes: list[str]) -> None:
    op.execute(f"ALTER TABLE {table} RENAME TO {name}")
    for index in indexes:  # their names are wanted for those of the whole
        op.execute(f"ALTER INDEX {index} RENAME TO {index}_{name.rpartition('_')[2]}")


def _in_one_piece(table: str) -> None:
    op.execute(f"ALTER TABLE {table} RENAME TO old_{table}")
    found = op.get_bind().execute(
        sa.text("SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = CAST(:name AS regclass)"),
        {"name": f"old_{table}"},
    )
    for index in found.scalars().all():
        op.execute(f"ALTER INDEX {index} RENAME TO old_{index}")
    op.execute(f"CREATE TABLE {table} (LIKE old_{table} INCLUDING DEFAULTS)")
    op.execute(f"INSERT INTO {table} SELECT * FROM old_{table}")  # noqa: S608 - names of ours
    if table == "confirmation":
        op.execute("ALTER SEQUENCE confirmation_id_seq OWNED BY confirmation.id")
    op.execute(f"DROP TABLE old_{table}")


# ---------------------------------------------------------------------------------------------- on both sides of it


def _index_entries() -> None:
    op.create_index("ix_entry_tracking_id_sequence", "entry", ["tracking_id", "sequence"], unique=False)


def _index_confirmations() -> None:
    op.create_index(
        "ix_confirmation_tracking_id_vouched_at", "confirmation", ["tracking_id", "vouched_at"], unique=False
    )


def _index_reports() -> None:
    op.create_index("ix_report_tracking_id_recorded_at", "report", ["tracking_id", "recorded_at"], unique=False)
    op.create_index(
        "ix_report_waiting",
        "report",
        ["provider", "consent_id"],
        unique=False,
        postgresql_where=sa.text("tracking_id IS NULL"),
    )


def _on_all_partitions(table: str, change: str) -> None:
    found = op.get_bind().execute(
        sa.text("SELECT relid::regclass::text FROM pg_partition_tree(CAST(:name AS regclass))"), {"name": table}
    )
    for name in found.scalars().all() or [table]:
        op.execute(f"ALTER TABLE ONLY {name} {change}")


def _is_postgres() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _has_lz4() -> bool:
    return bool(_value("SELECT 'lz4' = ANY(enumvals) FROM pg_settings WHERE name = 'default_toast_compression'"))


def _value(query: str) -> object:
    return op.get_bind().execute(sa.text(query)).scalar()
