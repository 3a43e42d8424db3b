"""The inside of hypercorn that we rely on: fails loudly when it moves."""

from __future__ import annotations

import inspect
from importlib.metadata import version

from hypercorn.protocol import ProtocolWrapper
from hypercorn.protocol.h11 import H11Protocol, H11WSConnection
from hypercorn.trio.task_group import TaskGroup
from hypercorn.trio.tcp_server import TCPServer

from gateway.transports.hypercorn_bridge import Bridge


def test_hypercorn_is_the_version_whose_insides_we_use() -> None:
    """None of it is its public face: look at `hypercorn_bridge` and `websocket_stream` before changing the pin."""
    assert version("hypercorn") == "0.18.0"


def test_a_protocol_is_made_as_its_own_server_makes_it() -> None:
    """The bridge stands where `TCPServer` stands: with the same arguments, and the events that it understands."""
    assert list(inspect.signature(ProtocolWrapper.__init__).parameters)[1:] == [
        *("app", "config", "context", "task_group", "state", "ssl", "client", "server", "send"),
        "alpn_protocol",
    ]
    handled = inspect.getsource(TCPServer.protocol_send)
    said = inspect.getsource(Bridge.send)
    for event in ("RawData", "Closed", "Updated"):
        assert event in handled
        assert event in said
    assert "isinstance(event" in handled
    assert handled.count("isinstance(") == 3


def test_what_is_reached_into_is_there() -> None:
    """Where tasks start, how an upgrade to HTTP/2 is found, and what a WebSocket turns a connection into."""
    assert "self._nursery.start_soon(" in inspect.getsource(TaskGroup.spawn_app)
    assert inspect.iscoroutinefunction(H11Protocol._check_protocol)
    created = inspect.getsource(H11Protocol._create_stream)
    assert f"self.connection = {H11WSConnection.__name__}(" in created
    recycled = inspect.getsource(H11Protocol._maybe_recycle)
    assert "Updated(idle=True)" in recycled
    assert "Closed()" in recycled
