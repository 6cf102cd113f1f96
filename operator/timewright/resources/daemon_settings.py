"""How a TaskDaemon's settings reach its process: the names of environment variables.

The builder of its Pods writes them and the process reads them, so both take them from here.
"""

from __future__ import annotations

NAMESPACE = "TIMEWRIGHT_NAMESPACE"
"""The namespace whose tasks it starts: that of the Pod."""

POD_NAME = "POD_NAME"
"""What the replica is called in the Lease."""

DAEMON = "TIMEWRIGHT_DAEMON"
"""The name of the TaskDaemon."""

LEASE_DURATION_SECONDS = "TIMEWRIGHT_LEASE_DURATION_SECONDS"
TERMINATION_GRACE_PERIOD_SECONDS = "TIMEWRIGHT_TERMINATION_GRACE_PERIOD_SECONDS"
MAX_CONCURRENT_RUNS = "TIMEWRIGHT_MAX_CONCURRENT_RUNS"
MAX_CONCURRENT_JOBS = "TIMEWRIGHT_MAX_CONCURRENT_JOBS"
API_WRITES_PER_MINUTE = "TIMEWRIGHT_API_WRITES_PER_MINUTE"
"""The fields of `TaskDaemonSpec` of the same names, in decimal; absent where the field is."""

LOCKS = "TIMEWRIGHT_LOCKS"
"""How many runs may hold a lock at once, by its name, as a JSON object; absent where no lock has more than one slot."""

STORE = "TIMEWRIGHT_STORE"
"""The connection string of the PostgreSQL database for the full history, where there is one."""

STORE_SOURCE = "TIMEWRIGHT_STORE_SOURCE"
"""Where that string comes from, as NAME/KEY of a Secret. It is set even if there is no such key."""

HISTORY_MAX_AGE_SECONDS = "TIMEWRIGHT_HISTORY_MAX_AGE_SECONDS"
"""For how many seconds runs are kept in it, in decimal; absent where they are kept for ever."""

RUNNER_IMAGE = "TIMEWRIGHT_RUNNER_IMAGE"
RUNNER_IMAGE_PULL_POLICY = "TIMEWRIGHT_RUNNER_IMAGE_PULL_POLICY"
"""The image of Jobs for tasks that name none, and how nodes pull it."""

PROBES_PORT = 8080
"""`/healthz` and `/readyz`."""

METRICS_PORT = 9090
"""`/metrics`."""
