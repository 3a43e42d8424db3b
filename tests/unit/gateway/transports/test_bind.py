"""Listening sockets, and the sentences where there can be none."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import ExitStack

import pytest

from gateway.errors import OptionError
from gateway.transports.bind import default_hosts, open_sockets, port_owner


def listening(stack: ExitStack, *hosts: str, port: int = 0) -> list[tuple[str, int]]:
    """Opens sockets until the stack is closed; says where they are."""
    return [stack.enter_context(s).getsockname()[:2] for s in open_sockets(hosts, port)]


def test_the_default_is_this_machine_or_all_of_a_container() -> None:
    """Inside a container only published ports can be reached."""
    assert default_hosts(in_container=False) == ("127.0.0.1", "::1")
    assert default_hosts(in_container=True) == ("0.0.0.0", "::")


def test_all_hosts_share_one_free_port() -> None:
    """Port 0, for tests: `localhost` must reach the same port by either family."""
    with ExitStack() as stack:
        addresses = listening(stack, "127.0.0.1", "::1")
        assert addresses[0][1] > 0
    with ExitStack() as stack:
        (ipv4, port), *others = listening(stack, "0.0.0.0", "::")
        assert ipv4 == "0.0.0.0"
        assert all(other == ("::", port) for other in others)


def test_a_port_in_use_names_port_program_and_fix() -> None:
    """The message that people will see most."""
    with ExitStack() as stack:
        ((_, port),) = listening(stack, "127.0.0.1")
        with pytest.raises(OptionError) as taken:
            open_sockets(("127.0.0.1",), port)
    assert f"port {port} on 127.0.0.1 is in use" in str(taken.value)
    assert "--port" in str(taken.value)
    if os.path.exists("/proc/net/tcp"):  # noqa: PTH110 -- one call
        assert f"(process {os.getpid()})" in str(taken.value)


def test_a_port_in_use_on_one_of_two_hosts_closes_the_other() -> None:
    """All or nothing: the first socket must not stay behind."""
    with ExitStack() as stack:
        ((_, port),) = listening(stack, "127.0.0.2")
        with pytest.raises(OptionError, match=r"127\.0\.0\.2"):
            open_sockets(("127.0.0.1", "127.0.0.2"), port)
        listening(stack, "127.0.0.1", port=port)


def test_an_address_of_another_machine_is_refused() -> None:
    """TEST-NET-1 is nobody's."""
    with pytest.raises(
        OptionError, match=r"192\.0\.2\.1 is not an address of this machine.*--host"
    ):
        open_sockets(("192.0.2.1",), 0)


def test_a_name_that_does_not_exist_is_refused() -> None:
    """The same sentence as for a wrong address."""
    with pytest.raises(OptionError, match=r"no\.such\.host\.invalid is not an address"):
        open_sockets(("no.such.host.invalid",), 0)


def test_a_family_that_this_machine_lacks_is_left_out() -> None:
    """As long as another host is left."""
    with ExitStack() as stack:
        ((host, _),) = listening(stack, "127.0.0.1", "192.0.2.1")
        assert host == "127.0.0.1"


def test_no_host_is_refused() -> None:
    """Nothing to listen on is no gateway."""
    with pytest.raises(OptionError, match="--host"):
        open_sockets((), 0)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM])
def test_a_port_below_1024_names_the_fix(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Tests may run as root, so the kernel's refusal is played."""

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(OptionError, match="port 80 needs root: choose one of 1024 or above"):
        open_sockets(("127.0.0.1",), 80)


def test_the_owner_of_a_port_that_nobody_has_is_nobody() -> None:
    """No guess."""
    with ExitStack() as stack:
        ((_, port),) = listening(stack, "127.0.0.1")
    assert port_owner(port) is None
