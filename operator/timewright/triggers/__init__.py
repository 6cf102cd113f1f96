"""The doors through which something outside calls a schedule: a crontab, AWS Lambda, Azure Functions, an HTTP call."""
