"""Alembic's entry: runs revisions on the connection that `platform.migrate` hands in, or prints their SQL."""

from alembic import context

connection = context.config.attributes.get("connection")
if context.is_offline_mode():
    context.configure(dialect_name="postgresql", literal_binds=True)
else:
    context.configure(connection=connection, **context.config.attributes["comparison"])

with context.begin_transaction():
    context.run_migrations()
