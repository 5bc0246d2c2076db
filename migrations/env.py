"""How migrations find their database: a connection that is handed in, or `alembic -x url=…` by hand."""

from alembic import context
from sqlalchemy import Connection, Engine, create_engine, make_url

from tracker.adapters.store.migrate import compared
from tracker.adapters.store.sqlite import engine_for
from tracker.adapters.store.tables import metadata


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=True,
        **compared(connection),
        transaction_per_migration=False,
    )
    with context.begin_transaction():
        context.run_migrations()


def engine(text: str) -> Engine:
    url = make_url(text)
    if url.get_backend_name() == "sqlite" and url.database:
        # Its driver begins no transaction for changes of the schema: one that failed would be left half done.
        return engine_for(url.database, writer=True)
    return create_engine(url)


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    url = context.get_x_argument(as_dictionary=True).get("url")
    if not url:
        message = "Name the database: alembic -x url=sqlite:///tracker.db …, or use `tracker db upgrade`."
        raise SystemExit(message)
    with engine(url).begin() as connection:
        run(connection)
