"""ScheduledTask manifests, read to run them without a cluster."""

import textwrap
from datetime import UTC, datetime
from pathlib import Path

import pytest

from timewright.decisions.policies import MissedRuns, NeededLock, Policies, Retry
from timewright.resources.vocabulary import ConcurrencyPolicy, LockPolicy, MissedRunsPolicy, OnLost
from timewright.schedule.errors import LoadError
from timewright.schedule.manifests import fingerprint, load_manifests
from timewright.storage.protocol import Retention

HEAD = "apiVersion: timewright.dev/v1alpha1\nkind: ScheduledTask\n"


def manifest(name: str, spec: str, metadata: str = "") -> str:
    return f"{HEAD}metadata:\n  name: {name}\n{metadata}spec:\n{textwrap.indent(textwrap.dedent(spec), '  ')}\n"


def write(folder: Path, *documents: str, name: str = "tasks.yaml") -> Path:
    file = folder / name
    file.write_text("---\n".join(documents))
    return file


def test_a_task(tmp_path: Path) -> None:
    spec = """
        schedules: ["0 9 * * *", "30 17 * * FRIL"]
        timeZone: Europe/Berlin
        windows: ["not between 12:00-13:00"]
        command: [echo, hello]
        concurrencyPolicy: Queue
        maxConcurrent: 2
        maxQueued: 5
        locks: [till]
        lockPolicy: Skip
        jitterSeconds: 20
        startingDeadlineSeconds: 30
        missedRuns: {policy: All, maxRuns: 3, maxAgeSeconds: 60}
        onResume: Latest
        onScheduleChange: All
        onLost: Rerun
        retry: {limit: 2, backoffSeconds: 5}
        timeoutSeconds: 90
        successfulRunsHistoryLimit: 7
        failedRunsHistoryLimit: 8
        runsHistoryMaxAgeSeconds: 900
        parameters: [{name: month, type: integer, default: 1}]
        env: [{name: A, value: "1"}]
        suspend: true
    """
    (task,) = load_manifests([write(tmp_path, manifest("hello", spec, "  namespace: shop\n"))])

    assert (task.key, task.name) == ("shop/hello", "hello")
    assert (task.definition.kind, task.definition.work) == ("command", ["echo", "hello"])
    assert task.definition.timeout_seconds == 90
    assert task.definition.environment == {"A": "1"}
    assert [parameter.name for parameter in task.definition.parameters] == ["month"]
    assert (task.suspended, task.exclusive, task.in_background) == (True, True, True)
    assert task.retention == Retention(7, 8, 900)
    assert task.policies == Policies(
        concurrency=ConcurrencyPolicy.QUEUE,
        max_concurrent=2,
        max_queued=5,
        starting_deadline=30,
        missed_runs=MissedRuns(MissedRunsPolicy.ALL, 3, 60),
        on_resume=MissedRunsPolicy.LATEST,
        on_schedule_change=MissedRunsPolicy.ALL,
        on_lost=OnLost.RERUN,
        retry=Retry(2, 5, 600),
        locks=(NeededLock("till"),),
        lock_policy=LockPolicy.SKIP,
    )
    assert task.jitter == 20
    assert task.timetable is not None
    ticks = task.timetable.between(datetime(2026, 1, 30, tzinfo=UTC), datetime(2026, 1, 31, tzinfo=UTC))
    assert [f"{tick:%H:%M}" for tick in ticks] == ["08:00", "16:30"]


def test_every_kind_that_this_machine_can_run(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        manifest("a", "schedule: '@daily'\ncommand: [ls]"),
        manifest("b", "schedule: '@daily'\nhttp: {url: 'https://example.com'}"),
        manifest("c", "schedule: '@daily'\npython: {call: 'json:loads', args: ['1']}"),
        manifest("d", "image: shop\napp: {run: [php, artisan, 'schedule:run']}"),
    )

    tasks = load_manifests([file])

    assert [(task.key, task.definition.kind) for task in tasks] == [
        ("default/a", "command"),
        ("default/b", "http"),
        ("default/c", "python"),
        ("default/d", "command"),
    ]
    assert tasks[3].definition.work == ["php", "artisan", "schedule:run"]
    assert tasks[3].timetable is not None
    assert tasks[3].timetable.expressions == ("* * * * *",)
    assert not any(task.exclusive for task in tasks)


def test_folders_lists_and_json_are_read_and_other_things_passed_over_with_a_note(tmp_path: Path) -> None:
    folder = tmp_path / "tasks"
    folder.mkdir()
    inner = textwrap.indent(manifest("b", "schedule: '@daily'\ncommand: [ls]"), "    ").strip()
    write(
        folder,
        manifest("a", "schedule: '@daily'\ncommand: [ls]"),
        "kind: Namespace\napiVersion: v1\n",
        "",
        name="1.yaml",
    )
    write(folder, f"apiVersion: v1\nkind: List\nitems:\n  - {inner}\n  - 5\n", name="2.yml")
    write(
        folder,
        '{"apiVersion": "timewright.dev/v1alpha1", "kind": "ScheduledTask", "metadata": {"name": "c"}, '
        '"spec": {"schedule": "@daily", "command": ["ls"]}}',
        name="3.json",
    )
    write(folder, "no manifest", name="readme.txt")
    notes: list[str] = []

    tasks = load_manifests([folder], notes.append)

    assert [task.name for task in tasks] == ["a", "b", "c"]
    assert notes == [
        f"{folder}/1.yaml, document 2: passed over, since it is v1 Namespace and no ScheduledTask",
        f"{folder}/2.yml, items[1]: passed over, since it is a int and no ScheduledTask",
    ]


def test_what_only_a_pod_has_is_passed_over_with_a_note(tmp_path: Path) -> None:
    notes: list[str] = []
    spec = "schedule: '@daily'\ncommand: [ls]\nimage: shop\nresources: {}\nenvFrom: []\npodTemplate: {}"

    load_manifests([write(tmp_path, manifest("a", spec))], notes.append)

    assert notes == [
        f"{tmp_path}/tasks.yaml: a: spec.image, spec.envFrom, spec.resources, spec.podTemplate: passed over, since "
        "there is no Pod; it runs on this machine as it is"
    ]


def test_variables_that_a_cluster_would_fill_in_have_to_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "{name: PASSWORD, valueFrom: {secretKeyRef: {name: shop, key: password}}}"
    file = write(tmp_path, manifest("a", f"schedule: '@daily'\ncommand: [ls]\nenv: [{secret}]"))

    monkeypatch.delenv("PASSWORD", raising=False)
    with pytest.raises(
        LoadError, match=r"a: spec.env\[PASSWORD\].valueFrom: there is no cluster to take it from; set the"
    ):
        load_manifests([file])
    monkeypatch.setenv("PASSWORD", "secret")
    assert load_manifests([file])[0].definition.environment == {}


def test_a_spread_time_is_that_of_namespace_and_name(tmp_path: Path) -> None:
    spec = "schedule: H H * * *\ncommand: [ls]"
    file = write(tmp_path, *(manifest(name, spec) for name in "abcd"))

    def minutes() -> list[object]:
        return [task.ticks.first_from(0) for task in load_manifests([file])]

    assert len(set(minutes())) == 4
    assert minutes() == minutes()


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (manifest("a", "schedule: '61 * * * *'\ncommand: [ls]"), '{file}: a: spec.schedule: schedule "61 * * * *"'),
        (manifest("a", "schedule: '@daily'\ncommand: [ls]\ntimezone: UTC"), "{file}: a: spec.timezone: unknown field"),
        (manifest("a", "schedule: '@daily'"), "{file}: a: spec: exactly one of"),
        (
            manifest("a", "schedule: '@daily'\njobTemplate: {spec: {}}"),
            "{file}: a: spec.jobTemplate: a Job needs a cluster to run in; write what it runs as spec.command",
        ),
        (f"{HEAD}metadata: {{}}\nspec: {{}}", "{file}: metadata.name: required; name the task"),
        (f"{HEAD}metadata: {{name: a}}", "{file}: a: spec: required; say what to run, and when"),
        (
            manifest("a", "schedule: '@daily'\ncommand: [ls]").replace("v1alpha1", "v7"),
            "{file}: apiVersion: 'timewright.dev/v7' is not known; write timewright.dev/v1alpha1",
        ),
        ("a: [", "-f {file}: is not YAML: "),
        ("\x00", "-f {file}: is not YAML: "),
    ],
)
def test_what_is_wrong_is_told_with_file_and_field(tmp_path: Path, document: str, says: str) -> None:
    file = write(tmp_path, document)

    with pytest.raises(LoadError) as caught:
        load_manifests([file])

    assert says.format(file=file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    good = manifest("same", "schedule: '@daily'\ncommand: [ls]")
    one = write(tmp_path, good, manifest("bad", "schedule: ''\ncommand: [ls]"), name="1.yaml")
    two = write(tmp_path, good, name="2.yaml")

    with pytest.raises(LoadError) as caught:
        load_manifests([one, two])

    first, second = str(caught.value).split("\n")
    assert first.startswith(f"{one}, document 2: bad: spec.schedule: ")
    assert second == f"{two}: metadata: task default/same is in {one}, document 1 too; remove one of them"


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"-f .*/none\.yaml: there is no such file or folder; correct the path"):
        load_manifests([tmp_path / "none.yaml"])


def test_changes_are_seen(tmp_path: Path) -> None:
    file = write(tmp_path, "a")
    seen = [fingerprint([tmp_path])]

    write(tmp_path, "ab")
    seen.append(fingerprint([tmp_path]))
    write(tmp_path, "c", name="new.yaml")
    seen.append(fingerprint([tmp_path]))
    file.unlink()
    seen.append(fingerprint([tmp_path]))

    assert len(set(seen)) == 4
    assert fingerprint([tmp_path]) == seen[-1]
    assert fingerprint([file]) == ()


def test_a_daemon_says_how_many_may_hold_a_lock(tmp_path: Path) -> None:
    daemon = """
apiVersion: timewright.dev/v1alpha1
kind: TaskDaemon
metadata: {name: default}
spec:
  locks: [{name: till, slots: 3}]
"""
    notes: list[str] = []
    spec = """
        schedule: "0 9 * * *"
        command: [echo, hello]
        locks: [till, office]
    """
    (task,) = load_manifests([write(tmp_path, manifest("hello", spec), daemon)], notes.append)

    assert task.policies.locks == (NeededLock("office", 1), NeededLock("till", 3))
    assert any("passed over but for its locks" in note for note in notes)
    with pytest.raises(LoadError, match=r"spec.locks.0.slots"):
        load_manifests([write(tmp_path, manifest("hello", spec), daemon.replace("3", "0"))])
