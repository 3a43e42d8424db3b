"""gateway/runtimes/static.py: servers that somebody else started, over a real socket."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import trio

from gateway.catalog.model import ContainerLaunch
from gateway.errors import Gone, StartFailed
from gateway.ports import StartRequest
from gateway.runtimes.static import StaticRuntime

REQUEST = StartRequest(
    server="clock",
    launch=ContainerLaunch(image="i", memory_bytes=1, cpus=1.0, pids=1),
    spec_hash="",
)


class Resolver(trio.abc.HostnameResolver):
    """Knows one name, as Docker's network would."""

    async def getaddrinfo(self, host: Any, port: Any, *_more: Any, **_named: Any) -> Any:
        """The address of `mcp-clock`."""
        await trio.lowlevel.checkpoint()
        if host not in {b"mcp-clock", "mcp-clock"}:
            raise socket.gaierror(socket.EAI_NONAME, "no such host")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    async def getnameinfo(self, sockaddr: Any, flags: int) -> Any:
        """Not needed."""
        raise NotImplementedError


@pytest.fixture
async def known_names() -> AsyncIterator[None]:
    """Lets `mcp-clock` be this machine."""
    trio.socket.set_custom_hostname_resolver(Resolver())
    yield
    trio.socket.set_custom_hostname_resolver(None)


@asynccontextmanager
async def echo() -> AsyncIterator[int]:
    """A server that answers each line with itself; its port."""

    async def serve(stream: trio.SocketStream) -> None:
        async for chunk in stream:
            await stream.send_all(chunk)

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        yield listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()


async def test_a_server_is_reached_under_its_host_name(known_names: None) -> None:
    """Lines go there and back; closing the link ends only the connection."""
    async with echo() as port:
        link = await StaticRuntime(port=port).start(REQUEST)
        assert (link.kind, link.name) == ("tcp", f"mcp-clock:{port}")
        await link.send_all(b"hello\n")
        assert await link.receive_some() == b"hello\n"
        assert (link.stderr_tail(), link.exit_status()) == ("", None)
        await link.aclose()
        await link.aclose()
        await link.kill()
        assert await link.receive_some() == b""
        with pytest.raises(Gone, match="mcp-clock"):
            await link.send_all(b"too late\n")
        second = await StaticRuntime(port=port).start(REQUEST)
        assert repr(second) == f"<StaticLink mcp-clock:{port}>"
        await second.aclose()


async def test_a_server_that_is_not_there_is_named(known_names: None) -> None:
    """The error says what must run, and under which name."""
    with pytest.raises(StartFailed, match="--static"):
        await StaticRuntime(port=1).start(REQUEST)


async def test_tools_that_need_a_container_each_are_refused() -> None:
    """There is no engine to run them."""
    with pytest.raises(StartFailed, match="need an engine"):
        await StaticRuntime().run(REQUEST)
