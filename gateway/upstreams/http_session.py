"""What `initialize` settles on Streamable HTTP: the session's id and the revision, and the headers that say so. No I/O.

Source: MCP 2025-11-25, transports, "Session management" and "Protocol version header".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from gateway.errors import ProtocolFault
from gateway.jsonrpc.messages import Id, Message, Request, Result
from gateway.upstreams.http_answers import EVENT_STREAM, POST_HEADERS, answers

_INITIALIZE: Final = "initialize"
_SESSION: Final = "mcp-session-id"
_VERSION: Final = "mcp-protocol-version"


class _Hello(msgspec.Struct):
    """The result of `initialize`, as far as HTTP is concerned."""

    version: str = msgspec.field(default="", name="protocolVersion")


_hello = msgspec.json.Decoder(_Hello)


class HttpSession:
    """Looks at the messages that pass by; knows the headers of the next request."""

    def __init__(self) -> None:
        # The id of `initialize` while its answer is due.
        self._hello_id: Id | None = None
        self._id = ""
        self._version = ""
        self.is_lost = False
        """The server no longer knows it."""

    def __bool__(self) -> bool:
        """Whether the server has opened a session."""
        return bool(self._id)

    def note_sent(self, message: Message) -> None:
        """Looks for `initialize`."""
        if isinstance(message, Request) and message.method == _INITIALIZE:
            self._hello_id = message.id

    def is_opened_by(self, request: Request) -> bool:
        """Whether this is the `initialize` whose answer is due."""
        return request.id == self._hello_id

    def note_headers(self, headers: Mapping[str, str]) -> None:
        """Takes the session id from the answer to `initialize`, where the server gives one.

        Raises:
            ProtocolFault: it gives one that cannot be sent back.
        """
        session = headers.get(_SESSION, "")
        if not session.isascii() or not session.isprintable():
            raise ProtocolFault("the session id holds a character that no header may hold")
        self._id = session

    def note_received(self, message: Message) -> None:
        """Takes the revision from the answer to `initialize`. What is wrong with it, whoever asked will say."""
        if not answers(message, self._hello_id):
            return
        self._hello_id = None
        if isinstance(message, Result):
            try:
                version = _hello.decode(message.result).version
            except msgspec.DecodeError:
                return
            self._version = version if version.isascii() and version.isprintable() else ""

    def headers(self) -> dict[str, str]:
        """What every request of the session carries."""
        headers = {_SESSION: self._id, _VERSION: self._version}
        return {name: value for name, value in headers.items() if value}

    def post_headers(self) -> dict[str, str]:
        """The headers of a message."""
        return {**POST_HEADERS, **self.headers()}

    def stream_headers(self, last_event_id: str) -> dict[str, str]:
        """The headers that open a stream, or take it up again after the event of that id."""
        headers = {"accept": EVENT_STREAM, "cache-control": "no-store"} | self.headers()
        return headers | ({"last-event-id": last_event_id} if last_event_id else {})
