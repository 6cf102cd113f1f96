"""What a notice says: its text, and the body of the request that carries it. Pure."""

from __future__ import annotations

import string
from datetime import UTC, datetime
from typing import Any

from timewright.decisions.notices import Notice
from timewright.resources.model import format_time
from timewright.resources.vocabulary import NoticeEvent

MESSAGE_LIMIT = 1000
"""Characters of a run's own message that a notice tells."""


def fields_of(notice: Notice, namespace: str, task: str) -> dict[str, Any]:
    """Return what there is to fill in, by the names that templates use; None where it is not known."""
    facts = notice.facts
    duration = None
    if facts.started_at is not None and facts.finished_at is not None:
        duration = round(max(0.0, facts.finished_at - facts.started_at), 3)
    return {
        "event": notice.event.value,
        "task": task,
        "namespace": namespace,
        "run": facts.run,
        "outcome": None if facts.outcome is None else facts.outcome.value,
        "reason": facts.reason or None,
        "message": facts.message[:MESSAGE_LIMIT] or None,
        "scheduledAt": _time(facts.scheduled_at),
        "startedAt": _time(facts.started_at),
        "finishedAt": _time(facts.finished_at),
        "duration": duration,
        "failures": notice.failures,
        "others": notice.others,
    }


def text_of(notice: Notice, namespace: str, task: str, template: str | None) -> str:
    """Return the text of a notice: the template filled in, or what we say ourselves."""
    fields = fields_of(notice, namespace, task)
    if template is None:
        return _own_text(notice, fields)
    texts = {name: "" if value is None else str(value) for name, value in fields.items()}
    return string.Template(template).safe_substitute(texts)


def webhook_body(notice: Notice, namespace: str, task: str, template: str | None) -> dict[str, Any]:
    """Return the JSON object that a webhook is given."""
    fields = fields_of(notice, namespace, task)
    present = {name: value for name, value in fields.items() if value is not None}
    return {"text": text_of(notice, namespace, task, template), **present}


def slack_body(notice: Notice, namespace: str, task: str, template: str | None) -> dict[str, Any]:
    """Return the JSON object that Slack is given. What is filled in cannot be read as markup, such as a mention.

    See https://docs.slack.dev/messaging/formatting-message-text/#escaping.
    """
    text = text_of(notice, namespace, task, template)
    return {"text": text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")}


def ping_url(url: str, event: NoticeEvent) -> str:
    """Return what to request to signal an event to a check whose URL is given; its query stays at the end."""
    base, mark, query = url.partition("?")
    end = {NoticeEvent.FAILED: "/fail", NoticeEvent.STARTED: "/start"}.get(event, "")
    return f"{base.rstrip('/') if end else base}{end}{mark}{query}"


def _own_text(notice: Notice, fields: dict[str, Any]) -> str:
    name, run = f"{fields['namespace']}/{fields['task']}", fields["run"]
    why = ": ".join(each for each in (fields["reason"], fields["message"]) if each)
    others = notice.others
    if notice.event is NoticeEvent.FAILED:
        text = f"{name} failed: run {run}: {why}"
        text += f". It has failed {notice.failures} times in a row" if notice.failures > 1 else ""
    elif notice.event is NoticeEvent.RECOVERED:
        times = "once" if notice.failures == 1 else f"{notice.failures} times"
        text = f"{name} has recovered: run {run} succeeded after it had failed {times}"
    elif notice.event is NoticeEvent.MISSED:
        text = f"{name} missed its tick of {fields['scheduledAt']}: {why}"
        return text + (f". {others} more were missed" if others else "")
    elif notice.event is NoticeEvent.LONG_RUNNING:
        text = f"{name} is still running: run {run}, since {fields['startedAt']}"
    else:
        text = f"{name} {'started' if notice.event is NoticeEvent.STARTED else 'succeeded'}: run {run}"
    return text + (f". {others} notices before this one were left out" if others else "")


def _time(instant: float | None) -> str | None:
    return None if instant is None else format_time(datetime.fromtimestamp(instant, UTC))
