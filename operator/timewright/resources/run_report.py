"""What a runner in a Pod tells the operator through the container's termination message.

The kubelet keeps at most 4096 bytes of `/dev/termination-log`
(https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/), so a report is cut to fit.
"""

from __future__ import annotations

from pydantic import Field, ValidationError

from timewright.resources.model import Time, Told
from timewright.resources.task_run import Attempt
from timewright.resources.vocabulary import Outcome

MAXIMUM_BYTES = 4096
"""The most that the kubelet keeps of one container's termination message."""

_MARK = '{"timewright":1,'


class RunReport(Told):
    """How one run in a Pod went."""

    outcome: Outcome
    reason: str = Field(max_length=256, pattern=r"^[A-Z][A-Za-z0-9]*$")
    message: str = ""
    exit_code: int | None = Field(default=None, ge=-(2**31), lt=2**31)
    start_time: Time | None = None
    completion_time: Time | None = None
    output: str = ""
    attempts: list[Attempt] = Field(default_factory=list)
    """The attempts that failed before the last one, in order."""
    attempt_count: int = Field(default=1, ge=1)
    """How many attempts there were, those included that are too many to be told."""
    peak_memory_bytes: int | None = Field(default=None, ge=0)

    def to_termination_message(self) -> str:
        """Write the report as JSON of at most 4096 bytes; long texts lose their beginning, which matters least."""
        for share in (1.0, 0.8, 0.6, 0.4, 0.2, 0.1, 0.0):
            message_bytes, output_bytes = int(1400 * max(share, 0.1)), int(2200 * share)
            cut = self.model_copy(
                update={
                    "message": _tail(self.message, message_bytes),
                    "output": _tail(self.output, output_bytes),
                    "attempts": [_brief(each, int(200 * share)) for each in self._latest(int(10 * share))],
                }
            )
            text = _MARK + cut.model_dump_json(by_alias=True, exclude_none=True, exclude_defaults=True)[1:]
            if len(text.encode()) <= MAXIMUM_BYTES:
                return text
        raise AssertionError("a report without output always fits")

    def _latest(self, number: int) -> list[Attempt]:
        return self.attempts[-number:] if number else []

    @classmethod
    def from_termination_message(cls, text: str | None) -> RunReport | None:
        """Read a report back; `None` when the text is anything else, such as the tail of a log."""
        if text is None or not text.startswith(_MARK):
            return None
        try:
            return cls.model_validate_json("{" + text[len(_MARK) :])
        except ValidationError:
            return None


def _brief(attempt: Attempt, message_bytes: int) -> Attempt:
    """Return an attempt with the end of its message, and without its output."""
    message = None if attempt.message is None else _tail(attempt.message, message_bytes)
    return attempt.model_copy(update={"message": message, "output": None})


def _tail(text: str, limit: int) -> str:
    """Return the end of the text in at most that many UTF-8 bytes."""
    raw = text.encode()
    if len(raw) <= limit:
        return text
    return "…" + raw[len(raw) - limit :].decode(errors="ignore")
