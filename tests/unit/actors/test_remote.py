"""Remote servers in their pool, over real sockets: what is sent anew, how often, and what is only reported.

Each test counts what the server was sent: a call that may have been executed is never sent again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import pytest
import trio
from msgspec import structs

from actors import remote
from actors.call import Answer, Call
from actors.container_pool import ContainerPool
from gateway.catalog.model import EnabledServer, RemoteLaunch, RemoteTransport
from gateway.errors import StartFailed
from gateway.jsonrpc.codec import decode, encode, raw
from gateway.jsonrpc.messages import Failure, Notification, Request, Result
from gateway.mcp.profile import ClientProfile
from tests.fakes.house import Answers, FakeBackend, enabled, make_pool
from tests.fakes.http_server import Exchange, HangUp, HttpServer, serve

PATIENCE_S = 10
JSON = {"content_type": "application/json"}
EVENTS = {"content_type": "text/event-stream"}
LEGACY = ClientProfile(era="legacy")
HELLO = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "serverInfo": {"name": "far", "version": "1"},
}

Serve = Callable[[Exchange, Request], Awaitable[None]]


class Far:
    """A legacy server with sessions. Calls are executed, and counted, by `serve_call`; a restart forgets all sessions."""

    def __init__(self) -> None:
        self.sessions: set[str] = set()
        self.opened = 0
        self.executed = 0
        self.serve_call: Serve = self.answer_call

    def restart(self) -> None:
        """Forgets everything."""
        self.sessions.clear()

    async def __call__(self, exchange: Exchange) -> None:
        """Handles one HTTP request."""
        if exchange.request.method != "POST":
            await exchange.respond(405)
            return
        message = decode(exchange.request.body)
        if isinstance(message, Request) and message.method == "server/discover":
            await exchange.respond(
                400, encode(Failure(message.id, -32601, "no such method")), **JSON
            )
        elif isinstance(message, Request) and message.method == "initialize":
            self.opened += 1
            self.sessions.add(f"s{self.opened}")
            await self.answer(exchange, message, HELLO, mcp_session_id=f"s{self.opened}")
        elif exchange.request.headers.get("mcp-session-id") not in self.sessions:
            await exchange.respond(404)
        elif isinstance(message, Notification):
            await exchange.respond(202)
        elif isinstance(message, Request) and message.method == "tools/call":
            await self.serve_call(exchange, message)
        elif isinstance(message, Request):
            await self.answer(exchange, message, {})

    async def answer_call(self, exchange: Exchange, request: Request) -> None:
        """Executes a call and answers it."""
        self.executed += 1
        text = f"executed {self.executed}"
        await self.answer(exchange, request, {"content": [{"type": "text", "text": text}]})

    async def answer(
        self, exchange: Exchange, request: Request, result: object, **headers: str
    ) -> None:
        """Answers a request with JSON."""
        frame = encode(Result(request.id, raw(result)))
        await exchange.respond(200, frame, **JSON, **headers)


class Client:
    """Calls a pool, and waits for what becomes of a call."""

    def __init__(self, pool: ContainerPool) -> None:
        self.pool = pool
        self.answers = Answers()

    async def call(self, **more: object) -> str:
        """The text of the answer to a new call, or of its failure."""
        return await self.ended(self.submit(**more))

    def submit(self, **more: object) -> Call:
        """A new call."""
        call = self.answers.call(profile=LEGACY, **more)
        self.pool.submit(call)
        return call

    async def ended(self, call: Call) -> str:
        """The text of a call's answer."""
        done = trio.Event()

        def tell(_call: Call, _answer: Answer | None) -> None:
            done.set()

        call.observe(tell)
        if call not in self.answers.ended:
            await done.wait()
        # Observers come before whoever made the call.
        await trio.lowlevel.checkpoint()
        return self.answers.text(call)


def far_server(
    url: str,
    *,
    transport: RemoteTransport = "streamable-http",
    headers: Mapping[str, str] | None = None,
    **pooling: object,
) -> EnabledServer:
    """An entry for a remote server."""
    launch = RemoteLaunch(url=url, transport=transport, headers=headers or {})
    return structs.replace(enabled(**pooling), launch=launch)  # type: ignore[arg-type] # pooling as it comes


@asynccontextmanager
async def calling(far: Far, **more: object) -> AsyncIterator[tuple[Client, HttpServer]]:
    """A client of a pool whose server is `far`."""
    with trio.fail_after(PATIENCE_S):
        async with serve(far) as server, trio.open_nursery() as nursery:
            entry = far_server(server.origin + "/mcp", **more)  # type: ignore[arg-type] # as it comes
            backend = FakeBackend()
            backend.open = remote.opener_of(entry)  # type: ignore[assignment,method-assign] # a pipe is a pipe
            yield Client(make_pool(nursery, backend, entry)), server
            nursery.cancel_scope.cancel()


# --- sessions -----------------------------------------------------------------------------------------------------


async def test_a_restarted_server_gets_the_refused_call_in_a_new_session() -> None:
    """It was refused unread, so that it is executed once; its client notices nothing."""
    far = Far()
    async with calling(far) as (client, _):
        assert await client.call() == "executed 1"
        far.restart()
        assert await client.call() == "executed 2"
    assert (far.opened, far.executed) == (2, 2)


async def test_a_server_that_refuses_every_session_gets_a_call_twice_at_most() -> None:
    """Then the client is told."""
    far = Far()

    async def refuse(exchange: Exchange, _request: Request) -> None:
        far.restart()
        await exchange.respond(404)

    far.serve_call = refuse
    async with calling(far) as (client, server):
        assert "has ended the session" in await client.call()
    assert (far.opened, far.executed) == (2, 0)
    assert [b"tools/call" in seen.body for seen in server.requests].count(True) == 2


async def test_all_calls_that_a_restart_refuses_are_healed() -> None:
    """Those that come while the session is lost included; each is executed once."""
    far = Far()
    async with calling(far) as (client, _):
        await client.call()
        far.restart()
        calls = [client.submit() for _ in range(4)]
        texts = [await client.ended(call) for call in calls]
        assert sorted(texts) == [f"executed {number}" for number in range(2, 6)]
    assert (far.opened, far.executed) == (2, 5)


async def test_a_call_in_flight_outlives_the_session_of_another() -> None:
    """A session that is over takes no new calls; what the server still works on is answered by it."""
    far = Far()
    begun, release = trio.Event(), trio.Event()

    async def slow(exchange: Exchange, request: Request) -> None:
        far.serve_call = far.answer_call
        begun.set()
        await release.wait()
        await far.answer_call(exchange, request)

    far.serve_call = slow
    async with calling(far) as (client, _):
        first = client.submit()
        await begun.wait()
        far.restart()
        assert await client.call() == "executed 1"
        release.set()
        assert await client.ended(first) == "executed 2"
    assert far.opened == 2


async def test_a_call_whose_stream_broke_is_not_sent_again() -> None:
    """It was taken, and may have been executed; the session being over changes nothing about that."""
    far = Far()

    async def broken(exchange: Exchange, _request: Request) -> None:
        far.executed += 1
        await exchange.start(200, **EVENTS)
        await exchange.send(b"id: 1\nretry: 1\ndata: \n\n")
        far.restart()
        raise HangUp

    far.serve_call = broken
    async with calling(far) as (client, _):
        text = await client.call()
        assert "the outcome is unknown" in text
        far.serve_call = far.answer_call
        assert await client.call() == "executed 2"
    assert far.executed == 2


@pytest.mark.parametrize("owner", ["session:a", "call:x:1"])
async def test_a_call_of_any_isolation_is_healed(owner: str) -> None:
    """Also one whose server serves nothing else."""
    far = Far()
    isolation = "call" if owner.startswith("call") else "session"

    async def refuse_once(exchange: Exchange, _request: Request) -> None:
        far.serve_call = far.answer_call
        far.restart()
        await exchange.respond(404)

    far.serve_call = refuse_once
    async with calling(far, isolation=isolation) as (client, _):
        assert await client.call(owner=owner) == "executed 1"
    assert far.opened == 2


def test_a_container_is_no_remote_server() -> None:
    """Whoever mixes them up is told."""
    with pytest.raises(StartFailed, match="not a remote server"):
        remote.opener_of(enabled())
