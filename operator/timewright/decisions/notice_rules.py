"""Is what a task says of notices valid, and can it be done in its mode?"""

from __future__ import annotations

import string
from urllib.parse import urlsplit

from timewright.resources.notify import PING_EVENTS, TEMPLATE_FIELDS, NotifyRule
from timewright.resources.scheduled_task import ScheduledTaskSpec
from timewright.resources.vocabulary import Mode, NoticeEvent


def wrong_notify(spec: ScheduledTaskSpec, *, native: bool) -> str | None:
    """Say what is wrong with `spec.notify`, if anything is. `native`: whether the task is in a cluster."""
    by_operator = native and (spec.mode is Mode.CRON_JOB or (spec.app is not None and spec.app.work is not None))
    for index, rule in enumerate(spec.notify):
        problem = _wrong_rule(rule) or (_beyond_operator(rule, spec) if by_operator else None)
        if problem is not None:
            return f"spec.notify[{index}]{problem}"
    return None


def _wrong_rule(rule: NotifyRule) -> str | None:
    channels = [each for each in ("webhook", "slack", "ping") if getattr(rule, each) is not None]
    if len(channels) != 1:
        found = " and ".join(channels) or "none"
        return f": exactly one of webhook, slack and ping must be set, found {found}; give each an item of its own"
    if (rule.destination.url is None) == (rule.destination.url_from is None):
        return f".{rule.channel}: exactly one of url and urlFrom must be set; keep one of them"
    for number, header in enumerate(rule.webhook.headers if rule.webhook is not None else ()):
        if (header.value is None) == (header.value_from is None):
            return f".webhook.headers[{number}]: exactly one of value and valueFrom must be set; keep one of them"
    if (NoticeEvent.LONG_RUNNING in rule.wanted) != (rule.long_running_seconds is not None):
        return ".longRunningSeconds: goes with LongRunning in events, and the other way round; set both or none"
    if rule.ping is not None:
        return _wrong_ping(rule)
    return None if rule.template is None else _wrong_template(rule.template)


def _wrong_ping(rule: NotifyRule) -> str | None:
    if unknown := sorted(rule.wanted - PING_EVENTS):
        expected = ", ".join(sorted(PING_EVENTS))
        return f".events: {unknown[0]}: a ping can tell {expected} alone; take it to a webhook or slack"
    if rule.template is not None:
        return ".template: a ping has no text; remove it"
    return None


def _wrong_template(template: str) -> str | None:
    for found in string.Template.pattern.finditer(template):
        if found["invalid"] is not None:
            near = template[found.start() : found.start() + 20]
            return f".template: {near!r}: a $ that names nothing; write ${{task}} and its like, or $$ for a dollar sign"
        name = found["named"] or found["braced"]
        if name is not None and name not in TEMPLATE_FIELDS:
            return f".template: ${{{name}}}: not known; expected one of {', '.join(TEMPLATE_FIELDS)}"
    return None


def _beyond_operator(rule: NotifyRule, spec: ScheduledTaskSpec) -> str | None:
    if spec.mode is not Mode.CRON_JOB:
        return ": nothing is known of the runs that an application with work starts; remove notify, or remove app.work"
    if rule.secrets:
        field = f"{rule.channel}.urlFrom" if rule.destination.url_from is not None else "webhook.headers"
        return (
            f".{field}: in mode CronJob the operator tells, and it cannot read Secrets; "
            "use mode Daemon, where the daemon's Pod is given the Secret, or write the value itself"
        )
    if NoticeEvent.MISSED in rule.wanted:
        return (
            ".events: Missed: in mode CronJob a tick that was missed leaves no record; "
            "use mode Daemon, or an alert on timewright_task_next_success_deadline_timestamp_seconds"
        )
    return None


def not_allowed(spec: ScheduledTaskSpec, hosts: tuple[str, ...]) -> list[str]:
    """Tell of each rule whose notices the operator would refuse to send, given the hosts it may send to."""
    told = []
    for index, rule in enumerate(spec.notify):
        url = rule.destination.url
        host = urlsplit(url).hostname if url is not None else None
        if host is not None and not is_allowed(host, hosts):
            told.append(
                f"{NOTIFY_WARNING}{index}].{rule.channel}.url: the operator may not send to {host!r}; have an "
                "administrator add it to the chart's notifications.allowedHosts, or use mode Daemon"
            )
    return told


NOTIFY_WARNING = "spec.notify["
"""What warnings about notices begin with."""


def is_allowed(host: str, hosts: tuple[str, ...]) -> bool:
    """Tell whether a host is one of those listed; `*.example.com` stands for all below it, `*` for all."""
    name = host.lower().rstrip(".")
    return bool(name) and any(
        each == "*" or name == each or (each.startswith("*.") and name.endswith(each[1:])) for each in hosts
    )
