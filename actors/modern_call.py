"""One call of a modern client, over all of its rounds.

On a server of the older era the server's call is one, and stays open while the client is asked; the client's requests
are several: each ends with a result, or with questions and a state, and the next one brings the answers. A modern
server asks within its result, and each request of the client is a call of its own. Must not know how requests arrive, nor how
states are sealed.

Source: MCP 2026-07-28, basic, patterns, "Multi Round-Trip Requests".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
import trio

from actors.answers import has_failed
from actors.call import Answer, Call
from actors.server_request import OVERLOADED, ServerRequest
from gateway import limits
from gateway.errors import GatewayError, MissingCapability
from gateway.jsonrpc import codec
from gateway.jsonrpc.messages import Failure, Id, Message, Notification, Result
from gateway.mcp import era, input_required, log_levels, params, questions
from gateway.mcp.input_required import InputRequest
from gateway.mcp.meta import ModernMeta
from gateway.ports import Outlet
from gateway.telemetry.refusals import refused


class Round(msgspec.Struct, frozen=True):
    """One request of the client: its id, where its answer goes, and what it said of its client."""

    request_id: Id
    outlet: Outlet
    meta: ModernMeta


class ModernCall:
    """A call that may end in several rounds.

    Args:
        method: what the client asked for.
        server_info: the gateway's identity, for results.
        resubmit: sends the call to the server once more (after links were opened).
        later: calls back after that many seconds.
        state: makes the `requestState` of this call, with the server's own in it if there is one.
        ended: told once nothing waits any more.
    """

    def __init__(
        self,
        method: str,
        *,
        server_info: msgspec.Raw,
        resubmit: Callable[[], None],
        later: Callable[[float, Callable[[], None]], None],
        state: Callable[[str | None], str],
        ended: Callable[[], None],
    ) -> None:
        self.method = method
        self.call: Call | None = None
        """The call at the server, None before it was made or while links are opened."""
        self.parked_at: float | None = None
        """Since when it waits for the client's next request; None while one is open."""
        self._server_info = server_info
        self._resubmit = resubmit
        self._later = later
        self._gathering = False
        """A question waits for others to go with it."""
        self._state = state
        self._ended = ended
        self._round: Round | None = None
        self._asked: dict[str, ServerRequest | None] = {}
        """Questions without an answer, by name; None for a link, which nobody waits for."""
        self._questions: dict[str, InputRequest] = {}
        self._numbered = 0
        self._lacking: dict[str, object] | None = None
        """What the client would have had to declare for the last question that it could not be asked."""
        self._answer: Answer | None = None
        """What the server answered while no request of the client was open."""

    # --- the client's side -------------------------------------------------------------------------------------

    def open_round(self, opened: Round, responses: Mapping[str, msgspec.Raw]) -> None:
        """Takes a request of the client: the first one, or the next one with answers."""
        if self._round is not None:
            failure = Failure(
                opened.request_id, -32600, "an earlier request of this call is still open"
            )
            opened.outlet.finish(codec.encode(failure))
            return
        self._round = opened
        self.parked_at = None
        links = self._answer_questions(responses)
        if self._answer is not None:
            answer, self._answer = self._answer, None
            self.settle(answer)
        elif self._asked:
            self._ask_client()
        elif links:
            self._resubmit()

    def left(self, opened: Round) -> None:
        """The client of that round has left: a cancel, unless the round is over, and the call parked or continued."""
        if self._round is opened:
            self.give_up("the client left")

    def give_up(self, reason: str, *, answer: Failure | None = None) -> None:
        """The client left, or never came back: the server is told, and nothing waits any more.

        `answer` is for a client that is still there: it is the gateway that gives up.
        """
        if self.call is not None:
            self.call.withdraw(reason, answer=answer)
        opened = self._round
        self._finish(None if answer is None or opened is None else self._converted(answer, opened))

    def _answer_questions(self, responses: Mapping[str, msgspec.Raw]) -> bool:
        """Hands answers to the server; whether links were among what was asked."""
        links = False
        for name, response in responses.items():
            if name not in self._asked:
                continue
            request = self._asked.pop(name)
            self._questions.pop(name, None)
            if request is None:
                links = True
            else:
                request.answer(response)
        return links

    # --- the server's side -------------------------------------------------------------------------------------

    def asked(self, request: ServerRequest) -> None:
        """The server wants something of the client: a question of the round that is open, or of the next one."""
        try:
            question = questions.to_modern(request.method, request.params)
        except GatewayError as error:
            request.refuse(str(error), code=error.code)
            return
        if question is None or self.method not in input_required.METHODS:
            request.refuse(f"this client cannot be asked {request.method} here")
            return
        said = self._round.meta if self._round is not None else None
        if said is not None and (
            lacking := questions.missing(question, said.capabilities, version=said.version)
        ):
            self._lacking = lacking
            request.refuse(f"this client does not serve {request.method}")
            return
        if len(self._asked) >= limits.MAX_SERVER_REQUESTS:
            refused("to_clients.MAX_SERVER_REQUESTS")
            request.refuse("too many requests wait for this client already", code=OVERLOADED)
            return
        self._numbered += 1
        name = f"question{self._numbered}"
        self._asked[name] = request
        self._questions[name] = question
        request.retracted = lambda: self._forget(name)
        if self._round is not None and not self._gathering:
            self._gathering = True
            self._later(limits.QUESTION_GATHER_S, self._gathered)

    def _gathered(self) -> None:
        """The questions that were asked together are here."""
        self._gathering = False
        if self._asked and self._round is not None:
            self._ask_client()

    def relayed(self, _call: Call, message: Message) -> None:
        """Passes on progress, and log messages if this request asked for them, on the stream of the open round."""
        if self._round is None or not isinstance(message, Notification):
            return
        if message.method == "notifications/message" and not self._wants(message):
            return
        self._round.outlet.send(codec.encode(message), skippable=True)

    def settled(self, _call: Call, answer: Answer | None) -> None:
        """The server's call has ended."""
        self.call = None
        if answer is None:
            self._finish(None)
        else:
            self.settle(answer)

    def settle(self, answer: Answer) -> None:
        """Gives the answer to the open round, or keeps it for the next one."""
        if self._round is None:
            self._answer = answer
            return
        if isinstance(answer, Failure) and (links := questions.from_failure(answer)) is not None:
            self._asked = dict.fromkeys(links)
            self._questions = links
            self._ask_client()
            return
        self._finish(self._converted(answer, self._round))

    def _converted(self, answer: Answer, opened: Round) -> Message:
        """The answer in the words of the modern era.

        A call that failed after a question that this client cannot be asked failed for that reason, most likely.
        """
        if self._lacking is not None and has_failed(answer):
            error = MissingCapability(
                "The server needs something of its client that this request did not declare.",
                required=self._lacking,
            )
            return codec.failure(error, opened.request_id)
        if isinstance(answer, Failure):
            failure = era.failure_to_modern(answer)
            return Failure(opened.request_id, failure.code, failure.message, failure.data)
        try:
            result = era.result_to_modern(
                self.method,
                self._with_our_state(answer, opened),
                server_info=self._server_info,
                extensions=opened.meta.extensions,
            )
        except GatewayError as error:
            return codec.failure(error, opened.request_id)
        return Result(opened.request_id, result)

    def _with_our_state(self, answer: msgspec.Raw, opened: Round) -> msgspec.Raw:
        """A modern server's questions with its state sealed in ours; other results as they are.

        The server cannot tell our clients apart, so that it cannot see who brings its state back.

        Raises:
            MissingCapability: it asks for what this client did not declare.
            ProtocolFault: it asks for nothing, or in a form that is none.
        """
        asked = input_required.parse_input_required(answer)
        if asked is None:
            return answer
        for question in asked.requests.values():
            said = opened.meta
            lacking = questions.missing(question, said.capabilities, version=said.version)
            if lacking:
                raise MissingCapability(
                    "The server needs something of its client that this request did not declare.",
                    required=lacking,
                )
        if asked.state is None:
            return answer
        return input_required.with_state(answer, self._state(asked.state))

    def _ask_client(self) -> None:
        """Ends the open round with the questions; the call is parked until the client comes again."""
        opened, self._round = self._round, None
        if opened is None:
            return
        self.parked_at = trio.current_time()
        asking = input_required.input_required(self._questions, self._state(None))
        result = era.result_to_modern(
            self.method, asking, server_info=self._server_info, extensions=opened.meta.extensions
        )
        opened.outlet.finish(codec.encode(Result(opened.request_id, result)))

    def _finish(self, message: Message | None) -> None:
        """Ends the last round, and the call with it."""
        opened, self._round = self._round, None
        if opened is not None:
            opened.outlet.finish(None if message is None else codec.encode(message))
        asked, self._asked = self._asked, {}
        for request in asked.values():
            if request is not None:
                request.retracted = None
                request.refuse("the client has left")
        self._ended()

    def _forget(self, name: str) -> None:
        """The server no longer wants that answer."""
        self._asked.pop(name, None)
        self._questions.pop(name, None)

    def _wants(self, notification: Notification) -> bool:
        """Whether the open round asked for log messages of that level."""
        try:
            level = params.text(params.fields(notification.params), "level")
        except GatewayError:
            return False
        opened = self._round
        return opened is not None and log_levels.passes(level, opened.meta.log_level)
