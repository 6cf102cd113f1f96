"""Notices reach their endpoint, wait for nobody, and give up in the end."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest

from tests.unit.notices.endpoint import Endpoint
from timewright.decisions.notices import Facts, Notice, notices_of
from timewright.notices.courier import MOST_IN_LANE, Courier
from timewright.notices.telling import Subject, Telling
from timewright.resources.definition import secret_variable
from timewright.resources.notify import NotifyRule
from timewright.resources.vocabulary import NoticeEvent, Outcome

SECRET = {"secretKeyRef": {"name": "hooks", "key": "url"}}


class Sender:
    """A courier whose waits are short, and what became of its notices."""

    def __init__(self, environ: Mapping[str, str] = {}, **settings: Any) -> None:
        self.results: Counter[str] = Counter()
        settings = {"waits": (0.05, 0.05), "request_seconds": 20.0, **settings}
        self.courier = Courier(self._count, **settings)
        self.telling = Telling(self.courier, environ)

    def _count(self, channel: str, result: str) -> None:
        self.results[result] += 1

    def tell(self, streak: int, *ended: Facts, name: str = "backup", rules: list[dict[str, Any]]) -> None:
        subject = Subject(f"uid-{name}", "shop", name, [NotifyRule.model_validate(each) for each in rules])
        self.telling.tell(subject, notices_of(streak, ended))


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with Endpoint() as served:
        yield served


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    made = Sender()
    yield made
    await made.courier.close(0.1)


def run(number: int, outcome: Outcome, message: str = "") -> Facts:
    began = 1_700_000_000
    return Facts(f"backup-{number}", began + number, outcome, "NonZeroExit", message, began, began + 2)


async def until(ask: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not ask():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def test_a_failure_and_the_recovery_after_it(endpoint: Endpoint, sender: Sender) -> None:
    rules = [{"webhook": {"url": endpoint.url}, "minIntervalSeconds": 0}]

    sender.tell(0, run(1, Outcome.FAILED, "exit code 1"), rules=rules)
    sender.tell(1, run(2, Outcome.FAILED, "exit code 1"), rules=rules)
    sender.tell(2, run(3, Outcome.SUCCEEDED), rules=rules)
    sender.tell(0, run(4, Outcome.SUCCEEDED), rules=rules)

    await until(lambda: not sender.courier.waiting)
    first = endpoint.asked[0]
    assert (first.method, first.path) == ("POST", "/hook")
    assert first.body == {
        "text": "shop/backup failed: run backup-1: NonZeroExit: exit code 1",
        "event": "Failed",
        "task": "backup",
        "namespace": "shop",
        "run": "backup-1",
        "outcome": "Failed",
        "reason": "NonZeroExit",
        "message": "exit code 1",
        "scheduledAt": "2023-11-14T22:13:21Z",
        "startedAt": "2023-11-14T22:13:20Z",
        "finishedAt": "2023-11-14T22:13:22Z",
        "duration": 2,
        "failures": 1,
        "others": 0,
    }
    assert endpoint.texts[1:] == [
        "shop/backup failed: run backup-2: NonZeroExit: exit code 1. It has failed 2 times in a row",
        "shop/backup has recovered: run backup-3 succeeded after it had failed 2 times",
    ]
    assert sender.results == {"delivered": 3}


async def test_ticks_missed_together_are_told_together(endpoint: Endpoint, sender: Sender) -> None:
    missed = [run(number, Outcome.MISSED, "nobody was there") for number in range(5)]

    sender.tell(0, *missed, rules=[{"events": ["Missed"], "slack": {"url": endpoint.url}}])

    await until(lambda: endpoint.asked and not sender.courier.waiting)
    (text,) = endpoint.texts
    assert text.startswith("shop/backup missed its tick of 2023-11-14T22:13:24Z")
    assert text.endswith("4 more were missed")


async def test_a_check_is_signalled_by_its_paths(endpoint: Endpoint, sender: Sender) -> None:
    rules = [{"ping": {"url": f"{endpoint.url}/?rid=1"}, "events": ["Started", "Succeeded", "Failed"]}]
    subject = Subject("uid", "shop", "backup", [NotifyRule.model_validate(each) for each in rules])

    sender.telling.tell(subject, [Notice(NoticeEvent.STARTED, Facts("backup-1", 0))])
    sender.telling.tell(subject, notices_of(0, [run(1, Outcome.FAILED)]))
    sender.telling.tell(subject, notices_of(1, [run(2, Outcome.SUCCEEDED)]))

    await until(lambda: len(endpoint.asked) == 3)
    assert [(each.method, each.path) for each in endpoint.asked] == [
        ("GET", "/hook/start?rid=1"),
        ("GET", "/hook/fail?rid=1"),
        ("GET", "/hook/?rid=1"),
    ]


async def test_a_flood_is_one_notice_now_and_one_later(endpoint: Endpoint, sender: Sender) -> None:
    rules = [{"slack": {"url": endpoint.url}, "minIntervalSeconds": 1}]

    for number in range(200):
        sender.tell(number, run(number, Outcome.FAILED), rules=rules)

    await until(lambda: len(endpoint.asked) == 2)
    assert "backup-0" in endpoint.texts[0]
    assert "backup-199" in endpoint.texts[1]
    assert endpoint.texts[1].endswith("198 notices before this one were left out")
    await until(lambda: sender.results == {"delivered": 2})


async def test_what_went_wrong_once_is_tried_again(endpoint: Endpoint, sender: Sender) -> None:
    endpoint.statuses = [503, 429]

    sender.tell(0, run(1, Outcome.FAILED), rules=[{"webhook": {"url": endpoint.url}}])

    await until(lambda: sender.results["delivered"])
    assert sender.results == {"retried": 2, "delivered": 1}


async def test_a_request_without_an_answer_ends(caplog: pytest.LogCaptureFixture) -> None:
    hasty = Sender(request_seconds=0.1)
    async with Endpoint() as slow:
        slow.hangs = True
        hasty.tell(0, run(1, Outcome.FAILED), rules=[{"webhook": {"url": slow.url}}])
        await until(lambda: hasty.results["dropped"])
        assert hasty.results == {"retried": 2, "dropped": 1}
    assert "no answer within 0.1 s" in caplog.text
    await hasty.courier.close()


async def test_what_is_refused_is_not_tried_again(
    endpoint: Endpoint, sender: Sender, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint.statuses = [404]

    sender.tell(0, run(1, Outcome.FAILED), rules=[{"webhook": {"url": endpoint.url}}])

    await until(lambda: sender.results["dropped"])
    assert len(endpoint.asked) == 1
    assert "shop/backup notify[0]: a notice was not delivered: 127.0.0.1: answered 404" in caplog.text


async def test_an_endpoint_that_is_down_is_given_up_with_a_line_that_shows_no_secret(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Endpoint() as gone:
        url = gone.url.replace("/hook", "/hook/T0KEN")
    sender = Sender({secret_variable("hooks", "url"): url})

    sender.tell(0, run(1, Outcome.FAILED), rules=[{"slack": {"urlFrom": SECRET}}])

    await until(lambda: sender.results["dropped"])
    assert sender.results == {"retried": 2, "dropped": 1}
    assert "connection refused" in caplog.text
    assert "T0KEN" not in caplog.text
    assert sender.courier.waiting == 0
    await sender.courier.close()


async def test_a_slow_endpoint_keeps_nobody_else_waiting(endpoint: Endpoint, sender: Sender) -> None:
    async with Endpoint() as slow:
        slow.hangs = True
        for number in range(20):
            sender.tell(0, run(1, Outcome.FAILED), name=f"slow-{number}", rules=[{"webhook": {"url": slow.url}}])
        sender.tell(0, run(1, Outcome.FAILED), rules=[{"webhook": {"url": endpoint.url}}])

        await until(lambda: endpoint.asked)

        assert len(slow.asked) <= 4
        assert sender.courier.waiting >= 20
        await sender.courier.close(0)


async def test_what_finds_no_room_is_dropped_and_counted(sender: Sender, caplog: pytest.LogCaptureFixture) -> None:
    async with Endpoint() as slow:
        slow.hangs = True
        for number in range(MOST_IN_LANE + 10):
            rules = [{"webhook": {"url": slow.url}, "minIntervalSeconds": 0}]
            sender.tell(number, run(number, Outcome.FAILED), rules=rules)
        assert sender.results == {"dropped": 10}
        assert sender.courier.waiting == MOST_IN_LANE
        assert caplog.text.count("were dropped") == 1
        await sender.courier.close(0)
    assert sender.courier.waiting == 0


async def test_secrets_come_from_the_environment_and_headers_are_sent(endpoint: Endpoint) -> None:
    environ = {secret_variable("hooks", "url"): endpoint.url + "\n", secret_variable("hooks", "token"): "s3cret"}
    sender = Sender(environ)
    header = {"name": "Authorization", "valueFrom": {"secretKeyRef": {"name": "hooks", "key": "token"}}}

    rules = [{"webhook": {"urlFrom": SECRET, "headers": [header]}, "template": "$$ ${task} ${event}"}]
    sender.tell(0, run(1, Outcome.FAILED), rules=rules)

    await until(lambda: endpoint.asked)
    assert endpoint.asked[0].headers["authorization"] == "s3cret"
    assert endpoint.texts == ["$ backup Failed"]
    await sender.courier.close()


async def test_a_secret_that_is_not_there_is_named(sender: Sender, caplog: pytest.LogCaptureFixture) -> None:
    sender.tell(0, run(1, Outcome.FAILED), rules=[{"slack": {"urlFrom": SECRET}}])
    assert sender.results == {"dropped": 1}
    assert "key 'url' of Secret 'hooks' is not there" in caplog.text


@pytest.mark.parametrize("bad", ["s3cret\x00line", "s3cret\nother: x"])
async def test_a_header_that_cannot_be_sent_is_not_shown(
    endpoint: Endpoint, bad: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore"):  # as `cluster.logs.set_up_logging` has it
        caplog.set_level(logging.WARNING, name)
    sender = Sender({secret_variable("hooks", "url"): bad})

    header = {"name": "Authorization", "valueFrom": SECRET}
    sender.tell(0, run(1, Outcome.FAILED), rules=[{"webhook": {"url": endpoint.url, "headers": [header]}}])

    await until(lambda: sender.results["dropped"])
    assert "s3cret" not in caplog.text
    assert not endpoint.asked
    await sender.courier.close()


async def test_notices_go_to_allowed_hosts_alone_and_follow_no_redirect(endpoint: Endpoint) -> None:
    sender = Sender(allowed_hosts=("hooks.example.com", "*.example.org"))
    sender.tell(0, run(1, Outcome.FAILED), rules=[{"webhook": {"url": endpoint.url}}])
    await until(lambda: sender.results["refused"])
    assert not endpoint.asked

    endpoint.statuses = [302]
    other = Sender(allowed_hosts=("127.0.0.1",))
    other.tell(0, run(1, Outcome.FAILED), rules=[{"webhook": {"url": endpoint.url}}])
    await until(lambda: other.results["dropped"])
    assert len(endpoint.asked) == 1
    for each in (sender, other):
        await each.courier.close()


async def test_what_is_held_of_a_task_goes_with_it(endpoint: Endpoint, sender: Sender) -> None:
    rules = [{"slack": {"url": endpoint.url}, "minIntervalSeconds": 1}]
    sender.tell(0, run(1, Outcome.FAILED), rules=rules)
    sender.tell(1, run(2, Outcome.FAILED), rules=rules)
    sender.telling.forget("uid-backup")
    await asyncio.sleep(1.2)
    assert len(endpoint.asked) == 1
