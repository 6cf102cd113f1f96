"""The other end of a worker."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any


class Process:
    """A worker, see there."""

    def __init__(self, url: str, lease_seconds: float, owner: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.storage.worker", url, str(lease_seconds), owner],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )

    def ask(self, name: str, *arguments: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([name, *arguments]) + "\n")
        self._process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found

    def call(self, name: str, *arguments: Any) -> Any:
        self.ask(name, *arguments)
        answer = self.answer()
        assert "error" not in answer, answer
        return answer["result"]

    def refusal(self, name: str, *arguments: Any) -> str:
        self.ask(name, *arguments)
        return str(self.answer()["error"])

    @property
    def pid(self) -> int:
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()
