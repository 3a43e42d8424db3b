"""The kinds of remote server. Loads httpx, so that only `gateway.upstreams` may import it, and late."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from gateway.catalog.model import RemoteLaunch
from gateway.ports import MessagePipe
from gateway.upstreams.probe import ProbePipe
from gateway.upstreams.sse import SsePipe


class MakePipe(Protocol):
    """Makes a pipe; nothing is connected before it runs."""

    def __call__(self, launch: RemoteLaunch, *, server: str) -> MessagePipe:
        """The pipe to the server of that name."""


UPSTREAMS: Final[Mapping[str, MakePipe]] = {"streamable-http": ProbePipe, "sse": SsePipe}
"""By `transport` of the launch."""
