"""Calls of legacy clients on a modern server, which asks by ending a call with questions: each becomes a request.

The client sees one call, during which it is asked; the server sees several calls, each with the answers to the last
one's questions. Must not know pipes, nor how the client is reached.

Source: MCP 2026-07-28, basic, patterns, "Multi Round-Trip Requests".
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable

import msgspec
import trio

from actors.call import Answer, Call
from actors.server_request import ServerRequest
from gateway import limits
from gateway.errors import GatewayError, InvalidParams, ProtocolFault
from gateway.jsonrpc.codec import failure
from gateway.jsonrpc.messages import Failure
from gateway.mcp import input_required, questions
from gateway.mcp.input_required import InputRequest, InputRequired
from gateway.mcp.params import Fields
from gateway.telemetry.refusals import refused

_ELICITATION_ID_BYTES = 12


class Rounds:
    """The calls of one server that are between two rounds; see `actors.upstream`.

    Args:
        server: its name.
        ask: puts a request to the client.
        send: sends a call to the server, once more.
        settle: ends a call.
        withdrawn: told of a call that is forgotten: whoever took it back says what its client is told.
    """

    def __init__(
        self,
        *,
        server: str,
        ask: Callable[[ServerRequest], None],
        send: Callable[[Call], None],
        settle: Callable[[Call, Answer | None], None],
        withdrawn: Callable[[], None],
    ) -> None:
        self._server = server
        self._ask = ask
        self._send = send
        self._settle = settle
        self._withdrawn = withdrawn
        self._open: dict[_Round, None] = {}
        self._due: deque[tuple[float, Call]] = deque()
        self._work = trio.Event()

    def __len__(self) -> int:
        """The calls that wait for a client, or for their next round."""
        return len(self._open) + len(self._due)

    def carry_on(self, call: Call, answer: Answer) -> bool:
        """Takes over a call whose answer is a question; False where it is none, and the call is to be settled."""
        if isinstance(answer, Failure) or call.profile.era == "modern":
            return False
        try:
            asked = input_required.parse_input_required(answer)
            if asked is None:
                return False
            self._next_round(call, asked)
        except GatewayError as error:
            self._settle(call, failure(error, None))
        return True

    def end(self, answer: Failure) -> None:
        """The server is gone, and with it what its calls waited for."""
        due, self._due = self._due, deque()
        waiting = [call for _, call in due]
        for opened in list(self._open):
            waiting.append(opened.call)
            opened.close()
        for call in waiting:
            self._settle(call, answer)

    async def run(self) -> None:
        """Sends calls that were put off, until cancelled."""
        while True:
            await self._work.wait()
            self._work = trio.Event()
            while self._due:
                await trio.sleep_until(self._due[0][0])
                if self._due:
                    _, call = self._due.popleft()
                    self._send_again(call)

    def _next_round(self, call: Call, asked: InputRequired) -> None:
        """Puts all questions to the client at once. A state without a question only asks to be brought back later."""
        call.rounds += 1
        if call.rounds > limits.MAX_ROUNDS:
            refused("from_servers.MAX_ROUNDS")
            raise ProtocolFault(
                f"server {self._server} asked for input more than {limits.MAX_ROUNDS} times in one call"
            )
        if not asked.requests:
            call.fields = input_required.with_responses(call.fields, {}, asked.state)
            self._due.append((trio.current_time() + limits.ROUND_PAUSE_S, call))
            self._work.set()
            return
        call.wait_for_client()
        opened = _Round(call, asked, over=self._round_over)
        requests = opened.requests(self._server)
        self._open[opened] = None
        call.holder = opened
        for request in requests:
            self._ask(request)

    def _round_over(self, opened: _Round, outcome: Fields | Failure | None) -> None:
        """A round has ended: with all answers, with an error for its call, or, withdrawn, with nothing."""
        self._open.pop(opened, None)
        call = opened.call
        call.holder = None
        if outcome is None:
            self._withdrawn()
            return
        if isinstance(outcome, Failure):
            self._settle(call, outcome)
            return
        call.extend()
        call.fields = input_required.with_responses(call.fields, outcome, opened.state)
        self._send_again(call)

    def _send_again(self, call: Call) -> None:
        if call.is_settled:
            self._settle(call, None)
        else:
            self._send(call)


class _Round:
    """The questions of one result, until all are answered; holds the call meanwhile."""

    def __init__(
        self,
        call: Call,
        asked: InputRequired,
        *,
        over: Callable[[_Round, Fields | Failure | None], None],
    ) -> None:
        self.call = call
        self.state = asked.state
        self._asked = asked.requests
        self._over = over
        self._responses: Fields = {}
        self._open: dict[str, ServerRequest] = {}

    def requests(self, server: str) -> list[ServerRequest]:
        """The questions as requests to the client.

        Raises:
            InvalidParams: the params of one are no object.
        """
        for name, question in self._asked.items():
            self._open[name] = self._request(server, name, question)
        return list(self._open.values())

    def withdraw(self, call: Call, reason: str) -> None:  # noqa: ARG002 -- the client is told that, and no more
        """The call is no longer wanted, so neither are the answers."""
        self.close()
        self._over(self, None)

    def close(self) -> None:
        """Takes the open questions back."""
        asked, self._open = self._open, {}
        for request in asked.values():
            request.retract()

    def _request(self, server: str, name: str, question: InputRequest) -> ServerRequest:
        elicitation_id = secrets.token_urlsafe(_ELICITATION_ID_BYTES)
        return ServerRequest(
            question.method,
            questions.to_legacy(question, elicitation_id=elicitation_id),
            server=server,
            call=self.call,
            answered=lambda answer: self._take(name, question, answer),
        )

    def _take(self, name: str, question: InputRequest, answer: Answer) -> None:
        """An answer has come; the last one ends the round."""
        if self._open.pop(name, None) is None:
            return
        response = _response(question, answer)
        if isinstance(response, Failure):
            self.close()
            self._over(self, response)
            return
        self._responses[name] = response
        if not self._open:
            self._over(self, self._responses)


def _response(question: InputRequest, answer: Answer) -> msgspec.Raw | Failure:
    """What the server gets: an error of the client is said as far as a modern server can be told."""
    if not isinstance(answer, Failure):
        return answer
    refusal = questions.no_answer(question.method)
    if refusal is not None:
        return refusal
    error = InvalidParams(
        f"the server asks for {question.method}, and its client answered: {answer.message}"
    )
    return failure(error, None)
