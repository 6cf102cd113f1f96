"""The door for cron: a managed block in a user's crontab that calls `schedule:run` every minute."""
