"""How a remote server is opened: the same life as a container's, over HTTP. Must not know pools."""

from __future__ import annotations

from actors.upstream import Opener
from gateway.catalog.model import EnabledServer, RemoteLaunch
from gateway.errors import StartFailed
from gateway.ports import MessagePipe
from gateway.upstreams import open_remote
from gateway.upstreams.param_book import ParamHeaderBook


def opener_of(server: EnabledServer) -> Opener:
    """How a server with a remote launch is connected."""
    launch = server.launch
    if not isinstance(launch, RemoteLaunch):
        raise StartFailed(f"server {server.name} is not a remote server")

    book = ParamHeaderBook()

    async def open_pipe() -> MessagePipe:
        return await open_remote(launch, server=server.name, book=book)

    return open_pipe
