"""A store for the daemon: one Lease holds who leads and what is claimed; the rest is the memory of who leads."""
