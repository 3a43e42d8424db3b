"""How a server of this machine, or of its engine, is opened: a container or a local process. Must not know pools."""

from __future__ import annotations

from actors.upstream import Opener
from gateway.catalog.model import ContainerLaunch, EnabledServer, ProcessLaunch
from gateway.ports import MessagePipe, Runtime, StartRequest
from gateway.upstreams.stdio import StdioPipe


def opener_of(server: EnabledServer, runtime: Runtime) -> Opener:
    """How a server with a container or process launch is started."""
    launch = server.launch
    if not isinstance(launch, ContainerLaunch | ProcessLaunch):
        raise TypeError(f"server {server.name} is neither a container nor a process")
    request = StartRequest(server=server.name, launch=launch, spec_hash=server.spec_hash)

    async def open_pipe() -> MessagePipe:
        link = await runtime.start(request)
        return StdioPipe(link, server=server.name)

    return open_pipe
