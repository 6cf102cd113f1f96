"""The control group's count of kills is found, in both versions, and believed."""

from pathlib import Path

import pytest

from timewright.resources.vocabulary import Reason
from timewright.runner import out_of_memory
from timewright.runner.ending import result_of
from timewright.runner.limits import Limits
from timewright.runner.process import ProcessEnd
from timewright.runner.stop import StopRequest


@pytest.mark.parametrize(
    ("membership", "file", "content"),
    [
        ("0::/\n", "memory.events", "low 0\nhigh 0\nmax 7\noom 3\noom_kill 2\noom_group_kill 0\n"),
        ("0::/kubepods/pod1/c\n", "kubepods/pod1/c/memory.events", "oom_kill 2\n"),
        ("12:memory:/kubepods/pod1/c\n0::/\n", "memory/memory.oom_control", "under_oom 0\noom_kill 2\n"),
        ("3:cpu,cpuacct:/a\n12:memory:/a\n", "memory/a/memory.oom_control", "oom_kill_disable 0\noom_kill 2\n"),
    ],
)
def test_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, membership: str, file: str, content: str) -> None:
    (tmp_path / "cgroup").write_text(membership)
    (tmp_path / "fs" / file).parent.mkdir(parents=True)
    (tmp_path / "fs" / file).write_text(content)
    monkeypatch.setattr(out_of_memory, "CGROUP_ROOT", tmp_path / "fs")
    monkeypatch.setattr(out_of_memory, "MEMBERSHIP", tmp_path / "cgroup")
    assert out_of_memory.out_of_memory_kills() == 2


def test_no_control_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(out_of_memory, "MEMBERSHIP", tmp_path / "nothing")
    assert out_of_memory.out_of_memory_kills() is None


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (ProcessEnd(-9, out_of_memory=True), Reason.OUT_OF_MEMORY),
        (ProcessEnd(137, out_of_memory=True), Reason.OUT_OF_MEMORY),
        (ProcessEnd(-9), Reason.NON_ZERO_EXIT),
        (ProcessEnd(1, out_of_memory=True), Reason.NON_ZERO_EXIT),
        (ProcessEnd(-9, out_of_memory=True, timed_out=True, killed=True), Reason.TIMED_OUT),
    ],
)
def test_verdict(end: ProcessEnd, reason: Reason) -> None:
    result = result_of("task", end, stop=StopRequest(), limits=Limits(timeout=5), last_words="")
    assert result.reason == reason
    if reason is Reason.OUT_OF_MEMORY:
        assert "killed by SIGKILL, probably out of memory" in result.message
