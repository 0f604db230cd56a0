"""What Alembic runs: the migrations on the connection that it is handed, in that connection's transaction."""

from alembic import context

from yescale.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
