"""PostgreSQL: what housekeeping changes of tables, as functions of the database that belong to who owns the tables.

The service's own role may call them and do nothing else to a table: make the next partition of the journal or of the
confirmations, and forget old confirmations. Each takes names of partitions and nothing that could be a statement, and runs
with the rights of its owner and a search path of its own (SECURITY DEFINER).
"""

from typing import Final

from sqlalchemy import Connection, bindparam, func, select, text

from tracker.adapters.store.tables import confirmation

FUNCTIONS: Final = (
    "tracker_add_partition(text, text, text, text)",
    "tracker_drop_confirmations(text)",
    "tracker_forget_confirmations(timestamptz)",
)

_ADD: Final = """
CREATE FUNCTION {schema}.tracker_add_partition(whole text, part text, lower_bound text, upper_bound text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
DECLARE
    rest text := whole || '_rest';
    key text := CASE whole WHEN 'entry' THEN 'sequence' WHEN 'confirmation' THEN 'recorded_at' END;
    is_below boolean;
    is_beyond boolean;
BEGIN
    IF key IS NULL OR part !~ ('^' || whole || '_before_[0-9]{{1,19}}$') THEN
        RAISE EXCEPTION 'no partition of that name is made';
    END IF;
    EXECUTE format('SELECT min(%1$I) < %3$L, max(%1$I) >= %3$L FROM %2$I', key, rest, upper_bound)
        INTO is_below, is_beyond;
    IF is_below AND is_beyond THEN
        RETURN false;
    END IF;
    IF is_below THEN
        -- All that are about to write to the table wait here, while the rows that were taken are read once.
        EXECUTE format('ALTER TABLE %I DETACH PARTITION %I', whole, rest);
        EXECUTE format('ALTER TABLE %I RENAME TO %I', rest, part);
        EXECUTE format(
            'ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', whole, part, lower_bound, upper_bound);
        EXECUTE format('CREATE TABLE %I PARTITION OF %I DEFAULT', rest, whole);
        part := rest;
    ELSE
        -- Made apart and then attached: that waits for no writer, and none for it.
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', part, whole);
        EXECUTE format(
            'ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', whole, part, lower_bound, upper_bound);
    END IF;
    IF whole = 'entry' THEN
        EXECUTE format(
            'CREATE TRIGGER immutable_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION tracker_refuse()',
            part);
    END IF;
    RETURN true;
END $$
"""

_DROP: Final = """
CREATE FUNCTION {schema}.tracker_drop_confirmations(part text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
BEGIN
    IF part !~ '^confirmation_before_[0-9]{{8}}$' THEN
        RAISE EXCEPTION 'only days of confirmations are dropped';
    END IF;
    EXECUTE format('DROP TABLE %I', part);
END $$
"""

_FORGET: Final = """
CREATE FUNCTION {schema}.tracker_forget_confirmations(before timestamptz) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
    DELETE FROM confirmation_rest WHERE recorded_at < before
$$
"""


def make_functions(connection: Connection) -> None:
    """Make them in the schema of the tables; nobody but their owner may call them yet."""
    schema = connection.execute(text("SELECT quote_ident(current_schema())")).scalar_one()
    for statement in (_ADD, _DROP, _FORGET):
        connection.exec_driver_sql(statement.format(schema=schema))
    for function in FUNCTIONS:
        connection.exec_driver_sql(f"REVOKE ALL ON FUNCTION {schema}.{function} FROM PUBLIC")


def drop_functions(connection: Connection) -> None:
    """Take them away again."""
    for function in FUNCTIONS:
        connection.exec_driver_sql(f"DROP FUNCTION {function}")


def add_partition(connection: Connection, whole: str, part: str, bounds: tuple[str, str]) -> bool:
    """Make a partition; False where the one for the rest holds what is both below and beyond its bound."""
    return bool(connection.execute(select(func.tracker_add_partition(whole, part, *bounds))).scalar())


def drop_confirmations(connection: Connection, part: str) -> None:
    """Drop a day of confirmations."""
    connection.execute(select(func.tracker_drop_confirmations(part)))


def forget_confirmations(connection: Connection, before: object) -> None:
    """Delete old confirmations that are in no day's partition."""
    old = bindparam("before", before, confirmation.c.recorded_at.type)
    connection.execute(select(func.tracker_forget_confirmations(old)))
