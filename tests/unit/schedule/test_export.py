"""A schedule that Python declares, as manifests."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.schedule.exported import Reports, sync
from timewright import Schedule
from timewright.decisions.acceptance import Accepted, accept
from timewright.engine.task import Task
from timewright.schedule.declaration import Declaration
from timewright.schedule.export import ExportError, export_app, export_tasks, manifest_name
from timewright.schedule.manifests import load_manifests
from timewright.timetable.calendars import Dates
from timewright.timetable.spread import seed_of_task

IMAGE = "registry.example.com/shop:1"
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def ticks_of(task: Task, days: int) -> list[datetime]:
    assert task.timetable is not None
    return list(task.timetable.between(NEW_YEAR, NEW_YEAR + timedelta(days=days)))


def spec_of(declare: Callable[[Declaration], Any]) -> dict[str, Any]:
    schedule = Schedule("shop")
    declare(schedule.call(sync))
    (manifest,) = export_tasks(schedule, image=IMAGE)
    spec: dict[str, Any] = manifest["spec"]
    return spec


def test_a_whole_schedule_goes_through_files_and_stays_what_it_is(tmp_path: Path) -> None:
    schedule = Schedule("shop", time_zone="Europe/Berlin")
    schedule.call(sync).every_thirty_minutes().between("9:00", "17:45").weekdays().without_overlapping()
    schedule.call(Reports.send, 5).daily_at("13:00").retry(3, backoff=5).timeout(90).named("SendReports")
    schedule.command("php artisan queue:prune").weekly().mondays().at("3:00").description("Old jobs").named(
        "prune_queue"
    )
    schedule.http("https://example.com/ping", method="POST", json={"a": 1}, expected_status=[204]).hourly_at(17)
    schedule.call(sync).named("by-hand").only_by_hand().parameter("since", default="2026-01-01")
    schedule.shell("a | b").named("script").unless_between("22:00", "6:00").hourly().with_environment({"A": "1"})
    before = schedule.tasks()

    manifests = export_tasks(schedule, image=IMAGE, namespace="shop")
    file = tmp_path / "tasks.yaml"
    file.write_text(yaml.safe_dump_all(manifests))
    after = load_manifests([file])

    for manifest in manifests:
        seed = seed_of_task("shop", manifest["metadata"]["name"])
        assert isinstance(accept(manifest["spec"], seed=seed), Accepted)
    assert [task.key for task in after] == [
        "shop/sync",
        "shop/send-reports",
        "shop/prune-queue",
        "shop/post-example-com-ping",
        "shop/by-hand",
        "shop/script",
    ]
    for one, other in zip(before, after, strict=True):
        assert one.policies == other.policies
        assert one.definition.timeout_seconds == other.definition.timeout_seconds
        assert one.definition.environment == other.definition.environment
        assert [each.name for each in one.definition.parameters] == [each.name for each in other.definition.parameters]
        if one.timetable is None:
            assert other.suspended
        else:
            assert ticks_of(one, 40) == ticks_of(other, 40)
    assert (manifests[1]["spec"]["python"], manifests[1]["spec"]["image"]) == (
        {"call": "tests.unit.schedule.exported:Reports.send", "args": [5]},
        IMAGE,
    )
    assert manifests[2]["metadata"] == {
        "name": "prune-queue",
        "namespace": "shop",
        "labels": {"app.kubernetes.io/part-of": "shop"},
        "annotations": {"kubernetes.io/description": "Old jobs"},
    }
    assert "image" not in manifests[3]["spec"]


@pytest.mark.parametrize(
    ("declare", "expected"),
    [
        (lambda task: task, {"schedule": "* * * * *", "timeZone": "UTC"}),
        (lambda task: task.suspended(), {"suspend": True}),
        (lambda task: task.overlap("Replace"), {"concurrencyPolicy": "Replace"}),
        (lambda task: task.starting_deadline(30), {"startingDeadlineSeconds": 30}),
        (lambda task: task.memory_limit("1Gi"), {"resources": {"limits": {"memory": "1073741824"}}}),
        (
            lambda task: task.keep_history(succeeded_runs=5, other_runs=6, max_age=900),
            {"successfulRunsHistoryLimit": 5, "failedRunsHistoryLimit": 6, "runsHistoryMaxAgeSeconds": 900},
        ),
        (
            lambda task: task.retry(2, backoff=0.5),
            {"retry": {"limit": 2, "backoffSeconds": 1, "maxBackoffSeconds": 600}},
        ),
        (lambda task: task.hourly_at(30).daylight_saving(), {"daylightSaving": {"gap": "Skip", "overlap": "Both"}}),
        (
            lambda task: task.hourly().during("08:00-12:00 on weekdays"),
            {"windows": ["between 08:00-12:00 on mon,tue,wed,thu,fri"]},
        ),
        (lambda task: task.on_one_server(), {"schedule": "* * * * *"}),
        (
            lambda task: task.parameter("since", default="a", allowed_values=["a", "b"], description="When."),
            {
                "parameters": [
                    {
                        "name": "since",
                        "type": "string",
                        "description": "When.",
                        "default": "a",
                        "allowedValues": ["a", "b"],
                    }
                ]
            },
        ),
    ],
)
def test_a_field(declare: Callable[[Declaration], Any], expected: dict[str, Any]) -> None:
    spec = spec_of(declare)

    assert {name: spec.get(name) for name in expected} == expected


def test_only_what_was_said_is_written() -> None:
    assert spec_of(lambda task: task.daily()) == {
        "schedule": "0 0 * * *",
        "timeZone": "UTC",
        "image": IMAGE,
        "python": {"call": "tests.unit.schedule.exported:sync"},
    }


@pytest.mark.parametrize(
    ("declare", "says"),
    [
        (
            lambda task: task.when(sync),
            "when(sync) is asked inside of the application; export the schedule as one app (--as app)",
        ),
        (lambda task: task.before(print), "before is called inside of the application"),
        (lambda task: task.on_failure(print), "on_failure is called inside of the application"),
        (lambda task: task.then_ping("http://a"), "then_ping has no field in a manifest"),
        (lambda task: task.append_output_to("x"), "a run in a Pod has no file that lasts for its output"),
        (lambda task: task.in_order(), "in_order() orders tasks of one process"),
        (lambda task: task.on_every_server(), "on_every_server(): a cluster runs each tick once; leave it out"),
        (lambda task: task.closed_by(Dates([], "own")), "only its own code knows the calendar 'own'"),
        (
            lambda task: task.every_second().between("8:00", "12:00").between("9:00", "13:00"),
            "times of day with seconds have no form in spec.windows",
        ),
        (lambda task: task.every_ten_seconds(), "spec.schedule: '*/10 * * * * *': "),
        (lambda task: task.closed_on("2026-01-01"), "spec.calendars: 1 of them: a native CronJob knows no closed days"),
        (lambda task: task.starts_at("2026-01-01"), "spec.startAt: "),
        (lambda task: task.overlap("Queue"), "spec.concurrencyPolicy: Queue: a native CronJob keeps no ticks waiting"),
        (lambda task: task.locks("till"), "spec.locks: till: a native CronJob waits for no other; use mode: Daemon"),
        (lambda task: task.jitter(30), "spec.jitterSeconds: 30: "),
        (lambda task: task.missed_runs("All"), "spec.missedRuns: "),
        (lambda task: task.on_resume("Skip"), "spec.onResume: Skip: a native CronJob decides this itself"),
    ],
)
def test_what_no_manifest_can_say_is_refused(declare: Callable[[Declaration], Any], says: str) -> None:
    schedule = Schedule("shop")
    task = schedule.call(sync)
    declare(task)

    with pytest.raises(ExportError) as caught:
        export_tasks(schedule, image=IMAGE)

    assert str(caught.value).startswith(f"{task.place}: task 'sync': ")
    assert says in str(caught.value)


def test_every_task_that_cannot_be_expressed_is_told() -> None:
    schedule = Schedule("shop")
    schedule.call(lambda: None).named("nameless")
    schedule.call(Reports.send, {1, 2}).named("set")  # type: ignore[arg-type]
    schedule.call(sync).named("a_b")
    schedule.call(sync).named("a-b")

    with pytest.raises(ExportError) as caught:
        export_tasks(schedule, image=IMAGE)

    lines = str(caught.value).split("\n")
    assert [line.partition(": task ")[2] for line in lines] == [
        "'nameless': the function cannot be imported by its name; define it at the top of a module that the image has, "
        "or export the schedule as one app (--as app)",
        "'set': its arguments are not what JSON can say; pass texts and numbers, "
        "or export the schedule as one app (--as app)",
        "'a-b': its name becomes 'a-b', which another task has; rename one of them",
    ]


def test_maintenance_is_asked_inside_of_the_application() -> None:
    schedule = Schedule("shop", maintenance=lambda: False)
    schedule.call(sync)

    with pytest.raises(ExportError, match="maintenance is asked inside of the application"):
        export_tasks(schedule, image=IMAGE)


def test_what_differs_in_a_cluster_is_told() -> None:
    schedule = Schedule("shop")
    schedule.call(sync).named("a").cron("H H * * *")
    schedule.call(sync).named("b").every(420)
    schedule.call(sync).named("c").only_by_hand()
    schedule.call(sync).named("d").thursdays()
    notes: list[str] = []

    export_tasks(schedule, image=IMAGE, note=notes.append)

    assert [note.partition(": task ")[2] for note in notes] == [
        "'a': H is spread by namespace and name of the manifest, so its numbers may differ from those outside",
        "'b': @every counts from the last run in a cluster, and from a fixed instant outside",
        "'c': it is suspended, so that it runs by hand only",
    ]


def test_a_schedule_as_one_app(tmp_path: Path) -> None:
    schedule = Schedule("shop")
    schedule.call(lambda: None).named("x").every_second()
    schedule.app = "shop.tasks:schedule"

    manifest = export_app(schedule, image=IMAGE)

    assert isinstance(accept(manifest["spec"]), Accepted)
    (tmp_path / "app.yaml").write_text(yaml.safe_dump(manifest))
    (task,) = load_manifests([tmp_path])
    assert task.key == "default/shop"
    assert task.definition.work == ["timewright", "schedule:run", "--app", "shop.tasks:schedule"]


def test_an_app_needs_a_name_to_be_found_by() -> None:
    with pytest.raises(ExportError, match="schedule 'shop' was not loaded by its name; name it as module:attribute"):
        export_app(Schedule("shop"), image=IMAGE)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sync", "sync"),
        ("sync_orders", "sync-orders"),
        ("SendReports", "send-reports"),
        ("check_uptime:laravel.com", "check-uptime-laravel-com"),
        ("a" * 80, "a" * 63),
        ("Report.send", "report-send"),
    ],
)
def test_names_become_those_of_kubernetes(name: str, expected: str) -> None:
    assert manifest_name(name) == expected
