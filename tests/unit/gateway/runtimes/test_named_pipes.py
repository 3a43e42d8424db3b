"""gateway/runtimes/named_pipes.py: pipes of this machine, and what is left of them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from gateway.home import Home
from gateway.runtimes.named_pipes import NamedPipes, sweep_pipes
from gateway.runtimes.ownership import InstanceLock

DEAD = "0" * 32


def test_anybody_may_open_what_only_we_can_find(home: Home) -> None:
    """Whatever the umask: 0700 around, 0666 within."""
    before = os.umask(0o077)
    try:
        pipes = NamedPipes.make(home, DEAD)
    finally:
        os.umask(before)
    assert stat.S_IMODE(pipes.folder.stat().st_mode) == 0o700
    for path in (pipes.stdin_path, pipes.stdout_path):
        assert stat.S_ISFIFO(path.stat().st_mode)
        assert stat.S_IMODE(path.stat().st_mode) == 0o666
    pipes.discard()
    assert not list(home.run.iterdir())


def test_bytes_pass_before_and_after_the_names_are_gone(home: Home) -> None:
    """What a server opened under a name, it has."""
    pipes = NamedPipes.make(home, DEAD)
    reader = os.open(pipes.stdin_path, os.O_RDONLY)
    writer = os.open(pipes.stdout_path, os.O_WRONLY)
    pipes.keep()
    assert not list(home.run.iterdir())
    os.write(pipes.stdin, b"to the server")
    assert os.read(reader, 100) == b"to the server"
    os.write(writer, b"and back")
    assert os.read(pipes.stdout, 100) == b"and back"
    os.close(reader)
    with pytest.raises(BrokenPipeError):
        os.write(pipes.stdin, b"nobody reads")
    os.close(writer)
    assert os.read(pipes.stdout, 100) == b""
    pipes.close()
    assert pipes.stdin == pipes.stdout == -1


def test_discarding_twice_does_no_harm(home: Home) -> None:
    """Descriptors that others got meanwhile are not closed."""
    pipes = NamedPipes.make(home, DEAD)
    pipes.discard()
    other = NamedPipes.make(home, DEAD)
    pipes.discard()
    assert os.fstat(other.stdin)
    other.discard()


def test_nothing_is_left_where_they_cannot_be_made(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A home on a file system without named pipes."""

    def refuse(path: Path) -> None:
        raise PermissionError(f"not on this file system: {path}")

    monkeypatch.setattr(os, "mkfifo", refuse)
    with pytest.raises(PermissionError):
        NamedPipes.make(home, DEAD)
    assert not list(home.run.iterdir())


def test_what_the_dead_left_is_swept(home: Home) -> None:
    """Pipes of a gateway that runs stay."""
    lock = InstanceLock.take(home)
    ours = NamedPipes.make(home, lock.instance_id)
    left = NamedPipes.make(home, DEAD)
    assert sweep_pipes(home) == [left.folder]
    assert not left.folder.exists()
    assert ours.folder.exists()
    for pipes in (ours, left):
        pipes.discard()
    lock.release()
