"""The store for many machines: a schema of a PostgreSQL database. Needs `pip install 'timewright[postgresql]'`."""

from timewright.storage.postgresql.store import PostgresqlStore

__all__ = ["PostgresqlStore"]
