"""Functions that hang keep neither the others from running nor the process from ending."""

import subprocess
import sys
import threading

import pytest

from tests.unit.runner.harness import SOURCE
from timewright.runner.threads import ThreadPool

PATIENCE_SECONDS = 30.0


def test_no_more_jobs_run_at_once_than_allowed() -> None:
    pool = ThreadPool(2, hung_seconds=60)
    lock, running, most = threading.Lock(), [0], [0]
    done = threading.Semaphore(0)

    def job() -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        threading.Event().wait(0.005)
        with lock:
            running[0] -= 1
        done.release()

    for _ in range(20):
        pool.submit(job)
    assert all(done.acquire(timeout=PATIENCE_SECONDS) for _ in range(20))
    assert most[0] == 2


@pytest.mark.parametrize("hung", [2, 12])
def test_jobs_that_hang_are_made_up_for_by_further_threads(hung: int) -> None:
    pool = ThreadPool(2, hung_seconds=0.05)
    release, done = threading.Event(), threading.Event()
    for _ in range(hung):
        pool.submit(lambda: bool(release.wait(PATIENCE_SECONDS)) and None)
    pool.submit(done.set)
    assert done.wait(PATIENCE_SECONDS)
    release.set()


def test_a_job_that_is_given_up_has_its_place_taken_at_once_until_it_ends() -> None:
    pool = ThreadPool(1, hung_seconds=60)
    release, done, again = threading.Event(), threading.Event(), threading.Event()

    def hang() -> None:
        release.wait(PATIENCE_SECONDS)

    job = pool.submit(hang)
    pool.submit(done.set)
    assert not done.wait(0.05)
    job.give_up()
    assert done.wait(PATIENCE_SECONDS)
    release.set()
    pool.submit(again.set)
    assert again.wait(PATIENCE_SECONDS)


def test_a_thread_that_hangs_does_not_keep_the_process_from_ending() -> None:
    code = (
        "import threading\n"
        "from timewright.runner.threads import POOL\n"
        "POOL.submit(lambda: threading.Event().wait() and None)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(SOURCE)}, timeout=PATIENCE_SECONDS, check=False
    )
    assert done.returncode == 0
