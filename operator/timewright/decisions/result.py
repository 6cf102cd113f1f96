"""How did a Job end? Reads the answer out of the Job and its Pods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from signal import Signals

from timewright.decisions.observed import ObservedContainer, ObservedJob, ObservedPod
from timewright.resources.run_report import RunReport
from timewright.resources.task_run import Attempt
from timewright.resources.vocabulary import Outcome, Reason

ATTEMPTS_KEPT = 10
"""The latest attempts that a record lists."""

OUTPUT_KEPT = 4096
"""Characters of output that a record keeps of an attempt: the most that a termination message holds."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a run ended."""

    outcome: Outcome
    reason: str
    message: str
    exit_code: int | None = None
    output: str | None = None
    attempts: tuple[Attempt, ...] = ()


def result_of(job: ObservedJob, pods: Sequence[ObservedPod]) -> Result:
    """Tell how a finished Job ended."""
    attempts = attempts_of(pods)
    last = _latest(attempts, failed=not job.succeeded)
    if job.succeeded:
        report = _succeeded_report(pods)
        return Result(
            Outcome.SUCCEEDED,
            report.reason if report else Reason.COMPLETED.value,
            report.message if report else "",
            exit_code=0,
            output=last.output if last else None,
            attempts=tuple(attempts),
        )
    reason, message = _failure(job, last)
    return Result(
        Outcome.CANCELLED if reason == Reason.TERMINATED.value else Outcome.FAILED,
        reason,
        message,
        exit_code=last.exit_code if last else None,
        output=last.output if last else None,
        attempts=tuple(attempts),
    )


def attempts_of(pods: Sequence[ObservedPod]) -> list[Attempt]:
    """Return the attempts that these Pods were, oldest first."""
    attempts: list[Attempt] = []
    for pod in sorted(pods, key=lambda pod: (pod.created_at, pod.name)):
        attempts += _attempts_of(pod, first=attempts[-1].number + 1 if attempts else 1)
    return attempts[-ATTEMPTS_KEPT:]


def _latest(attempts: Sequence[Attempt], *, failed: bool) -> Attempt | None:
    """Return the latest attempt that ended as the Job did; of a Job with several Pods at once, others may be later."""
    alike = [attempt for attempt in attempts if (attempt.reason is not None) is failed]
    return next(reversed(alike or attempts), None)


def _failure(job: ObservedJob, last: Attempt | None) -> tuple[str, str]:
    """Return the reason and message of a failed Job: the most telling of what is known."""
    if job.failure_reason == "DeadlineExceeded":
        if last is not None and last.reason == Reason.TIMED_OUT.value:
            return last.reason, last.message or job.failure_message
        return Reason.TIMED_OUT.value, job.failure_message or "the Job exceeded its activeDeadlineSeconds"
    if last is not None and last.reason is not None:
        return last.reason, last.message or job.failure_message
    if job.failure_reason == "BackoffLimitExceeded":
        return Reason.BACKOFF_LIMIT_EXCEEDED.value, job.failure_message
    return job.failure_reason[:256] or Reason.JOB_FAILED.value, job.failure_message


def _succeeded_report(pods: Sequence[ObservedPod]) -> RunReport | None:
    for pod in pods:
        for container in pod.containers:
            report = RunReport.from_termination_message(container.message)
            if report is not None and report.outcome is Outcome.SUCCEEDED:
                return report
    return None


def _attempts_of(pod: ObservedPod, first: int) -> list[Attempt]:
    """Return the attempts that were made in a Pod, the first of which has that number.

    Mostly the Pod is one. A runner that may try again makes several in it, and tells of those that it has room for.
    """
    container = _decisive(pod)
    report = RunReport.from_termination_message(container.message) if container is not None else None
    if report is None:
        return [_attempt(first, pod)]
    earlier = [
        each.model_copy(update={"number": first + each.number - 1, "pod_name": pod.name}) for each in report.attempts
    ]
    return [*earlier, _attempt(first + report.attempt_count - 1, pod)]


def _attempt(number: int, pod: ObservedPod) -> Attempt:
    container = _decisive(pod)
    if container is None:
        return Attempt(number=number, pod_name=pod.name, reason=_pod_reason(pod), message=pod.message[-4000:] or None)
    report = RunReport.from_termination_message(container.message)
    if report is not None:
        failed = report.outcome is not Outcome.SUCCEEDED
        ended = _ended_by_kubernetes(pod) if report.outcome is Outcome.CANCELLED else None
        return Attempt(
            number=number,
            pod_name=pod.name,
            start_time=report.start_time or container.started_at,
            completion_time=report.completion_time or container.finished_at,
            exit_code=report.exit_code if report.exit_code is not None else container.exit_code,
            reason=ended[0] if ended else report.reason if failed else None,
            message=ended[1] if ended else report.message[-4000:] or None,
            output=report.output or None,
        )
    reason, message = _container_failure(pod, container)
    return Attempt(
        number=number,
        pod_name=pod.name,
        start_time=container.started_at,
        completion_time=container.finished_at,
        exit_code=container.exit_code,
        reason=reason,
        message=message,
        output=container.message[-OUTPUT_KEPT:] or None,
    )


def _decisive(pod: ObservedPod) -> ObservedContainer | None:
    """Return the container that decided the Pod's end: `task`, else the first to fail, else the last to end.

    Once the work is over the kubelet stops the sidecars, which may well answer with a failure of their own: one of a
    Pod that succeeded means nothing, and one after another failure is a consequence.
    """
    ended = [each for each in pod.containers if each.exit_code is not None]
    failed = [each for each in ended if each.exit_code != 0] if pod.phase != "Succeeded" else []
    if failed:
        return min(failed, key=lambda each: (each.name != _TASK_CONTAINER, each.finished_at or _LATEST))
    well = [each for each in ended if each.exit_code == 0] or ended
    return max(well, key=lambda each: (each.name == _TASK_CONTAINER, each.finished_at or _EARLIEST), default=None)


_TASK_CONTAINER = "task"
_EARLIEST, _LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def _ended_by_kubernetes(pod: ObservedPod) -> tuple[str, str] | None:
    """Return why Kubernetes itself ended a Pod, if it did: its containers only tell that they were killed."""
    if pod.disruption or pod.reason == "Evicted":
        return Reason.EVICTED.value, (pod.message or pod.disruption or "evicted from its node")[-4000:]
    if pod.reason == "DeadlineExceeded":
        return Reason.TIMED_OUT.value, (pod.message or "the Pod exceeded its activeDeadlineSeconds")[-4000:]
    return None


def _pod_reason(pod: ObservedPod) -> str | None:
    """Return why a Pod failed of which no container ran to its end."""
    ended = _ended_by_kubernetes(pod)
    if ended is not None:
        return ended[0]
    waiting = next((each.waiting_reason for each in pod.containers if each.waiting_reason), None)
    if waiting is not None:
        return Reason.IMAGE_PULL_FAILED.value if waiting in PULL_FAILURES else Reason.START_ERROR.value
    return pod.reason[:256] or None


def _container_failure(pod: ObservedPod, container: ObservedContainer) -> tuple[str | None, str | None]:
    if container.exit_code == 0 or pod.phase == "Succeeded":
        return None, None
    if container.terminated_reason == "OOMKilled":
        return Reason.OUT_OF_MEMORY.value, f"container {container.name!r} was killed for exceeding its memory limit"
    ended = _ended_by_kubernetes(pod)
    if ended is not None:
        return ended
    if container.terminated_reason in ("StartError", "ContainerCannotRun", "CreateContainerError"):
        return Reason.START_ERROR.value, f"container {container.name!r} could not start: {container.message[-3000:]}"
    return Reason.NON_ZERO_EXIT.value, _exit_message(container)


def _exit_message(container: ObservedContainer) -> str:
    text = f"container {container.name!r} ended with exit code {container.exit_code}"
    number = container.signal or ((container.exit_code or 0) - 128)
    if number in _SIGNALS:
        text += f" ({Signals(number).name})"
    last_line = next((line for line in reversed(container.message.splitlines()) if line.strip()), "")
    return f"{text}: {last_line.strip()[:1000]}" if last_line else text


_SIGNALS = frozenset(each.value for each in Signals if each.value <= 31)
"""Exit codes above these only happen to be above 128."""

PULL_FAILURES = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
        "RegistryUnavailable",
    }
)
"""Why a container waits when its image cannot be had (Kubernetes pkg/kubelet/images/types.go)."""

HOPELESS_PULL_FAILURES = frozenset({"InvalidImageName", "ErrImageNeverPull"})
"""Those that no waiting mends."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a Job's Pod does not start."""

    reason: str
    message: str
    hopeless: bool


def obstacle_of(pods: Sequence[ObservedPod]) -> Obstacle | None:
    """Tell what keeps the newest Pod from starting, if anything does."""
    for pod in sorted(pods, key=lambda each: each.created_at, reverse=True)[:1]:
        for container in pod.containers:
            if container.waiting_reason in PULL_FAILURES:
                text = f"{container.waiting_reason}: {container.waiting_message}"
                return Obstacle(
                    Reason.IMAGE_PULL_FAILED.value, text[:2000], container.waiting_reason in HOPELESS_PULL_FAILURES
                )
            if container.waiting_reason in ("CreateContainerConfigError", "CreateContainerError"):
                text = f"{container.waiting_reason}: {container.waiting_message}"
                return Obstacle(Reason.START_ERROR.value, text[:2000], hopeless=False)
        if pod.unschedulable:
            return Obstacle("Unschedulable", pod.unschedulable[:2000], hopeless=False)
    return None
