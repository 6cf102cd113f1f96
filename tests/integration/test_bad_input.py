"""Bad input gets a clear answer and loses nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.operator_process import OperatorProcess
from tests.objects import Namespace, eventually, job_template, task

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"command": ["a"], "http": {"url": "http://b"}}, "set exactly one of jobTemplate, command, http, python, app"),
        ({"command": None}, "set exactly one of"),
        ({"schedule": None, "command": ["a"]}, "set exactly one of schedule and schedules"),
        ({"schedules": ["@daily"], "command": ["a"]}, "set exactly one of schedule and schedules"),
        ({"schedule": None, "schedules": [], "command": ["a"]}, "spec.schedules"),
        ({"command": ["a"], "calendars": [{}]}, "spec.calendars[0]"),
        ({"command": ["a"], "calendars": [{"dates": ["2026-12-25"], "iCalendar": "x"}]}, "spec.calendars[0]"),
        ({"command": ["a"], "calendars": [{"dates": ["25 December"]}]}, "spec.calendars[0].dates[0]"),
        ({"command": ["a"], "excluded": "Never"}, "spec.excluded"),
        ({"command": ["a"], "daylightSaving": {"gap": "Run"}}, "spec.daylightSaving.gap"),
        ({"command": ["a"], "startAt": "soon"}, "spec.startAt"),
        ({"command": ["a"], "missedRuns": {"policy": "Some"}}, "spec.missedRuns.policy"),
        ({"command": ["a"], "retry": {"backoffSeconds": 5}}, "limit"),
        ({"schedule": ""}, "spec.schedule"),
        ({"mode": "Dæmon"}, "spec.mode"),
        ({"concurrencyPolicy": "Sometimes"}, "spec.concurrencyPolicy"),
        ({"jobTemplate": job_template(), "image": "x"}, "write them inside jobTemplate"),
        ({"app": {"run": ["php"]}}, "app needs image"),
        ({"http": {"url": "ftp://files"}}, "spec.http.url"),
        ({"http": {"url": "http://x", "headers": [{"name": "A"}]}}, "set exactly one of value and valueFrom"),
        ({"http": {"url": "http://x", "expectedStatus": ["20"]}}, "spec.http.expectedStatus"),
        ({"python": {"call": "no-colon"}}, "spec.python.call"),
        ({"comand": ["a"]}, "comand"),
        ({"timeoutSeconds": 0}, "spec.timeoutSeconds"),
        ({"parameters": [{"name": "a b"}]}, "spec.parameters[0].name"),
        ({"notify": [{"slack": {}}]}, "set exactly one of url and urlFrom"),
        ({"notify": [{"events": ["Failed"]}]}, "set exactly one of webhook, slack, ping"),
        ({"notify": [{"ping": {"url": "http://x"}, "events": ["LongRunning"]}]}, "longRunningSeconds"),
        ({"notify": [{"slack": {"url": "hooks.example.com"}}]}, "spec.notify[0].slack.url"),
    ],
)
def test_the_api_server_refuses_what_the_schema_excludes(namespace: Namespace, spec: dict[str, Any], told: str) -> None:
    manifest = task("wrong", **{key: value for key, value in spec.items() if key != "command"})
    manifest["spec"] = {**manifest["spec"], **spec}
    manifest["spec"] = {key: value for key, value in manifest["spec"].items() if value is not None}
    result = namespace.apply(manifest, check=False)
    assert result.returncode != 0
    assert told in result.stderr


@pytest.mark.parametrize(
    ("spec", "reason", "told"),
    [
        ({"schedule": "61 * * * *"}, "InvalidSchedule", ["spec.schedule", "61"]),
        ({"schedule": "*/5 * * * * *"}, "NeedsDaemon", ["spec.schedule", "*/5 * * * * *", "mode: Daemon"]),
        ({"concurrencyPolicy": "Queue"}, "NeedsDaemon", ["spec.concurrencyPolicy", "Queue", "mode: Daemon"]),
        (
            {"calendars": [{"dates": ["2026-12-25"]}, {"holidays": {"country": "DE"}}, {"iCalendar": "x"}]},
            "NeedsDaemon",
            ["spec.calendars", "mode: Daemon"],
        ),
        ({"schedule": "TZ=UTC 0 0 * * *"}, "InvalidSchedule", ["spec.schedule", "timeZone"]),
        ({"schedule": "0 0 31 2 *"}, "NeverFires", ["spec.schedule", "0 0 31 2 *"]),
        ({"timeZone": "Mars/Olympus"}, "InvalidTimeZone", ["spec.timeZone", "Mars/Olympus"]),
        ({"parameters": [{"name": "n", "type": "integer", "default": "x"}]}, "InvalidParameters", ["default", "'x'"]),
        ({"jobTemplate": job_template(imagee="x")}, "InvalidTemplate", ["imagee"]),
        ({"jobTemplate": job_template(image=5)}, "InvalidTemplate", ["image"]),
        ({"jobTemplate": {"spec": {"template": {"spec": {"containers": "none"}}}}}, "InvalidTemplate", ["containers"]),
        ({"command": ["a"], "podTemplate": {"spec": {"nodeSelectr": {}}}}, "InvalidTemplate", ["nodeSelectr"]),
        ({"command": ["a"], "env": [{"name": "A", "valu": "x"}]}, "InvalidTemplate", ["valu"]),
    ],
)
def test_what_only_the_operator_can_judge_ends_as_a_condition_that_tells_what_to_do(
    namespace: Namespace, operator: OperatorProcess, spec: dict[str, Any], reason: str, told: list[str]
) -> None:
    namespace.apply(task("wrong", **spec))
    condition = namespace.wait_refused("wrong")
    assert condition["reason"] == reason
    for each in told:
        assert each in condition["message"]
    assert namespace.condition("wrong", "Ready")["status"] == "False"
    assert not namespace.list("cronjob")
    eventually(lambda: "Refused" in namespace.kubectl("get", "events").stdout)


def test_what_native_cron_can_say_becomes_a_cron_job(namespace: Namespace, operator: OperatorProcess) -> None:
    windowed = task("windowed", schedules=["0 * * * *"], windows=["09:00-17:30 on weekdays"])
    del windowed["spec"]["schedule"]
    namespace.apply(
        windowed,
        task("spread", schedule="H H * * *", missedRuns={}),
        task("tried-again", timeoutSeconds=10, retry={"limit": 1}),
    )
    for name in ("spread", "windowed", "tried-again"):
        namespace.wait_ready(name)
    assert namespace.get("cronjob", "windowed")["spec"]["schedule"] == "0 9-17 * * 1-5"
    assert namespace.get("cronjob", "windowed")["spec"]["timeZone"] == "UTC"
    minute, hour, *_ = namespace.get("cronjob", "spread")["spec"]["schedule"].split()
    eventually(
        lambda: (
            f"T{int(hour):02}:{int(minute):02}:00Z" in namespace.get("scheduledtask", "spread")["status"]["nextTick"]
        )
    )


def test_the_last_accepted_generation_keeps_running(namespace: Namespace, operator: OperatorProcess) -> None:
    namespace.apply(task("report", schedule="0 4 * * *"))
    namespace.wait_ready("report")
    before = namespace.get("cronjob", "report")

    namespace.apply(task("report", schedule="0 25 * * *"))
    namespace.wait_refused("report")
    assert "generation 1 keeps running" in namespace.condition("report", "Ready")["message"]
    assert namespace.get("scheduledtask", "report")["status"]["acceptedGeneration"] == 1
    assert namespace.get("cronjob", "report")["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]

    namespace.apply(task("report", jobTemplate=job_template(imagee="x")) | {"kind": "ScheduledTask"}, check=False)
    namespace.apply(task("report", schedule="0 5 * * *"))
    namespace.wait_ready("report")
    assert namespace.get("cronjob", "report")["spec"]["schedule"] == "0 5 * * *"


def test_one_broken_task_never_affects_another(namespace: Namespace, operator: OperatorProcess) -> None:
    broken = [task(f"broken-{number}", jobTemplate=job_template(imagee=number)) for number in range(10)]
    good = [task(f"good-{number}") for number in range(10)]
    namespace.apply(*(each for pair in zip(broken, good, strict=True) for each in pair))
    for number in range(10):
        namespace.wait_ready(f"good-{number}")
        namespace.wait_refused(f"broken-{number}")


def test_a_spoilt_status_is_written_anew(namespace: Namespace, operator: OperatorProcess) -> None:
    namespace.apply(task("report"))
    namespace.wait_ready("report")
    namespace.kubectl(
        "patch", "scheduledtask", "report", "--subresource=status", "--type=merge",
        "-p", '{"status":{"conditions":[],"cronJob":null,"lastTick":"2020-01-01T00:00:00Z"}}',
    )  # fmt: skip
    namespace.wait_ready("report")
