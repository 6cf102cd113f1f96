"""`make run`, by its script: the tour runs, and its commands find its records."""

import os
import select
import signal
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).parents[3]
PATIENCE_SECONDS = 120.0


def test_the_tour_runs_with_live_output(tmp_path: Path) -> None:
    environment = {**os.environ, "TIMEWRIGHT_STORE": f"sqlite:{tmp_path}/state.db"}
    with subprocess.Popen(
        [ROOT / "scripts" / "run"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as run:
        try:
            seen = read_until(run, b"heartbeat | alive at ")
            run.send_signal(signal.SIGINT)
            run.communicate(timeout=PATIENCE_SECONDS)
        finally:
            if run.poll() is None:
                run.kill()
    assert run.returncode == 0
    assert b"10 tasks, recorded in sqlite:" in seen
    listed = subprocess.run(
        [ROOT / "scripts" / "run", "schedule:list"], env=environment, capture_output=True, text=True, check=True
    ).stdout
    (heartbeat,) = [line for line in listed.splitlines() if line.startswith("heartbeat")]
    assert "Succeeded" in heartbeat


def read_until(process: subprocess.Popen[bytes], text: bytes) -> bytes:
    assert process.stdout is not None
    seen = b""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while text not in seen:
        assert time.monotonic() < deadline, seen
        if select.select([process.stdout], [], [], 0.2)[0]:
            data = os.read(process.stdout.fileno(), 65536)
            assert data, seen
            seen += data
    return seen
