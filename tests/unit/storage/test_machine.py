"""Whether a process still lives, as far as that can be told from here."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from timewright.storage import machine
from timewright.storage.machine import Process

HERE = machine.this_process()
pytestmark = pytest.mark.skipif(HERE is None, reason="needs /proc")


def process_of(pid: int) -> Process:
    assert HERE is not None
    found = machine._state_and_start(pid)
    assert found is not None
    return Process(HERE.pid_namespace, pid, found[1])


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def test_this_process_lives() -> None:
    assert HERE is not None
    assert HERE.pid == os.getpid()
    assert not machine.has_ended(HERE, HERE)
    assert machine.this_process() == HERE


def test_a_process_has_ended_once_it_is_killed_though_nobody_waited_for_it(child: subprocess.Popen[bytes]) -> None:
    assert HERE is not None
    process = process_of(child.pid)
    assert not machine.has_ended(process, HERE)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert machine.has_ended(process, HERE), "a zombie"
    child.wait()
    assert machine.has_ended(process, HERE)


def test_a_process_that_is_stopped_lives(child: subprocess.Popen[bytes]) -> None:
    assert HERE is not None
    os.kill(child.pid, 19)
    os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WNOWAIT)
    assert not machine.has_ended(process_of(child.pid), HERE)


def test_the_number_of_an_ended_process_that_is_used_again_deceives_nobody(child: subprocess.Popen[bytes]) -> None:
    assert HERE is not None
    assert machine.has_ended(replace(process_of(child.pid), started="1"), HERE)


def test_of_another_namespace_nothing_can_be_told(child: subprocess.Popen[bytes]) -> None:
    assert HERE is not None
    process = replace(process_of(child.pid), pid_namespace="pid:[1]", started="1")
    assert not machine.has_ended(process, HERE)


def test_a_program_may_have_any_name(tmp_path_factory: pytest.TempPathFactory) -> None:
    script = "import os, time; open('/proc/self/comm', 'w').write(') Z 1 2'); print(flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    try:
        assert HERE is not None
        assert not machine.has_ended(process_of(process.pid), HERE)
        assert process_of(process.pid).started.isdecimal()
    finally:
        process.kill()
        process.communicate()


def test_a_process_namespace_without_a_proc_of_its_own_knows_nothing() -> None:
    if os.geteuid() != 0:
        pytest.skip("making a process namespace needs root")
    script = "from timewright.storage import machine; print(machine.this_process())"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = ["unshare", "--pid", "--fork", sys.executable, "-c", script]
    assert subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout == "None\n"
    command.insert(1, "--mount-proc")
    assert "pid=1," in subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def test_the_clock_is_shared_and_the_boot_is_known() -> None:
    script = "from timewright.storage import machine; print(machine.now(), machine.boot())"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    before = machine.now()
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    now, boot = done.stdout.split()
    assert before <= float(now) <= machine.now()
    assert boot == machine.boot() != ""
