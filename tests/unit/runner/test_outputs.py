"""Where output goes: shown line by line, recorded, copied to a file, and never in the way of anything."""

import asyncio
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.runner.calls import context_of, run_call
from tests.unit.runner.tasks import hostile_calls
from timewright.runner.definition import Definition, OutputFile
from timewright.runner.live_output import LIVE, PENDING_BYTES, LiveOutput, Sink
from timewright.runner.masking import Masker
from timewright.runner.output import STDERR, STDOUT, Output
from timewright.runner.run import execute

PATIENCE_SECONDS = 20.0


class Reader:
    """Reads all that is written to a descriptor."""

    def __init__(self) -> None:
        self.source, self.sink = os.pipe()
        self.read = bytearray()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while chunk := os.read(self.source, 65536):
            self.read += chunk

    def all(self) -> bytes:
        LIVE.flush()
        os.close(self.sink)
        self._thread.join(PATIENCE_SECONDS)
        os.close(self.source)
        return bytes(self.read)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    source, sink = os.pipe()
    yield source, sink
    for each in (source, sink):
        os.close(each)


class TestLines:
    def test_with_a_label_each_line_is_whole_and_begins_with_it(self) -> None:
        reader = Reader()
        output = Output(label="sync", stdout=reader.sink, stderr=reader.sink)
        other = Output(label="other", stdout=reader.sink, stderr=reader.sink)
        output.say("begin")
        output.write(STDOUT, b"one\ntw")
        other.write(STDOUT, b"in between\n")
        output.write(STDERR, b"error\n")
        output.write(STDOUT, b"o\n\nthree")
        output.close()
        other.close()
        assert reader.all().decode().splitlines() == [
            *("sync | timewright: begin", "sync | one", "other | in between", "sync | error", "sync | two"),
            *("sync | ", "sync | three"),
        ]
        assert output.text() == "one\ntwerror\no\n\nthree"

    def test_a_line_without_end_is_not_held_back_for_ever(self) -> None:
        reader = Reader()
        output = Output(label="sync", stdout=reader.sink)
        output.write(STDOUT, b"x" * 1_000_000)
        LIVE.flush()
        assert len(reader.read) > 900_000
        output.close()
        reader.all()

    def test_without_a_label_all_is_passed_on_as_it_comes(self) -> None:
        reader = Reader()
        output = Output(stdout=reader.sink, stderr=reader.sink)
        output.say("begin")
        output.write(STDOUT, b"no line")
        output.say("end")
        output.close()
        assert reader.all() == b"timewright: begin\nno line\ntimewright: end\n"

    def test_silence(self) -> None:
        reader = Reader()
        output = Output(live=False, stdout=reader.sink)
        output.say("nobody hears this")
        output.write(STDOUT, b"recorded")
        output.note("noted")
        output.close()
        assert reader.all() == b""
        assert output.text() == "recordedtimewright: noted\n"

    def test_a_secret_that_comes_in_pieces_is_masked_everywhere(self, tmp_path: Path) -> None:
        reader, copy = Reader(), tmp_path / "copy"
        output = Output(Masker(["s3cr3t-t0ken"]), label="sync", stdout=reader.sink)
        output.copy_to(OutputFile(str(copy)))
        output.write(STDOUT, b"a s3cr3t")
        output.write(STDOUT, b"-t0ken b\ns3cr")
        output.close()
        assert reader.all() == b"sync | a *** b\nsync | s3cr\n"
        assert output.text() == copy.read_text() == "a *** b\ns3cr"


class TestReaders:
    async def test_one_that_has_stopped_reading_holds_up_neither_the_loop_nor_the_record(
        self, pipe: tuple[int, int]
    ) -> None:
        output = Output(stdout=pipe[1], stderr=pipe[1], says=False)
        result = await asyncio.wait_for(run_call(hostile_calls.print_a_lot_async, output=output), PATIENCE_SECONDS)
        assert result.succeeded
        assert result.output.endswith("x\nend\n")
        assert LIVE.is_full
        reading = threading.Thread(target=_read_until_flushed, args=(pipe[0],))
        reading.start()
        LIVE.flush()
        reading.join(PATIENCE_SECONDS)

    async def test_a_thread_waits_for_a_slow_one(self) -> None:
        reader = Reader()
        output = Output(stdout=reader.sink, says=False)
        result = await asyncio.wait_for(run_call(hostile_calls.print_a_lot, output=output), PATIENCE_SECONDS)
        assert result.succeeded
        assert len(reader.all()) == len("begin\nend\n") + 1000 * 100_000

    def test_one_that_went_away_is_forgotten(self) -> None:
        source, sink = os.pipe()
        os.close(source)
        output = Output(stdout=sink)
        for _ in range(3):
            output.write(STDOUT, b"x\n")
            LIVE.flush()
        assert output.text() == "x\n" * 3
        os.close(sink)

    def test_waiting_for_one_ends_when_nothing_is_read(self, pipe: tuple[int, int]) -> None:
        live = LiveOutput()
        live.put(Sink(pipe[1]), b"x" * (PENDING_BYTES + 1))
        assert live.is_full
        live.flush(0.05)
        assert live.is_full


def _read_until_flushed(source: int) -> None:
    while LIVE._pending:
        os.read(source, 1 << 20)


class TestFiles:
    async def test_overwritten_or_added_to(self, tmp_path: Path) -> None:
        path = tmp_path / "log"
        for number in (1, 2):
            await run_call(print, number, output_file=OutputFile(str(path), append=True))
        assert path.read_text() == "1\n2\n"
        definition = Definition("sync", "", "command", ["echo", "3"], output_file=OutputFile(str(path)))
        await execute(definition, context_of(definition), Output(live=False))
        assert path.read_text() == "3\n"

    async def test_attempts_share_it(self, tmp_path: Path) -> None:
        from timewright.decisions.policies import Retry

        path = tmp_path / "log"
        script = 'echo $TIMEWRIGHT_ATTEMPT; test "$TIMEWRIGHT_ATTEMPT" = 2'
        definition = Definition(
            *("sync", "", "command", ["sh", "-c", script]),
            retry=Retry(limit=1, backoff=0),
            output_file=OutputFile(str(path)),
        )
        result = await execute(definition, context_of(definition), Output(live=False))
        assert result.output == "2\n"
        assert path.read_text() == "1\n2\n"

    async def test_all_of_it(self, tmp_path: Path) -> None:
        path = tmp_path / "log"
        await run_call(hostile_calls.print_a_lot, output_file=OutputFile(str(path)))
        assert path.stat().st_size == len("begin\nend\n") + 1000 * 100_000

    @pytest.mark.parametrize("place", ["missing/log", ".", "fifo", "nul\0"])
    async def test_one_that_cannot_be_written_is_noted(self, tmp_path: Path, place: str) -> None:
        os.mkfifo(tmp_path / "fifo")
        result = await run_call(print, "printed", output_file=OutputFile(f"{tmp_path}/{place}"))
        assert result.succeeded
        assert result.output.startswith("printed\ntimewright: the output file ")
        assert "cannot be written" in result.output

    async def test_a_disk_that_fills_up_is_noted(self) -> None:
        result = await run_call(print, "printed", output_file=OutputFile("/dev/full"))
        assert result.succeeded
        assert "No space left on device" in result.output
