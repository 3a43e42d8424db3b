"""Opens listening sockets, and says what to do where that fails. Must not know what is served on them."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from gateway import limits
from gateway.errors import OptionError
from gateway.transports.connections import watch_peers

_LOOPBACK: Final = ("127.0.0.1", "::1")
_EVERYWHERE: Final = ("0.0.0.0", "::")  # noqa: S104 -- in a container only published ports can be reached
_FIRST_FREE_PORT: Final = 1024
_LISTENING: Final = "0A"  # the state TCP_LISTEN in /proc/net/tcp
_NO_SUCH_ADDRESS: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


def default_hosts(*, in_container: bool) -> tuple[str, ...]:
    """Where to listen when nothing is said: this machine only, or every interface of a container."""
    return _EVERYWHERE if in_container else _LOOPBACK


def open_sockets(hosts: Sequence[str], port: int) -> list[socket.socket]:
    """Sockets that listen on `port` of every host; port 0 picks a free one, the same for all.

    Of several hosts those that this machine lacks (IPv6 often) are left out, as long as one is left.

    Raises:
        OptionError: a port is taken or not allowed, or no host is an address of this machine.
    """
    opened: list[socket.socket] = []
    missing: OptionError | None = None
    with ExitStack() as undo:
        for host in hosts:
            try:
                opened.append(undo.enter_context(_open(host, port)))
            except OSError as error:
                fault = _explain(error, host, port)
                if error.errno not in _NO_SUCH_ADDRESS and not isinstance(error, socket.gaierror):
                    raise fault from error
                missing = fault
                continue
            port = opened[-1].getsockname()[1]
        if not opened:
            raise missing or OptionError("there is no host to listen on: name one with --host")
        undo.pop_all()
    return opened


def _open(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listening = socket.socket(family, kind, protocol)
    try:
        # A port whose last owner has just gone is free; one that is listened on stays taken all the same.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        watch_peers(listening)
        listening.bind(address)
        listening.listen(limits.LISTEN_BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening


def _explain(error: OSError, host: str, port: int) -> OptionError:
    """What went wrong, which address, and what to do."""
    if error.errno == errno.EADDRINUSE:
        owner = port_owner(port)
        by = f" by {owner}" if owner else ""
        return OptionError(
            f"port {port} on {host} is in use{by}: stop that program, or choose another port with --port"
        )
    if error.errno in {errno.EACCES, errno.EPERM}:
        return OptionError(
            f"port {port} needs root: choose one of {_FIRST_FREE_PORT} or above with --port"
        )
    return OptionError(
        f"{host} is not an address of this machine: choose another with --host ({error.strerror})"
    )


def port_owner(port: int) -> str | None:
    """The program that listens on `port`, as "name (pid)"; None where it cannot be learned (another user, not Linux)."""
    wanted = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    if not wanted:
        return None
    for folder in Path("/proc").glob("[0-9]*"):
        if any(link in wanted for link in _descriptors(folder)):
            return f"{_program(folder)} (process {folder.name})"
    return None


def _listening_inodes(port: int) -> Iterable[str]:
    """Inodes of the sockets that listen on `port` (Linux, proc_pid_net(5))."""
    for table in ("tcp", "tcp6"):
        try:
            lines = Path("/proc/net", table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            _, local, _, state, *_, inode = line.split()[:10]
            if state == _LISTENING and int(local.rpartition(":")[2], 16) == port:
                yield inode


def _descriptors(folder: Path) -> Iterable[str]:
    """Where the descriptors of a process lead; nothing where we may not look."""
    try:
        links = list((folder / "fd").iterdir())
    except OSError:
        return
    for link in links:
        try:
            yield str(link.readlink())
        except OSError:  # closed in between
            continue


def _program(folder: Path) -> str:
    try:
        return (folder / "comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return "a program"
