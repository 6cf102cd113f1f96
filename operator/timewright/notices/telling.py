"""From what there is to tell of a task to the requests that tell it, at the pace that each of its rules allows."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from timewright.decisions.notices import Notice, Pace, admit, kind_of, release
from timewright.notices.courier import Courier, Parcel
from timewright.notices.texts import ping_url, slack_body, webhook_body
from timewright.resources.definition import secret_variable
from timewright.resources.kinds import SecretKeyReference
from timewright.resources.notify import NotifyRule
from timewright.resources.vocabulary import NoticeEvent

logger = logging.getLogger(__name__)


class _NoSecret(Exception):  # noqa: N818 - a fact, not a fault
    """Something that a Secret should hold is not there."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A task that there is something to tell of."""

    key: str
    """Its UID."""
    namespace: str
    name: str
    rules: Sequence[NotifyRule]


class Telling:
    """Tells of many tasks."""

    def __init__(self, courier: Courier, environ: Mapping[str, str]) -> None:
        """Send by a courier. Secrets are in `environ`, under the names of `resources.definition.secret_variable`."""
        self._courier, self._environ = courier, environ
        self._paces: dict[str, dict[tuple[int, str], Pace]] = {}

    def tell(self, subject: Subject, notices: Iterable[Notice]) -> None:
        """Send each notice to those who want it, now or when their pace allows. Returns at once."""
        told = list(notices)
        recovered = {each.facts.run for each in told if each.event is NoticeEvent.RECOVERED}
        for index, rule in enumerate(subject.rules):
            wanted = rule.wanted
            for notice in told:
                is_said_better = (
                    notice.event is NoticeEvent.SUCCEEDED
                    and NoticeEvent.RECOVERED in wanted
                    and notice.facts.run in recovered
                )
                if notice.event in wanted and not is_said_better:
                    self.tell_by(subject, index, notice)

    def forget(self, key: str) -> None:
        """Forget a task that is gone, and what was held of it."""
        self._paces.pop(key, None)

    def tell_by(self, subject: Subject, index: int, notice: Notice) -> None:
        """Send a notice by one of the task's rules alone, now or when its pace allows. Returns at once."""
        rule, at = subject.rules[index], (index, kind_of(notice.event))
        if not rule.interval:
            return self._send(subject, index, notice)
        paces = self._paces.setdefault(subject.key, {})
        before, now = paces.get(at, Pace()), time.monotonic()
        paces[at], due = admit(before, notice, rule.interval, now)
        if due is not None:
            self._send(subject, index, due)
        elif before.held is None:
            wait = rule.interval - (now - (before.told_at or now))
            asyncio.get_running_loop().call_later(max(0.0, wait) + 0.01, self._release, subject, at)
        return None

    def _release(self, subject: Subject, at: tuple[int, str]) -> None:
        paces = self._paces.get(subject.key)
        if paces is None or at not in paces:
            return
        paces[at], due = release(paces[at], subject.rules[at[0]].interval, time.monotonic())
        if due is not None:
            self._send(subject, at[0], due)

    def _send(self, subject: Subject, index: int, notice: Notice) -> None:
        rule = subject.rules[index]
        try:
            parcel = self._parcel(subject, index, notice)
        except _NoSecret as error:
            logger.warning("%s: a notice was not delivered: %s", _lane(subject, index), error)
            self._courier.drop(rule.channel)
            return
        self._courier.submit(parcel)

    def _parcel(self, subject: Subject, index: int, notice: Notice) -> Parcel:
        rule = subject.rules[index]
        destination, lane = rule.destination, _lane(subject, index)
        if destination.url_from is not None:
            url = self._secret(destination.url_from.secret_key_ref)
        else:
            url = destination.url or ""
        of = (notice, subject.namespace, subject.name)
        parcel = Parcel(lane, rule.channel, "POST", url)
        if rule.ping is not None:
            return replace(parcel, method="GET", url=ping_url(url, notice.event))
        if rule.webhook is None:
            return replace(parcel, body=slack_body(*of, rule.template))
        headers = {
            each.name: (each.value or "") if each.value_from is None else self._secret(each.value_from.secret_key_ref)
            for each in rule.webhook.headers
        }
        return replace(parcel, headers=headers, body=webhook_body(*of, rule.template))

    def _secret(self, reference: SecretKeyReference) -> str:
        value = self._environ.get(secret_variable(reference.name, reference.key), "").strip()
        if not value:
            text = f"key {reference.key!r} of Secret {reference.name!r} is not there, or has not reached this Pod yet"
            raise _NoSecret(f"{text}; create it, and restart the daemon's Pods if it was changed")
        return value


def _lane(subject: Subject, index: int) -> str:
    return f"{subject.namespace}/{subject.name} notify[{index}]"
