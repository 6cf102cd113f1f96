"""Schedules declared in Python: `Schedule` and the fluent form of its tasks."""
