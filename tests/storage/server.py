"""A PostgreSQL server for tests, of Debian's packages, in a temporary folder and on a socket there."""

import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.cluster import host
from tests.storage import installation

_USERS = ("postgres", "nobody")
_PATIENCE = 60.0


class UnavailableError(Exception):
    """PostgreSQL cannot be run here."""


class Server:
    """One server with one superuser, `timewright`, whom it lets in without a password."""

    def __init__(self, programs: Path, folder: Path, user: str | None) -> None:
        self._programs = programs
        self._folder = folder
        self._user = user
        self._process: subprocess.Popen[bytes] | None = None
        self._run("initdb", "--pgdata", str(folder / "data"), "--auth=trust", "--username=timewright", "--no-sync")

    def url(self, database: str = "postgres", user: str = "timewright") -> str:
        return f"postgresql://{user}@/{database}?host={self._folder}"

    @property
    def socket(self) -> Path:
        return self._folder / ".s.PGSQL.5432"

    def start(self) -> None:
        options = ("listen_addresses=", "fsync=off", f"unix_socket_directories={self._folder}", "max_connections=50")
        command = [str(self._programs / "postgres"), "-D", str(self._folder / "data")]
        command += [word for option in options for word in ("-c", option)]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, **self._as_user())
        give_up_at = time.monotonic() + _PATIENCE
        while True:
            try:
                psycopg.connect(self.url(), connect_timeout=2).close()
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > give_up_at:
                    raise
                time.sleep(0.05)
            else:
                return

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT ends all sessions and shuts down, SIGQUIT does not even do that."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(_PATIENCE)
            self._process = None

    @contextmanager
    def away(self, how: signal.Signals = signal.SIGINT) -> Iterator[None]:
        self.stop(how)
        try:
            yield
        finally:
            self.start()

    def execute(self, *statements: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Execute statements as the superuser; return the rows of the last one."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, **self._as_user())
        assert done.returncode == 0, done.stderr

    def _as_user(self) -> dict[str, object]:
        # The server refuses to run as root.
        return {} if self._user is None else {"user": self._user, "group": pwd.getpwnam(self._user).pw_gid, "cwd": "/"}


@contextmanager
def running() -> Iterator[Server]:
    """Start a server; end it and remove all its traces afterwards. Raises UnavailableError."""
    programs = installation.programs()
    if programs is None:
        raise UnavailableError("PostgreSQL is not installed; `apt-get install postgresql` does it")
    user = _user() if host.is_root() else None
    # Not a folder of pytest's, into which nobody but its user may look.
    folder = Path(tempfile.mkdtemp(prefix="timewright-postgresql-"))
    try:
        if user is not None:
            shutil.chown(folder, user)
        server = Server(programs, folder, user)
        try:
            server.start()
            yield server
        finally:
            server.stop(signal.SIGQUIT)
    finally:
        shutil.rmtree(folder)


def _user() -> str:
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(user for user in _USERS if user in known)
