"""Message pipes to live servers, by what carries them: a runtime's link, Streamable HTTP, HTTP+SSE, a WebSocket.

`open_remote` is the door to those of remote servers. Importing this package does not load httpx, and neither may a module that
is imported at start.
"""

from __future__ import annotations

import importlib

import trio

from gateway.catalog.model import RemoteLaunch
from gateway.ports import MessagePipe
from gateway.upstreams.credentials import Credentials
from gateway.upstreams.param_book import ParamHeaderBook


async def open_remote(
    launch: RemoteLaunch,
    *,
    server: str,
    book: ParamHeaderBook | None = None,
    credentials: Credentials | None = None,
) -> MessagePipe:
    """The pipe to a remote server, in the transport that its launch names. Nothing is connected before it runs.

    Args:
        launch: where the server is, and how it is spoken to.
        server: its name, for texts and logs.
        book: what is known of its tools, shared by all pipes to it.
        credentials: the entry's headers, shared likewise.
    """
    # lazy, and in a thread: httpx takes a fifth of a second to load, in which every client would wait.
    remote = await trio.to_thread.run_sync(importlib.import_module, "gateway.upstreams.remote")
    book = ParamHeaderBook() if book is None else book
    credentials = credentials or Credentials(launch.headers)
    pipe: MessagePipe = remote.UPSTREAMS[launch.transport](launch, server, book, credentials)
    return pipe
