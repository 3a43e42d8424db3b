"""The kinds of remote server. Loads httpx and trio-websocket, so that only `gateway.upstreams` may import it, and late."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from gateway.catalog.model import RemoteLaunch
from gateway.ports import MessagePipe
from gateway.upstreams.credentials import Credentials
from gateway.upstreams.param_book import ParamHeaderBook
from gateway.upstreams.probe import ProbePipe
from gateway.upstreams.sse import SsePipe
from gateway.upstreams.websocket import WebSocketPipe

MakePipe = Callable[[RemoteLaunch, str, ParamHeaderBook, Credentials], MessagePipe]
"""Makes a pipe to the server of that name, which shares book and credentials with others; nothing is connected before it runs."""

UPSTREAMS: Final[Mapping[str, MakePipe]] = {
    "streamable-http": lambda launch, server, book, credentials: ProbePipe(
        launch, server=server, book=book, credentials=credentials
    ),
    "sse": lambda launch, server, _book, credentials: SsePipe(
        launch, server=server, credentials=credentials
    ),
    "websocket": lambda launch, server, _book, credentials: WebSocketPipe(
        launch, server=server, credentials=credentials
    ),
}
"""By `transport` of the launch."""
