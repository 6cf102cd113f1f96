"""The store for one machine: an SQLite file that any number of processes share.

It has to lie on a local file system, since the processes share memory through it: two machines, virtual or not, cannot
use one file. Containers on one kernel can.
"""

from timewright.storage.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
