"""The Protocols between the parts, and the types that they name. Must not know any implementation.

Who implements what: `gateway.runtimes` the runtimes and links, `gateway.upstreams` the message pipes,
`gateway.transports` the outlets, `actors` the sessions and the health.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from gateway.catalog.model import ContainerLaunch, ProcessLaunch
from gateway.jsonrpc.messages import Message, Request


class Principal(msgspec.Struct, frozen=True):
    """Who asks: the unit of trust. All holders of one token are one principal."""

    name: str


ANYONE = Principal("anyone")
"""Every caller where authentication is switched off."""
LOCAL = Principal("local")
"""The process that holds our stdin and stdout."""


class RequestContext(msgspec.Struct, frozen=True):
    """What is known of one request beyond its params.

    `deadline` is on trio's clock; `protocol_version` is the client's negotiated revision.
    """

    principal: Principal
    protocol_version: str
    session_id: str
    deadline: float


class Route(msgspec.Struct, frozen=True):
    """Where an exposed name leads: the server, and the name there (a tool or prompt name, or a resource URI)."""

    server: str
    name: str


# --- towards clients --------------------------------------------------------------------------------------------


class Outlet(Protocol):
    """Where the messages of one exchange go: a pipe, an event stream, or the answer of one POST.

    Frames are whole JSON-RPC messages without CR or LF. Neither method blocks or raises: an outlet whose client is
    gone or does not read swallows the frame and sees to the closing itself.
    """

    def send(self, frame: bytes, *, skippable: bool = False) -> None:
        """Sends a message that comes before, or apart from, the answer.

        Where the client is far behind, a `skippable` one (a notification) may be lost.
        """

    def finish(self, frame: bytes | None) -> None:
        """Sends the answer of the exchange; None where there will be none (the client cancelled)."""


class ClientSession(Protocol):
    """One client's session as its transport sees it."""

    @property
    def id(self) -> str:
        """The session id: visible ASCII, not guessable."""

    @property
    def principal(self) -> Principal:
        """Who opened it; nobody else may use it."""

    @property
    def protocol_version(self) -> str | None:
        """The negotiated revision, None before `initialize` was answered."""

    def receive(self, message: Message, outlet: Outlet) -> None:
        """Takes one message. Returns at once; an answer, if one is due, arrives at `outlet` exactly once."""

    def attach(self, outlet: Outlet) -> None:
        """Names the outlet of messages that belong to no request; the newest one wins."""

    def detach(self, outlet: Outlet) -> None:
        """Forgets `outlet` if it is the attached one."""

    def close(self) -> None:
        """Ends the session: cancels its calls, gives up its leases. Idempotent."""


class Sessions(Protocol):
    """All client sessions."""

    def open(self, principal: Principal, *, transport: str) -> ClientSession:
        """Opens a session.

        Raises:
            Overloaded: as many sessions as `limits.MAX_SESSIONS` are open, or the gateway drains.
        """

    def find(self, session_id: str, principal: Principal) -> ClientSession | None:
        """The open session of that id, if it belongs to that principal."""

    def serve_stateless(
        self, request: Request, *, principal: Principal, transport: str, outlet: Outlet
    ) -> Callable[[], None]:
        """Serves one request of the modern era, which says everything itself.

        Its `_meta` has been read, and its revision is one that is spoken. Returns at once; the answer arrives at `outlet`
        exactly once.

        Returns:
            How to cancel it: then nothing arrives any more. Does nothing once it is answered.

        Raises:
            GatewayError: it is not served; nothing arrives at `outlet`.
        """

    def input_schema(self, tool: str, principal: Principal) -> msgspec.Raw | None:
        """The input schema of an exposed tool as clients see it; None where it is not known (yet)."""


class Health(Protocol):
    """What probes ask."""

    def ready(self) -> bool:
        """Whether new work is accepted."""

    def degraded(self) -> bool:
        """Whether some of it cannot be done for now: the container engine is in trouble."""

    def report(self) -> dict[str, object]:
        """State for people: plain JSON types, no secrets."""


class Announcement(msgspec.Struct, frozen=True, kw_only=True):
    """What a gateway says of itself once it serves. `token` is a secret that its operator is meant to see.

    `urls`: by transport ("sse", "streaming", "ws"), empty on stdio. `token`: None where none is asked for, or where the
    operator gave it. `servers`: the enabled ones, in catalog order. `notes`: sentences for the operator.
    """

    urls: Mapping[str, str] = msgspec.field(default_factory=dict)
    token: str | None = None
    servers: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


# --- towards servers --------------------------------------------------------------------------------------------


class Link(Protocol):
    """The stdin and stdout of one started server, and its life."""

    @property
    def name(self) -> str:
        """What a person would look for: the container's name or the process id."""

    @property
    def kind(self) -> str:
        """How bytes travel: "attach", "fifo" or "pipe"."""

    async def send_all(self, frame: bytes | memoryview) -> None:
        """Writes to the server's stdin. One writer at a time.

        Raises:
            Gone: the server no longer reads.
        """

    def send_nowait(self, frame: bytes | memoryview) -> int:
        """Writes as much as goes without waiting, and gives the number of bytes: 0 where this link must always wait.

        Never while `send_all` is under way.

        Raises:
            Gone: the server no longer reads.
        """

    async def receive_some(self) -> bytes:
        """The next bytes of the server's stdout; b"" once it has ended, and ever after. One reader at a time."""

    async def learn_ending(self) -> None:
        """Once stdout has ended: waits until the exit status and the end of stderr are known as well.

        Returns after `limits.ENDING_S` where they do not come, as of a server that lives on. Not beside `receive_some`.
        Cancellation: nothing is lost.
        """

    def stderr_tail(self) -> str:
        """The last `limits.STDERR_TAIL_BYTES` of the server's stderr."""

    def exit_status(self) -> int | None:
        """The exit status, None while it runs or where it was not learned (yet)."""

    async def aclose(self) -> None:
        """Stops the server and removes what it left: stdin closed, a grace, TERM, a grace, KILL, removed.

        Bounded by itself, and completed even when the caller is cancelled. Idempotent.
        """

    async def kill(self) -> None:
        """Removes the server at once, without grace; also while `aclose` is being patient in another task.

        Bounded by itself, and completed even when the caller is cancelled. Idempotent.
        """


class StartRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One start: which server it is for, and how to start it. `spec_hash` labels the container."""

    server: str
    launch: ContainerLaunch | ProcessLaunch
    spec_hash: str


class Runtime(Protocol):
    """A place where servers run."""

    async def start(self, request: StartRequest) -> Link:
        """Starts a server and hands over its link, which the caller closes.

        Cancellation: nothing is left behind.

        Raises:
            EngineUnreachable, ImageMissing, StartFailed
        """


class Freezer(Protocol):
    """What an engine does with a running container besides carrying its bytes; containers go by their links' names."""

    async def freeze(self, name: str) -> None:
        """Has all of its processes stand still.

        Raises:
            BackendError
        """

    async def thaw(self, name: str) -> None:
        """Has them go on.

        Raises:
            BackendError
        """

    async def memory_bytes(self, name: str) -> int:
        """What it uses now.

        Raises:
            BackendError
        """


class RunOutput(msgspec.Struct, frozen=True):
    """What a container that ran to its end has said. Both streams decoded, undecodable bytes replaced."""

    exit_status: int
    stdout: str
    stderr: str


class OneShotRuntime(Protocol):
    """A runtime that can run a container to its end (POCI tools)."""

    async def run(self, request: StartRequest) -> RunOutput:
        """Runs one container, waits for its end, removes it. Cancellation kills and removes it.

        Raises:
            EngineUnreachable, ImageMissing, StartFailed
        """


class MessagePipe(Protocol):
    """Whole messages to and from one live server, whatever carries them. It does not know what they mean."""

    @property
    def name(self) -> str:
        """What a person would look for: a container's name, a process id, a URL."""

    async def run(self) -> None:
        """Moves messages until the pipe is closed or its server gone.

        Runs in its owner's nursery; never raises but for cancellation.
        """

    def send(self, message: Message, *, deadline: float = math.inf) -> None:
        """Queues a message for the server; never blocks.

        Args:
            message: what is sent.
            deadline: of a request: until when its answer is of use, on trio's clock. A pipe that the server tells to come
                back later does not wait beyond that.

        Raises:
            Overloaded: the server does not read, and the queue is full.
            Gone: the pipe is closed; nothing of the message was sent.
        """

    async def receive(self) -> Message:
        """The server's next message. What is not a message is logged and skipped. One reader at a time.

        Where something may not have arrived that the server said unasked, there is a `Missed`.

        A request that cannot be answered fails here, by a `Failure` of the pipe's own; by an `Untaken` where it may be sent
        anew over another pipe, by an `OutcomeUnknown` where it may have been executed.

        Raises:
            Gone: the server is gone; says how it ended, with the tail of its stderr, as far as that is known at once.
        """

    def obituary(self) -> str:
        """How the server ended by itself, in one sentence; after `aclose` with all that could be learned.

        "" where it did not, or where `receive` has said it all.
        """

    def stderr_tail(self) -> str:
        """The last of what the server wrote on its stderr; "" where there is no such thing."""

    async def kill(self) -> None:
        """Ends the server at once if it is ours, also while `aclose` is patient in another task. Idempotent."""

    async def aclose(self) -> None:
        """Closes the pipe and stops the server if it is ours. Bounded, idempotent, completed when cancelled."""
