"""How a Job ended, read out of Jobs and Pods as real clusters leave them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.decisions.seen import NOON, at, container, done_job, failed_job, job, pod, reported, run
from timewright.decisions import run_status
from timewright.decisions.observed import ObservedContainer, ObservedJob, ObservedPod
from timewright.decisions.result import (
    ATTEMPTS_KEPT,
    HOPELESS_PULL_FAILURES,
    PULL_FAILURES,
    attempts_of,
    obstacle_of,
    result_of,
)
from timewright.resources.run_report import RunReport
from timewright.resources.task_run import Attempt, TaskRunStatus
from timewright.resources.vocabulary import Outcome

DEADLINE = {"reason": "DeadlineExceeded", "message": "Job was active longer than specified deadline"}

# job, its Pods, expected reason, words of the message, exit code
FAILURES: dict[str, tuple[ObservedJob, list[ObservedPod], str, str, int | None]] = {
    "an exit code": (
        failed_job(),
        [pod(container(exit_code=3, message="line\nno such table: orders\n\n"), phase="Failed")],
        "NonZeroExit",
        "'main' ended with exit code 3: no such table: orders",
        3,
    ),
    "an exit code without output": (failed_job(), [pod(container(exit_code=1))], "NonZeroExit", "exit code 1", 1),
    "a signal as the shell tells it": (failed_job(), [pod(container(exit_code=139))], "NonZeroExit", "(SIGSEGV)", 139),
    "a signal as the kubelet tells it": (
        failed_job(),
        [pod(container(exit_code=137, signal=9, terminated_reason="Error"))],
        "NonZeroExit",
        "(SIGKILL)",
        137,
    ),
    "out of memory": (
        failed_job(),
        [pod(container(exit_code=137, terminated_reason="OOMKilled"))],
        "OutOfMemory",
        "'main' was killed for exceeding its memory limit",
        137,
    ),
    "evicted by the kubelet": (
        failed_job(),
        [
            pod(
                container(exit_code=137),
                phase="Failed",
                reason="Evicted",
                message="The node was low on resource: memory.",
            )
        ],
        "Evicted",
        "low on resource",
        137,
    ),
    "evicted before it started": (
        failed_job(),
        [pod(phase="Failed", reason="Evicted", message="The node had condition: [DiskPressure].")],
        "Evicted",
        "DiskPressure",
        None,
    ),
    "preempted": (
        failed_job(),
        [pod(container(exit_code=143), disruption="PreemptionByScheduler")],
        "Evicted",
        "PreemptionByScheduler",
        143,
    ),
    "evicted, told by the runner that it was stopped": (
        failed_job(),
        [pod(reported(Outcome.CANCELLED, "Terminated", 143), disruption="EvictionByEvictionAPI", message="drained")],
        "Evicted",
        "drained",
        143,
    ),
    "a command that does not exist": (
        failed_job(),
        [pod(container(exit_code=128, terminated_reason="StartError", message='exec: "nope": not found in $PATH'))],
        "StartError",
        'could not start: exec: "nope"',
        128,
    ),
    "a container that could not run": (
        failed_job(),
        [pod(container(exit_code=127, terminated_reason="ContainerCannotRun", message="no such file"))],
        "StartError",
        "no such file",
        127,
    ),
    "an image that cannot be pulled": (
        failed_job(**DEADLINE),
        [pod(container(waiting_reason="ImagePullBackOff"))],
        "TimedOut",
        "active longer",
        None,
    ),
    "an image that cannot be pulled, without a deadline": (
        failed_job("PodFailurePolicy", "Pod failed"),
        [pod(container(waiting_reason="ErrImagePull"))],
        "ImagePullFailed",
        "Pod failed",
        None,
    ),
    "a container whose configuration is wrong": (
        failed_job("", ""),
        [pod(container(waiting_reason="CreateContainerConfigError"))],
        "StartError",
        "",
        None,
    ),
    "the Job's deadline": (failed_job(**DEADLINE), [], "TimedOut", "active longer than specified deadline", None),
    "the Job's deadline, its Pod killed": (
        failed_job(**DEADLINE),
        [pod(container(exit_code=137))],
        "TimedOut",
        "active longer",
        137,
    ),
    "the runner's own time-out": (
        failed_job(),
        [pod(reported(Outcome.FAILED, "TimedOut", 143, message="did not finish within 5 s"))],
        "TimedOut",
        "within 5 s",
        143,
    ),
    "the runner's own time-out, told beside the Job's": (
        failed_job(**DEADLINE),
        [pod(reported(Outcome.FAILED, "TimedOut", 143, message="did not finish within 5 s"))],
        "TimedOut",
        "within 5 s",
        143,
    ),
    "the Pod's deadline": (
        failed_job(),
        [pod(container(exit_code=137), phase="Failed", reason="DeadlineExceeded", message="Pod was active too long")],
        "TimedOut",
        "Pod was active too long",
        137,
    ),
    "the Pod's deadline before it started": (
        failed_job(),
        [pod(phase="Failed", reason="DeadlineExceeded", message="Pod was active too long")],
        "TimedOut",
        "Pod was active too long",
        None,
    ),
    "several Pods, all failed": (
        failed_job(),
        [
            pod(container(exit_code=1, message="first"), name="a", minutes=0),
            pod(container(exit_code=2, message="last"), name="b", minutes=1),
        ],
        "NonZeroExit",
        "exit code 2: last",
        2,
    ),
    "several Pods at once, of which the last succeeded": (
        failed_job(),
        [
            pod(container(exit_code=7, message="out of paper"), name="a", minutes=0, phase="Failed"),
            pod(container(exit_code=0), name="b", minutes=1, phase="Succeeded"),
        ],
        "NonZeroExit",
        "out of paper",
        7,
    ),
    "Pods that are gone": (failed_job(), [], "BackoffLimitExceeded", "reached the limit", None),
    "a reason of the Job that we do not know": (
        failed_job("FailedIndexes", "index 3"),
        [],
        "FailedIndexes",
        "index 3",
        None,
    ),
    "nothing at all": (failed_job("", ""), [], "JobFailed", "", None),
    "an init container": (
        failed_job(),
        [pod(container("migrate", exit_code=4, message="locked"), container("main", waiting_reason="PodInitializing"))],
        "NonZeroExit",
        "'migrate' ended with exit code 4: locked",
        4,
    ),
    "the main container, then its sidecar": (
        failed_job(),
        [
            pod(
                container("proxy", exit_code=143, finished_at=at(2)),
                container("main", exit_code=5, message="boom", finished_at=at(1)),
                phase="Failed",
            )
        ],
        "NonZeroExit",
        "'main' ended with exit code 5: boom",
        5,
    ),
    "the task, whatever happened to other containers": (
        failed_job(),
        [
            pod(
                container("proxy", exit_code=1, finished_at=at(1)),
                container("task", exit_code=6, message="boom", finished_at=at(2)),
                phase="Failed",
            )
        ],
        "NonZeroExit",
        "'task' ended with exit code 6",
        6,
    ),
    "an exception in Python": (
        failed_job(),
        [pod(reported(Outcome.FAILED, "Exception", message="ValueError: 7", output="Traceback …"))],
        "Exception",
        "ValueError: 7",
        1,
    ),
    "a report that is garbage": (
        failed_job(),
        [pod(container("task", exit_code=1, message='{"timewright":1,"outcome":"Failed","reason":""}'))],
        "NonZeroExit",
        "exit code 1",
        1,
    ),
    "an exit code far above the signals": (
        failed_job(),
        [pod(container(exit_code=170))],
        "NonZeroExit",
        "exit code 170",
        170,
    ),
}


@pytest.mark.parametrize("case", FAILURES)
def test_a_failed_job_tells_why(case: str) -> None:
    ended, pods, reason, words, exit_code = FAILURES[case]

    result = result_of(ended, pods)

    assert (result.outcome, result.reason, result.exit_code) == (Outcome.FAILED, reason, exit_code)
    assert words in result.message


def test_an_exit_code_that_is_no_signal_is_not_called_one() -> None:
    result = result_of(failed_job(), [pod(container(exit_code=170))])

    assert "signal" not in result.message.lower()


def test_a_job_succeeds_without_its_pods() -> None:
    result = result_of(done_job(), [])

    assert (result.outcome, result.reason, result.exit_code, result.attempts) == (Outcome.SUCCEEDED, "Completed", 0, ())


def test_a_runner_tells_what_succeeded() -> None:
    task = reported(Outcome.SUCCEEDED, "Completed", 0, message="POST https://a.example: 204", output="body")

    result = result_of(done_job(), [pod(task, phase="Succeeded")])

    assert (result.message, result.output) == ("POST https://a.example: 204", "body")


def test_a_job_that_needed_two_tries_lists_both_and_shows_the_one_that_succeeded() -> None:
    pods = [
        pod(container(exit_code=0), name="second", minutes=2, phase="Succeeded"),
        pod(container(exit_code=1, message="boom"), name="first", minutes=1, phase="Failed"),
    ]

    result = result_of(done_job(), pods)

    assert [(each.number, each.pod_name, each.reason) for each in result.attempts] == [
        (1, "first", "NonZeroExit"),
        (2, "second", None),
    ]
    assert (result.exit_code, result.output) == (0, None)


def test_attempts_within_one_pod_are_listed_too() -> None:
    failed = [Attempt(number=number, reason="NonZeroExit", exit_code=1) for number in (2, 3)]
    report = RunReport(outcome=Outcome.SUCCEEDED, reason="Completed", exit_code=0, attempts=failed, attempt_count=4)
    task = container(exit_code=0, message=report.to_termination_message())

    result = result_of(done_job(), [pod(task, name="only", phase="Succeeded")])

    assert [(each.number, each.pod_name, each.reason) for each in result.attempts] == [
        (2, "only", "NonZeroExit"),
        (3, "only", "NonZeroExit"),
        (4, "only", None),
    ]


def test_a_sidecar_that_the_kubelet_had_to_kill_is_no_failure_of_a_pod_that_succeeded() -> None:
    (attempt,) = attempts_of(
        [
            pod(
                container("proxy", exit_code=137, finished_at=at(3)),
                container("main", exit_code=0, finished_at=at(2)),
                phase="Succeeded",
            )
        ]
    )

    assert (attempt.reason, attempt.exit_code, attempt.completion_time) == (None, 0, at(2))


def test_the_times_of_a_pod_that_succeeded_are_those_of_its_work_not_of_an_init_container() -> None:
    (attempt,) = attempts_of(
        [
            pod(
                container("prepare", exit_code=0, started_at=at(0), finished_at=at(1)),
                container("main", exit_code=0, started_at=at(1), finished_at=at(9)),
                phase="Succeeded",
            )
        ]
    )

    assert (attempt.start_time, attempt.completion_time) == (at(1), at(9))


def test_only_the_latest_attempts_are_listed_with_their_true_numbers() -> None:
    pods = [pod(container(exit_code=1), name=f"pod-{number}", minutes=number) for number in range(25)]

    attempts = attempts_of(pods)

    assert [attempt.number for attempt in attempts] == list(range(26 - ATTEMPTS_KEPT, 26))


def test_pods_made_in_one_second_have_one_order() -> None:
    pods = [pod(container(exit_code=1), name=name) for name in ("b", "c", "a")]

    assert attempts_of(pods) == attempts_of(list(reversed(pods)))


# Obstacles


@pytest.mark.parametrize("reason", sorted(PULL_FAILURES))
def test_an_image_that_cannot_be_had_is_an_obstacle(reason: str) -> None:
    obstacle = obstacle_of([pod(container(waiting_reason=reason, waiting_message="no such host"))])

    assert obstacle is not None
    assert (obstacle.reason, obstacle.message) == ("ImagePullFailed", f"{reason}: no such host")
    assert obstacle.hopeless is (reason in HOPELESS_PULL_FAILURES)


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (pod(), None),
        (pod(container(waiting_reason="ContainerCreating")), None),
        (pod(container(waiting_reason="PodInitializing")), None),
        (pod(container(waiting_reason="CreateContainerConfigError", waiting_message="no secret")), "StartError"),
        (pod(container("init"), container("main", waiting_reason="InvalidImageName")), "ImagePullFailed"),
        (pod(unschedulable="0/3 nodes are available"), "Unschedulable"),
    ],
)
def test_an_obstacle_is_what_a_person_could_remove(seen: ObservedPod, reason: str | None) -> None:
    obstacle = obstacle_of([seen])

    assert (obstacle.reason if obstacle else None) == reason


def test_only_the_newest_pod_has_obstacles() -> None:
    old = pod(container(waiting_reason="ErrImagePull"), name="old", minutes=0)

    assert obstacle_of([old, pod(container(), name="new", minutes=1)]) is None
    assert obstacle_of([]) is None


# Whatever Pods say, it can be written down

words = st.text(max_size=30) | st.sampled_from(
    [
        "Evicted",
        "OOMKilled",
        "Error",
        "StartError",
        "x" * 5000,
        '{"timewright":1,',
        '{"timewright":1,"reason":"A","outcome":"Lost"}',
    ]
)
containers = st.builds(
    ObservedContainer,
    name=st.sampled_from(["task", "main", "", "c" * 63]),
    waiting_reason=st.none() | words,
    waiting_message=words,
    exit_code=st.none() | st.integers(0, 255),
    signal=st.none() | st.integers(-1, 70),
    terminated_reason=words,
    message=words,
    started_at=st.none() | st.just(NOON),
    finished_at=st.none() | st.just(NOON),
)
pods_seen = st.builds(
    ObservedPod,
    name=st.sampled_from("abc"),
    created_at=st.just(NOON),
    phase=st.sampled_from(["", "Pending", "Running", "Succeeded", "Failed", "Unknown"]),
    reason=words,
    message=words,
    disruption=words,
    unschedulable=words,
    containers=st.lists(containers, max_size=3).map(tuple),
)


@given(st.lists(pods_seen, max_size=3), st.booleans(), words, words)
def test_whatever_pods_say_the_result_can_be_recorded(
    pods: list[ObservedPod], succeeded: bool, reason: str, message: str
) -> None:
    ended = job(succeeded=succeeded, failure_reason=reason, failure_message=message)

    result = result_of(ended, pods)
    status = run_status.finished(run(), ended, result, NOON)

    assert result.outcome is (Outcome.SUCCEEDED if succeeded else Outcome.FAILED)
    assert TaskRunStatus.model_validate(status.to_manifest()).outcome is result.outcome
    obstacle = obstacle_of(pods)
    assert run_status.running(run(), ended, obstacle).phase is not None
