"""Alembic's way in: the connection and its transaction come from `store/engine/migrate.py`."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
context.run_migrations()
