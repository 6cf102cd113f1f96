"""Whom to tell of what becomes of a task's runs."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from timewright.resources.kinds import HttpHeader, SecretKeyReference
from timewright.resources.model import Model, with_rules
from timewright.resources.vocabulary import NoticeEvent

Url = Annotated[str, Field(min_length=1, max_length=2048, pattern=r"^https?://[^\s]+$")]

_ONE_URL = ("has(self.url) != has(self.urlFrom)", "set exactly one of url and urlFrom")


class UrlSource(Model):
    """Where a URL comes from."""

    secret_key_ref: SecretKeyReference = Field(description="A key of a Secret in the task's namespace.")


class Destination(Model):
    """A URL, written down or taken from a Secret."""

    model_config = with_rules(_ONE_URL)

    url: Url | None = Field(default=None, description="Absolute http or https URL.")
    url_from: UrlSource | None = Field(
        default=None, description="Takes the URL from a Secret. Needs mode Daemon; it is never logged."
    )


class Webhook(Destination):
    """A URL to which a JSON object is posted: event, task, namespace, run, outcome, reason, message, text and more."""

    headers: list[HttpHeader] = Field(
        default_factory=list,
        max_length=16,
        description="Request headers. A valueFrom needs mode Daemon.",
    )


class Slack(Destination):
    """An incoming webhook of Slack, or of whatever takes the same: a JSON object with the key `text`."""


class Ping(Destination):
    """A check in the manner of healthchecks.io: url when a run succeeds, url/fail when it fails, url/start before."""


CHANNELS = ("webhook", "slack", "ping")
"""The fields of a rule that say where to; exactly one is set."""

TEMPLATE_FIELDS = (
    "event",
    "task",
    "namespace",
    "run",
    "outcome",
    "reason",
    "message",
    "scheduledAt",
    "startedAt",
    "finishedAt",
    "duration",
    "failures",
    "others",
)
"""What a template may name."""

PING_EVENTS = frozenset({NoticeEvent.STARTED, NoticeEvent.SUCCEEDED, NoticeEvent.FAILED})


class NotifyRule(Model):
    """Of what to tell whom."""

    model_config = with_rules(
        (
            f"[{', '.join(f'has(self.{each})' for each in CHANNELS)}].filter(each, each).size() == 1",
            f"set exactly one of {', '.join(CHANNELS)}; give each an item of its own",
        ),
        (
            "has(self.longRunningSeconds) == (has(self.events) && 'LongRunning' in self.events)",
            "LongRunning goes with longRunningSeconds, which says how long is long",
        ),
    )

    events: list[NoticeEvent] | None = Field(
        default=None,
        min_length=1,
        max_length=len(NoticeEvent),
        description="Of what: Failed (a run failed or was lost), Recovered (the first success after that), Missed (a "
        "tick was not started in time; needs mode Daemon), LongRunning (a run goes on for longRunningSeconds), Started "
        "and Succeeded (each run). Default: Failed and Recovered; for ping, Succeeded and Failed. A ping takes Started "
        "besides, and no others.",
    )
    webhook: Webhook | None = Field(default=None, description="Posts a JSON object.")
    slack: Slack | None = Field(default=None, description="Posts a message to Slack, Mattermost, Discord's /slack.")
    ping: Ping | None = Field(default=None, description="Signals a check of healthchecks.io or its like.")
    template: str | None = Field(
        default=None,
        min_length=1,
        max_length=4096,
        description="The text, in which ${task} and its like are filled in: " + ", ".join(TEMPLATE_FIELDS) + ". It is "
        "the message of slack, and `text` in the object of webhook. `$$` is a dollar sign.",
    )
    min_interval_seconds: int | None = Field(
        default=None,
        ge=0,
        le=86400,
        description="At most one notice of a kind in so many seconds, and the latest at their end, which tells how "
        "many others there were. Default: 60; for ping 0.",
    )
    long_running_seconds: int | None = Field(
        default=None, ge=1, le=2147483, description="How many seconds after its start a run is told of as LongRunning."
    )

    @property
    def wanted(self) -> frozenset[NoticeEvent]:
        """Of what to tell, with the default filled in."""
        if self.events is not None:
            return frozenset(self.events)
        if self.ping is not None:
            return frozenset({NoticeEvent.SUCCEEDED, NoticeEvent.FAILED})
        return frozenset({NoticeEvent.FAILED, NoticeEvent.RECOVERED})

    @property
    def interval(self) -> int:
        """The least number of seconds between two notices of a kind, with the default filled in."""
        if self.min_interval_seconds is not None:
            return self.min_interval_seconds
        return 0 if self.ping is not None else 60

    @property
    def channel(self) -> str:
        """Which of the channels it is."""
        return next(each for each in CHANNELS if getattr(self, each) is not None)

    @property
    def destination(self) -> Destination:
        """Where to."""
        found: Destination = getattr(self, self.channel)
        return found

    @property
    def secrets(self) -> list[SecretKeyReference]:
        """The keys of Secrets that it takes something from."""
        found = [self.destination.url_from.secret_key_ref] if self.destination.url_from is not None else []
        headers = self.webhook.headers if self.webhook is not None else []
        return found + [each.value_from.secret_key_ref for each in headers if each.value_from is not None]
