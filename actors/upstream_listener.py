"""Who hears of what a server does besides answering calls. Must not know how the server is reached."""

from __future__ import annotations

from actors.call import Answer, Call
from actors.server_request import ServerRequest
from gateway.jsonrpc.messages import Notification


class Listener:
    """What an upstream reports besides the answers of calls. The defaults ignore everything."""

    def answered(self, at: float) -> None:
        """A call left the table at that time: answered, failed or withdrawn."""

    def untaken(self, call: Call | None, reason: str) -> bool:  # noqa: ARG002 -- the default uses neither
        """The server takes no more calls over this pipe; it has not executed `call`, where one is named.

        True where somebody else sees to that call now.
        """
        return False

    def lost(self, call: Call, reason: str) -> bool:  # noqa: ARG002 -- the default uses neither
        """Nobody knows whether the server executed that call. True where somebody else sees to it now."""
        return False

    def tasked(self, call: Call, answer: Answer) -> None:
        """An answer came that may tell of a task."""

    def list_changed(self, method: str) -> None:
        """A `notifications/*/list_changed` came."""

    def missed(self) -> None:
        """What the server said unasked may not have arrived."""

    def notified(self, notification: Notification) -> None:
        """A notification came that belongs to no single call (a log message, a resource update)."""

    def asked(self, request: ServerRequest) -> None:
        """The server wants something of its client."""
        request.refuse(f"this client does not serve {request.method}")
