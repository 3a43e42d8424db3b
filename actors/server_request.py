"""A request that a server makes to its client: sampling, elicitation, roots. Answered exactly once.

Must not know sessions or pipes: whoever makes it says where the answer goes.

Source: MCP 2025-11-25, client/roots, client/sampling, client/elicitation.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from actors.call import Answer, Call
from gateway.jsonrpc.messages import Failure

METHOD_NOT_FOUND = -32601
OVERLOADED = -32000
"""Too much waits for the client, or it is gone."""


class ServerRequest:
    """One request of a server.

    Args:
        method: as the server wrote it.
        params: the same, None where absent.
        server: the server's name.
        call: the call that it belongs to, None where that cannot be told.
        answered: takes the answer.
    """

    __slots__ = ("_answered", "call", "is_answered", "method", "params", "retracted", "server")

    def __init__(
        self,
        method: str,
        params: msgspec.Raw | None,
        *,
        server: str,
        call: Call | None,
        answered: Callable[[Answer], None],
    ) -> None:
        self.method = method
        self.params = params
        self.server = server
        self.call = call
        self.is_answered = False
        self.retracted: Callable[[], None] | None = None
        """Told where the server no longer wants an answer; set by whoever asks the client."""
        self._answered = answered

    def answer(self, answer: Answer) -> None:
        """Gives the client's answer to the server. Only the first one counts."""
        if not self.is_answered:
            self.is_answered = True
            self._answered(answer)

    def refuse(self, message: str, *, code: int = METHOD_NOT_FOUND) -> None:
        """Answers with an error of ours."""
        self.answer(Failure(None, code, message))

    def retract(self) -> None:
        """The server no longer wants an answer, or is gone."""
        if not self.is_answered:
            self.is_answered = True
            if self.retracted is not None:
                self.retracted()
