"""One client request on its way to a server and back, and the deadlines of all of them.

A call is settled exactly once: with the server's answer, with a failure, or, when its client withdrew it, with
nothing. It must not know sessions, pools or transports: whoever makes it says what happens when it is settled, and
whoever holds it (a pool's queue, a live upstream) says how it is withdrawn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec
import trio

from gateway import limits
from gateway.jsonrpc.messages import Failure, Id, Message
from gateway.mcp.profile import NEUTRAL, ClientProfile
from gateway.mcp.targets import TASKS
from gateway.standstill import sleep_awake
from gateway.telemetry.refusals import refused

Answer = msgspec.Raw | Failure
"""A result as the server wrote it, or an error; a `Failure` here carries no id."""


class Holder(Protocol):
    """Where an unsettled call waits."""

    def withdraw(self, call: Call, reason: str) -> None:
        """Forgets the call, and tells the server if it has it already. Idempotent."""


class Call:
    """A request for one server.

    Args:
        method: as the server knows it.
        fields: the params' members; names are already the server's own.
        server: the server's name, for texts.
        profile: the client: what a modern server is told of it with each call, and the era of its answers.
        greeting: what a legacy server that is started for this call is told, once; the profile by default.
        progress_token: the client's token, None if it wants no progress.
        owner: who a container's state belongs to; calls of one owner may share a container.
        client: who makes it: clients that share an owner take turns where calls must wait.
        timeout_s: until the answer, and anew with each progress notification.
        harmless: executed twice, it does what it does once.
        settled: told once, with None for a call that was withdrawn.
        relayed: told each message of the server that belongs to this call, apart from the answer.
    """

    __slots__ = (
        "_relayed",
        "_settled",
        "client",
        "deadline",
        "ended",
        "fields",
        "greeting",
        "harmless",
        "holder",
        "is_heard",
        "is_settled",
        "method",
        "number",
        "owner",
        "profile",
        "progress_token",
        "repeated",
        "resent",
        "rounds",
        "server",
        "started",
        "tasked",
        "timeout_s",
        "watched_by",
    )

    def __init__(
        self,
        method: str,
        fields: dict[str, msgspec.Raw],
        *,
        server: str,
        owner: str,
        timeout_s: float,
        settled: Callable[[Call, Answer | None], None],
        relayed: Callable[[Call, Message], None],
        profile: ClientProfile = NEUTRAL,
        greeting: ClientProfile | None = None,
        progress_token: Id | None = None,
        client: str = "",
        harmless: bool = False,
    ) -> None:
        self.method = method
        self.fields = fields
        self.server = server
        self.owner = owner
        self.client = client
        self.timeout_s = timeout_s
        self.profile = profile
        self.greeting = profile if greeting is None else greeting
        self.progress_token = progress_token
        self.harmless = harmless
        self.holder: Holder | None = None
        self.tasked = "task" in fields or method in TASKS
        """Whether its answer may hand out a task, or tell of one."""
        self.rounds = 0
        """How often its server has asked the client, where that takes a call each time."""
        self.number = 0
        """The id under which the server has it; 0 before it was sent."""
        self.started = trio.current_time()
        self.deadline = self.started + timeout_s
        self.ended = self.started
        """When it was settled."""
        self.is_settled = False
        self.resent = False
        """Sent once more already, because a server had not taken it."""
        self.repeated = False
        """Sent once more already, though a server may have executed it."""
        self.is_heard = False
        """Its client was told, or asked, something on the way to its answer: it would notice a repetition."""
        self.watched_by: Deadlines | None = None
        """Who looks at its deadline, until it is settled."""
        self._settled = settled
        self._relayed = relayed

    @property
    def may_be_repeated(self) -> bool:
        """Whether it may be sent once more, although it may have been executed."""
        unseen = not (self.is_settled or self.is_heard or self.rounds or self.tasked)
        in_time = self.deadline > trio.current_time()
        return self.harmless and not self.repeated and unseen and in_time and bool(self.owner)

    @property
    def cap(self) -> float:
        """The latest moment at which it may end, whatever its server shows or asks."""
        return self.started + max(self.timeout_s, limits.CALL_TIMEOUT_CAP_S)

    def settle(self, answer: Answer | None) -> None:
        """Hands the answer over. Later answers are ignored: the first one counts."""
        if self.is_settled:
            return
        self.is_settled = True
        self.ended = trio.current_time()
        self.holder = None
        if self.watched_by is not None:
            self.watched_by.forget(self)
        self._settled(self, answer)

    def observe(self, seen: Callable[[Call, Answer | None], None]) -> None:
        """Has its end told to `seen` as well, before its maker."""
        settled = self._settled

        def both(call: Call, answer: Answer | None) -> None:
            seen(call, answer)
            settled(call, answer)

        self._settled = both

    def relay(self, message: Message) -> None:
        """Passes on a message that belongs to this call, unless it is settled."""
        if not self.is_settled:
            self.is_heard = True
            self._relayed(self, message)

    def extend(self) -> None:
        """Starts the deadline anew: the server shows that it works, up to the cap."""
        self.deadline = min(trio.current_time() + self.timeout_s, self.cap)

    def wait_for_client(self) -> None:
        """Suspends the deadline: the server waits for the client itself, for a person perhaps."""
        self.deadline = self.cap

    def withdraw(self, reason: str, *, answer: Answer | None = None) -> None:
        """Takes the call back: whoever holds it forgets it; it settles with `answer`, which is none by default."""
        if self.holder is not None:
            self.holder.withdraw(self, reason)
        self.settle(answer)


class Deadlines:
    """One sweeper for the deadlines of all calls: no task and no cancel scope per call.

    A call may run over its deadline by `limits.DEADLINE_SWEEP_S`, and a short one by `limits.DEADLINE_REST_S` more.
    """

    def __init__(self) -> None:
        self._calls: dict[Call, None] = {}
        """In the order of their coming, so that those of one moment expire in it."""
        self._rest = trio.CancelScope()
        """Where the sweeper waits for calls."""
        self._resting = False

    def __len__(self) -> int:
        """How many calls are watched."""
        return len(self._calls)

    def watch(self, call: Call) -> None:
        """Watches a call until it is settled, which may have been the case before."""
        if call.is_settled:
            return
        self._calls[call] = None
        call.watched_by = self
        if self._resting:
            # To wake the sweeper now would cost this call a task switch, beside its server.
            self._resting = False
            self._rest.deadline = trio.current_time() + limits.DEADLINE_REST_S

    def forget(self, call: Call) -> None:
        """Stops watching."""
        self._calls.pop(call, None)

    async def run(self) -> None:
        """Expires calls until cancelled. Sleeps without a timer while there are none."""
        while True:
            while self._calls:
                await sleep_awake(limits.DEADLINE_SWEEP_S)
                now = trio.current_time()
                for call in [call for call in self._calls if call.deadline <= now]:
                    _expire(call)
            with trio.CancelScope() as self._rest:
                self._resting = True
                await trio.sleep_forever()


def _expire(call: Call) -> None:
    """Ends a call whose deadline has passed."""
    if call.is_settled:
        return
    refused("to_servers.CALL_TIMEOUT_S")
    failure = Failure(
        None,
        -32000,
        f"server {call.server} did not answer within {call.timeout_s:g} s; the call was cancelled, its "
        "outcome is unknown",
    )
    call.withdraw("deadline passed", answer=failure)
