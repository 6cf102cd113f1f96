"""The paths of the application and what they answer."""

import asyncio
import inspect
import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.unit.triggers.conftest import rfc3339
from tests.unit.triggers.http.conftest import BEARER, TOKEN, Clients
from tests.unit.triggers.http.test_request import CLOUD_SCHEDULER, PING_SOURCE
from tests.unit.triggers.test_event import RULE
from timewright import Schedule
from timewright.triggers.http import asgi_app
from timewright.triggers.http.authentication import TokenError
from timewright.triggers.http.problem import MEDIA_TYPE


def assert_problem(response: httpx.Response, status: int, words: str) -> None:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == MEDIA_TYPE
    document = response.json()
    assert (document["type"], document["status"]) == ("about:blank", status)
    assert re.search(words, document["detail"]), document


async def test_run(client: httpx.AsyncClient, ran: list[str], minute: datetime) -> None:
    response = await client.post("/run", json={"at": rfc3339(minute)})
    told = response.json()
    assert response.status_code == 200
    assert (told["scheduledAt"], told["outcomes"], told["exitCode"]) == (rfc3339(minute), {"Succeeded": 1}, 0)
    assert ran == [f"sync {minute:%H:%M} since yesterday"]


async def test_run_of_the_present_minute(client: httpx.AsyncClient, ran: list[str]) -> None:
    before = datetime.now(UTC)
    at = datetime.fromisoformat((await client.post("/run")).json()["scheduledAt"])
    assert before - timedelta(minutes=1) < at <= datetime.now(UTC)
    assert ran[0] == f"sync {at:%H:%M} since yesterday"


async def test_callers_on_a_schedule_tell_the_nominal_time(
    client: httpx.AsyncClient, ran: list[str], minute: datetime
) -> None:
    at = rfc3339(minute)
    requests = [
        {"headers": {**CLOUD_SCHEDULER, "x-cloudscheduler-scheduletime": at}},
        {"headers": {**PING_SOURCE, "ce-time": at}, "content": b'{"message": "tick"}'},
        {"json": {**RULE, "time": at}},
    ]
    told = [(await client.post("/run", **each)).json() for each in requests]
    assert [each["scheduledAt"] for each in told] == [at, at, at]
    # It is the same minute, so it ran once.
    assert [len(each["runs"]) for each in told] == [1, 0, 0]
    assert len(ran) == 1


async def test_calls_that_overlap_run_nothing_twice(
    client: httpx.AsyncClient, ran: list[str], minute: datetime
) -> None:
    responses = await asyncio.gather(*(client.post("/run", json={"at": rfc3339(minute)}) for _ in range(5)))
    assert [each.status_code for each in responses] == [200] * 5
    assert len(ran) == 1


async def test_a_failed_task_is_told_in_the_body_since_to_call_again_would_not_help(
    clients: Clients, minute: datetime
) -> None:
    schedule = Schedule("shop")
    schedule.command(["sh", "-c", "exit 3"]).every_minute().named("broken")
    async with clients(schedule) as client:
        response = await client.post("/run", json={"at": rfc3339(minute)})
        assert response.status_code == 200
        assert (response.json()["exitCode"], response.json()["outcomes"]) == (1, {"Failed": 1})
        assert (await client.post("/run", json={"at": rfc3339(minute)})).json()["exitCode"] == 0
        response = await client.post("/tasks/broken/run")
        assert response.status_code == 200
        assert response.json()["status"]["exitCode"] == 3


async def test_without_a_store_a_call_may_be_repeated_as_long_as_nothing_ran(
    clients: Clients, ran: list[str], minute: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIMEWRIGHT_STORE", "sqlite:///proc/none/state.db")
    alone = Schedule("shop")
    alone.call(lambda: ran.append("alone")).every_minute().without_overlapping().named("alone")
    async with clients(alone) as client:
        response = await client.post("/run", json={"at": rfc3339(minute)})
        assert_problem(response, 503, "/proc/none")
        assert response.headers["retry-after"] == "10"
        for path in ("/tasks", "/runs"):
            assert_problem(await client.get(path), 503, "/proc/none")
        assert_problem(await client.post("/tasks/alone/run"), 503, "/proc/none")
    assert ran == []
    async with clients() as client:
        response = await client.post("/run", json={"at": rfc3339(minute)})
        assert response.status_code == 200
        assert response.json()["trouble"] != []
    assert len(ran) == 1


async def test_run_a_task(client: httpx.AsyncClient, ran: list[str]) -> None:
    request = {"json": {"parameters": {"since": "may"}}, "headers": {"Idempotency-Key": "first"}}
    first, second = [await client.post("/tasks/sync/run", **request) for _ in range(2)]
    assert first.status_code == second.status_code == 200
    assert first.json()["kind"] == "TaskRun"
    assert first.json()["spec"]["parameters"] == {"since": "may"}
    assert first.json()["status"]["output"] == "synced\n"
    assert second.json()["metadata"] == first.json()["metadata"]
    assert [each.partition(" since ")[2] for each in ran] == ["may"]
    assert (await client.post("/tasks/shop%2Fsync/run")).json()["metadata"]["name"].startswith("sync-")


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/run", {"at": "2026-03-08"}, 400, "at is '2026-03-08'"),
        ("/run", {"at": "2999-01-01T00:00:00Z"}, 422, "has not come"),
        ("/run", {"when": "now"}, 400, "the field 'when'"),
        ("/tasks/nothing/run", None, 404, "there is no task 'nothing'; there are sync, report"),
        ("/tasks/report/run", {"parameters": {"x": 1}}, 422, "task 'report'.*x"),
        ("/tasks/report/run", {"x": 1}, 400, "the field 'x'"),
        ("/run", {"at": "x" * 70_000}, 413, "longer than 65536 bytes"),
    ],
)
async def test_what_cannot_be_run(
    client: httpx.AsyncClient, ran: list[str], path: str, body: object, status: int, words: str
) -> None:
    for headers in ({}, {"Prefer": "respond-async"}):
        assert_problem(await client.post(path, json=body, headers=headers), status, words)
    assert ran == []


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/run"), ("POST", "/tasks"), ("DELETE", "/runs"), ("PUT", "/healthz")]
)
async def test_other_methods(client: httpx.AsyncClient, method: str, path: str) -> None:
    response = await client.request(method, path)
    assert response.status_code == 405
    assert response.headers["allow"]
    assert response.headers["content-type"] == MEDIA_TYPE


async def test_other_paths(client: httpx.AsyncClient) -> None:
    response = await client.get("/nothing")
    assert (response.status_code, response.headers["content-type"]) == (404, MEDIA_TYPE)


async def test_without_waiting(clients: Clients, ran: list[str], minute: datetime) -> None:
    schedule = Schedule("shop")
    may_end = asyncio.Event()

    @schedule.task("* * * * *")
    async def slow() -> None:
        await may_end.wait()
        ran.append("slow")

    async with clients(schedule) as client:
        early = {"Prefer": "wait=5, respond-async"}
        response = await client.post("/run", json={"at": rfc3339(minute)}, headers=early)
        assert response.status_code == 202
        assert response.headers["preference-applied"] == "respond-async"
        response = await client.post("/tasks/slow/run", headers=early)
        key = response.json()["idempotencyKey"]
        assert ran == []
        may_end.set()
        # With the key one learns how it went.
        told = (await client.post("/tasks/slow/run", headers={"Idempotency-Key": key})).json()
        assert told["spec"]["idempotencyKey"] == key
    assert ran == ["slow", "slow"]


async def test_a_caller_that_hangs_up_does_not_end_the_run(clients: Clients, ran: list[str], minute: datetime) -> None:
    schedule = Schedule("shop")
    began, may_end = asyncio.Event(), asyncio.Event()

    @schedule.task("* * * * *")
    async def slow() -> None:
        began.set()
        await may_end.wait()
        ran.append("slow")

    async with clients(schedule) as client:
        call = asyncio.ensure_future(client.post("/run", json={"at": rfc3339(minute)}))
        await began.wait()
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        assert ran == []
        may_end.set()
    assert ran == ["slow"]


async def test_a_call_that_takes_too_long_has_its_runs_stopped(clients: Clients, minute: datetime) -> None:
    schedule = Schedule("shop")
    schedule.command("sleep 600").every_minute().named("long")
    async with clients(schedule, deadline_seconds=1.0) as client:
        told = (await client.post("/run", json={"at": rfc3339(minute)})).json()
    assert told["runs"][0]["status"]["reason"] == "TimedOut"


async def test_tasks(client: httpx.AsyncClient, minute: datetime) -> None:
    await client.post("/run", json={"at": rfc3339(minute)})
    sync, report = (await client.get("/tasks")).json()["items"]
    assert (sync["name"], sync["schedules"], sync["lastOutcome"]) == ("sync", ["* * * * *"], "Succeeded")
    assert len(sync["nextTicks"]) == 3
    assert (report["name"], report["timeZone"], report["lastOutcome"]) == ("report", "UTC", None)
    assert report["nextTicks"][0].endswith("T03:00:00Z")


async def test_runs(client: httpx.AsyncClient, minute: datetime) -> None:
    for back in (0, 1):
        await client.post("/run", json={"at": rfc3339(minute + timedelta(minutes=back))})
    await client.post("/tasks/report/run")

    async def names(query: str) -> list[str]:
        response = await client.get(f"/runs?{query}")
        assert response.status_code == 200, response.text
        return [run["spec"]["taskRef"]["name"] for run in response.json()["items"]]

    assert await names("") == ["report", "sync", "sync"]
    assert await names("task=sync") == ["sync", "sync"]
    assert await names("task=sync&task=report&limit=2") == ["report", "sync"]
    assert await names("outcome=Failed&outcome=Missed") == []
    assert await names(f"until={rfc3339(minute + timedelta(minutes=1))}") == ["sync"]
    assert await names(f"task=sync&since={rfc3339(minute + timedelta(minutes=1))}") == ["sync"]


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("task=nothing", 404, "no task 'nothing'"),
        ("outcome=failed", 400, "outcome is 'failed'; expected one of .*Failed"),
        ("limit=0", 400, "limit is '0'"),
        ("limit=501", 400, "limit is '501'"),
        ("since=monday", 400, "since is 'monday'"),
        ("tasks=sync", 400, "the query has 'tasks'"),
    ],
)
async def test_runs_that_cannot_be_asked_for(client: httpx.AsyncClient, query: str, status: int, words: str) -> None:
    assert_problem(await client.get(f"/runs?{query}"), status, words)


@pytest.mark.parametrize("path", ["/run", "/tasks/sync/run", "/tasks", "/runs"])
@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer wrong-token-0123456789"}, {"X-Timewright-Token": "x"}]
)
async def test_nothing_without_the_token(clients: Clients, ran: list[str], path: str, headers: dict[str, str]) -> None:
    async with clients(headers=headers) as client:
        method = "POST" if path.endswith("run") else "GET"
        # The body is not even read.
        response = await client.request(method, path, content=b"x" * 70_000)
        assert_problem(response, 401, "Authorization: Bearer TOKEN")
        assert response.headers["www-authenticate"] == "Bearer"
        assert (await client.get("/healthz")).json() == {"status": "ok"}
    assert ran == []


async def test_the_token_in_a_header_of_its_own(clients: Clients) -> None:
    headers = {"Authorization": "Bearer of-google-to-cloud-run-0123", "X-Timewright-Token": TOKEN}
    async with clients(headers=headers) as client:
        assert (await client.get("/tasks")).status_code == 200


async def test_without_authentication_web_pages_may_not_call(clients: Clients) -> None:
    async with clients(headers={}, authenticate=False, hosts=["localhost", "::1", "shop.local"]) as client:
        assert (await client.get("/tasks")).status_code == 200
        assert (await client.get("/tasks", headers={"Host": "SHOP.local:8000"})).status_code == 200
        assert (await client.get("/tasks", headers={"Host": "[::1]:8000"})).status_code == 200
        assert (await client.get("/tasks", headers={"Sec-Fetch-Site": "none"})).status_code == 200
        for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
            assert_problem(await client.post("/run", headers=headers), 403, "web pages")
        # A name that somebody else lets point here.
        for host in ("evil.example", "localhost.evil.example", "[", "", "localhost@evil.example"):
            assert_problem(await client.get("/tasks", headers={"Host": host}), 421, "does not answer for")


def test_an_application_without_a_token_is_refused(schedule: Schedule, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIMEWRIGHT_SERVE_TOKEN", raising=False)
    with pytest.raises(TokenError, match="TIMEWRIGHT_SERVE_TOKEN has no token"):
        asgi_app(schedule)
    monkeypatch.setenv("TIMEWRIGHT_SERVE_TOKEN", TOKEN)
    asgi_app(schedule)


async def test_mounted_in_an_application(schedule: Schedule, minute: datetime) -> None:
    from starlette.applications import Starlette
    from starlette.routing import Mount

    outer = Starlette(routes=[Mount("/schedule", asgi_app(schedule, token=[TOKEN]))])
    transport = httpx.ASGITransport(outer)
    async with httpx.AsyncClient(transport=transport, base_url="https://shop.example", headers=BEARER) as client:
        told = (await client.post("/schedule/run", json={"at": rfc3339(minute)})).json()
    assert told["outcomes"] == {"Succeeded": 1}


async def test_a_fault_says_nothing_of_what_is_inside(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object, **options: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr("timewright.triggers.served_tasks.list_tasks", broken)
    async with clients() as client:
        response = await client.get("/tasks")
        assert_problem(response, 500, "timewright failed")
        assert "secret" not in response.text


def test_every_option_is_documented() -> None:
    text = asgi_app.__doc__ or ""
    assert all(f"{name}:" in text for name in inspect.signature(asgi_app).parameters)
