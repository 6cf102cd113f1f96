"""API objects → what decisions look at."""

from timewright.cluster.observe import observe_cron_job, observe_deployment, observe_job, observe_pod, observe_run

__all__ = ["observe_cron_job", "observe_deployment", "observe_job", "observe_pod", "observe_run"]
