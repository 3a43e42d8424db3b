"""gateway/running.py: who of a home runs. That a gateway answers is tests/unit/gateway/transports/test_control.py's."""

from __future__ import annotations

import socket
from pathlib import Path

from gateway.home import Home
from gateway.running import reports, socket_address


def test_a_home_without_gateways_has_no_reports(tmp_path: Path) -> None:
    """Whether it exists or not."""
    home = Home(tmp_path)
    assert reports(home) == []
    home.run.mkdir()
    assert reports(home) == []


def test_the_socket_of_a_killed_gateway_says_nothing(tmp_path: Path) -> None:
    """It refuses, and is left to the reaper."""
    home = Home(tmp_path)
    home.run.mkdir()
    with (
        socket.socket(socket.AF_UNIX) as killed,
        socket_address(home.control("1" * 32)) as address,
    ):
        killed.bind(address)
    assert reports(home) == []
    assert home.control("1" * 32).exists()
