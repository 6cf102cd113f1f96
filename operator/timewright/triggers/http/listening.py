"""Sockets to listen on."""

from __future__ import annotations

import ipaddress
import os
import socket
import stat
from pathlib import Path

_BACKLOG = 128


class ListenError(OSError):
    """Nobody can listen there. The text says why, and the remedy."""


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches that host name or address."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except socket.gaierror:
        return False
    return all(ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback for *_, address in found)


def listen_on_port(host: str, port: int) -> socket.socket:
    """Listen on a TCP port; 0 takes a free one. Raises ListenError."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise ListenError(f"--host {host}: {error.strerror}; expected an address of this machine") from error
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise ListenError(f"port {port} of {host}: {error.strerror}; choose another with --port and --host") from error
    return listening


def listen_on_path(path: Path) -> socket.socket:
    """Listen on a Unix socket that this user alone may use. One that a dead process left there is replaced.

    Raises ListenError.
    """
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_dead(path)
        # Between bind and chmod others could connect; the mask leaves them no time.
        mask = os.umask(0o177)
        try:
            listening.bind(str(path))
        finally:
            os.umask(mask)
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise ListenError(f"--unix-socket {path}: {error.strerror or error}") from error
    return listening


def _remove_dead(path: Path) -> None:
    if not path.exists() or not stat.S_ISSOCK(path.stat().st_mode):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
