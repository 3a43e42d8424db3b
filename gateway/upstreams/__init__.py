"""Message pipes to live servers, by what carries them. Over a runtime's link it is `upstreams.stdio.StdioPipe`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from gateway.catalog.model import RemoteLaunch
from gateway.ports import MessagePipe
from gateway.upstreams.probe import ProbePipe
from gateway.upstreams.sse import SsePipe


class OpenPipe(Protocol):
    """Makes a pipe; nothing is connected before it runs."""

    def __call__(self, launch: RemoteLaunch, *, server: str) -> MessagePipe:
        """The pipe to the server of that name."""


UPSTREAMS: Final[Mapping[str, OpenPipe]] = {"streamable-http": ProbePipe, "sse": SsePipe}
"""The kinds of remote server, by `transport` of their launch."""


def open_remote(launch: RemoteLaunch, *, server: str) -> MessagePipe:
    """The pipe to a remote server, in the transport that its launch names."""
    return UPSTREAMS[launch.transport](launch, server=server)
