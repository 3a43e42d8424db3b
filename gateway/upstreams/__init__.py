"""Message pipes to live servers, by what carries them: a runtime's link, Streamable HTTP, HTTP+SSE.

`open_remote` is the door to those over HTTP. Importing this package does not load httpx, and neither may a module that
is imported at start.
"""

from __future__ import annotations

import importlib

import trio

from gateway.catalog.model import RemoteLaunch
from gateway.ports import MessagePipe


async def open_remote(launch: RemoteLaunch, *, server: str) -> MessagePipe:
    """The pipe to a remote server, in the transport that its launch names. Nothing is connected before it runs."""
    # lazy, and in a thread: httpx takes a fifth of a second to load, in which every client would wait.
    remote = await trio.to_thread.run_sync(importlib.import_module, "gateway.upstreams.remote")
    pipe: MessagePipe = remote.UPSTREAMS[launch.transport](launch, server=server)
    return pipe
