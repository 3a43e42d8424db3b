"""Remote servers in their pool, over real sockets: what is sent anew, how often, and what is only reported.

Each test counts what the server was sent: a call that may have been executed is never sent again.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import msgspec
import pytest
import trio
from msgspec import structs

from actors import remote
from actors.call import Answer, Call
from actors.container_pool import ContainerPool
from gateway import limits
from gateway.catalog.model import EnabledServer, Remote, RemoteLaunch, RemoteTransport, Snapshot
from gateway.errors import CatalogError, StartFailed
from gateway.jsonrpc.messages import Request
from gateway.mcp.profile import ClientProfile
from tests.fakes.far_server import Far
from tests.fakes.house import Answers, FakeBackend, enabled, make_pool
from tests.fakes.http_server import Exchange, HangUp, HttpServer, serve
from tests.fakes.mcp_server import McpOverSse

PATIENCE_S = 10
EVENTS = {"content_type": "text/event-stream"}
LEGACY = ClientProfile(era="legacy")
Load = Callable[[EnabledServer], Snapshot]
"""What is configured by now, given what was."""


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
        await self.wait(call)
        return self.answers.text(call)

    async def wait(self, call: Call) -> None:
        """Returns once a call has ended."""
        done = trio.Event()

        def tell(_call: Call, _answer: Answer | None) -> None:
            done.set()

        call.observe(tell)
        if call not in self.answers.ended:
            await done.wait()
        # Observers come before whoever made the call.
        await trio.lowlevel.checkpoint()


def far_server(
    url: str,
    *,
    transport: RemoteTransport = "streamable-http",
    headers: Mapping[str, str] | None = None,
    **pooling: object,
) -> EnabledServer:
    """An entry for a remote server."""
    launch = RemoteLaunch(url=url, transport=transport, headers=headers or {})
    server = enabled(**pooling)  # type: ignore[arg-type] # as it comes
    entry = structs.replace(server.entry, remote=Remote(url, transport, headers or {}))
    return structs.replace(server, entry=entry, launch=launch)


def over_http(entry: EnabledServer, load: Callable[[], Snapshot] | None = None) -> FakeBackend:
    """What opens real pipes to that server."""
    backend = FakeBackend()
    backend.open = remote.opener_of(entry, load)  # type: ignore[assignment,method-assign] # a pipe is a pipe
    return backend


class Names(trio.abc.HostnameResolver):
    """A name service that knows one address for every name; "" for none."""

    def __init__(self, address: str) -> None:
        self.address = address

    async def getaddrinfo(self, _host: Any, port: Any, *_: Any, **__: Any) -> list[Any]:  # type: ignore[override] # for calls as trio makes them
        """The address."""
        if not self.address:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (self.address, port))]

    async def getnameinfo(self, sockaddr: Any, flags: int) -> tuple[str, str]:
        """Nobody asks."""
        raise NotImplementedError


@asynccontextmanager
async def calling(
    far: Callable[[Exchange], Awaitable[None]], load: Load | None = None, **more: object
) -> AsyncIterator[tuple[Client, HttpServer]]:
    """A client of a pool whose server is `far`."""
    with trio.fail_after(PATIENCE_S):
        async with serve(far) as server, trio.open_nursery() as nursery:
            entry = far_server(server.origin + "/mcp", **more)  # type: ignore[arg-type] # as it comes
            backend = over_http(entry, load and partial(load, entry))
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


async def test_a_name_that_leads_elsewhere_is_followed() -> None:
    """The old place is gone; the new one knows no session, so that the call is sent there in a new one."""
    names = Names("127.0.0.1")
    old, new = Far(), Far()
    with trio.fail_after(PATIENCE_S):
        trio.socket.set_custom_hostname_resolver(names)
        async with trio.open_nursery() as nursery:
            async with serve(old) as server:
                entry = far_server(f"http://far.example:{server.port}/mcp")
                client = Client(make_pool(nursery, over_http(entry), entry))
                assert await client.call() == "executed 1"
            names.address = "127.0.0.2"
            async with serve(new, host=names.address, port=server.port):
                assert await client.call() == "executed 1"
                nursery.cancel_scope.cancel()
    assert (old.executed, new.executed, new.opened) == (1, 1, 1)


async def test_a_name_that_leads_nowhere_for_a_while_is_told() -> None:
    """Nothing was sent; the next call asks for the name again."""
    names = Names("127.0.0.1")
    far = Far()
    trio.socket.set_custom_hostname_resolver(names)
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery, serve(far) as server:
            entry = far_server(f"http://far.example:{server.port}/mcp")
            client = Client(make_pool(nursery, over_http(entry), entry))
            names.address = ""
            assert "cannot be reached: [Errno -2] Name or service not known" in await client.call()
            names.address = "127.0.0.1"
            assert await client.call() == "executed 1"
            nursery.cancel_scope.cancel()
    assert far.executed == 1


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


@pytest.mark.parametrize(("harmless", "executed"), [(True, 2), (False, 1)])
@pytest.mark.parametrize("how", ["hang up", "502", "504", "stream"])
async def test_a_call_whose_answer_is_lost_is_repeated_only_where_that_is_allowed(
    how: str, *, harmless: bool, executed: int
) -> None:
    """Its client gets an answer, or is told that the outcome is unknown; the session lives on."""
    far = Far()

    async def lose(exchange: Exchange, _request: Request) -> None:
        far.serve_call = far.answer_call
        far.executed += 1
        if how.isdigit():
            await exchange.respond(int(how))
            return
        if how == "stream":
            await exchange.start(200, **EVENTS)
            await exchange.send(b": working\n\n")
        raise HangUp

    far.serve_call = lose
    async with calling(far, retry=True) as (client, _):
        text = await client.call(harmless=harmless)
        assert ("the outcome is unknown" in text) is not harmless
    assert (far.opened, far.executed) == (1, executed)


async def test_an_event_stream_that_ended_is_opened_anew_for_the_next_call() -> None:
    """HTTP+SSE has no resuming: with its stream the session is over."""
    speaks = McpOverSse()
    async with calling(speaks, transport="sse") as (client, server):
        for _ in range(2):
            call = client.submit()
            await client.wait(call)
            assert isinstance(client.answers.ended[call], msgspec.Raw)
            speaks.hang_up()
            # A call that overtakes the news of that would be told that its outcome is unknown.
            await trio.testing.wait_all_tasks_blocked(0.05)
    assert len(server.seen("GET")) == 2


# --- refusals -----------------------------------------------------------------------------------------------------


class Picky(Far):
    """Refuses calls, and whatever else it is told to, with the statuses of `refusals` in turn."""

    def __init__(self, *refusals: int, what: bytes = b"tools/call", **headers: str) -> None:
        super().__init__()
        self.refusals = list(refusals)
        self._what = what
        self._headers = headers

    async def __call__(self, exchange: Exchange) -> None:
        """Handles one HTTP request."""
        if self._what in exchange.request.body and self.refusals:
            await exchange.respond(self.refusals.pop(0), b"not now", **self._headers)
        else:
            await super().__call__(exchange)


def keyed(server: EnabledServer, key: str) -> Snapshot:
    """What is configured once the secret is another one."""
    assert isinstance(server.launch, RemoteLaunch)
    launch = structs.replace(server.launch, headers={"Authorization": f"Bearer {key}"})
    return Snapshot(servers={server.name: structs.replace(server, launch=launch)})


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("what", [b"tools/call", b'"initialize"', b"notifications/initialized"])
async def test_a_message_that_is_put_off_is_sent_anew(
    status: int, what: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When its server says; it is executed once. A notification is not lost either."""
    monkeypatch.setattr(limits, "PUT_OFF_FLOOR_S", 0.05)
    far = Picky(status, status, what=what, retry_after="0")
    async with calling(far) as (client, server):
        assert await client.call() == "executed 1"
        assert await client.call() == "executed 2"
    assert far.executed == 2
    sent = [seen for seen in server.requests if what in seen.body]
    assert len(sent) == (4 if what == b"tools/call" else 3)


@pytest.mark.parametrize(
    ("status", "headers", "text"),
    [
        (429, {"retry_after": "20"}, "gets too many requests (429): try again in 20 s"),
        (503, {}, "is not available now (503): try again later"),
        (500, {"retry_after": "0"}, "failed to handle the request (500 Internal Server Error)"),
    ],
)
async def test_a_call_that_cannot_be_put_off_fails_at_once(
    status: int, headers: dict[str, str], text: str
) -> None:
    """Where its deadline is sooner, where the server does not say when, or where it may have been executed."""
    far = Picky(status, **headers)
    async with calling(far) as (client, server):
        began = trio.current_time()
        assert text in await client.call(timeout_s=10.0)
        assert trio.current_time() - began < 5
        assert await client.call() == "executed 1"
    assert sum(b"tools/call" in seen.body for seen in server.requests) == 2


async def test_a_rotated_secret_is_looked_up_where_the_old_one_is_refused() -> None:
    """The call is sent anew with it, and so is everything after it, in new sessions too."""

    class Locked(Far):
        key = "old"

        async def __call__(self, exchange: Exchange) -> None:
            if exchange.request.headers["authorization"] == f"Bearer {self.key}":
                await super().__call__(exchange)
            else:
                await exchange.respond(401)

    far = Locked()
    headers = {"Authorization": "Bearer old"}
    async with calling(far, lambda entry: keyed(entry, far.key), headers=headers) as (client, _):
        assert await client.call() == "executed 1"
        far.key = "new"
        assert await client.call() == "executed 2"
        assert far.opened == 1
        assert await client.call(owner="session:b") == "executed 3"


async def test_a_401_for_once_is_healed() -> None:
    """With the same key: it was never wrong."""
    far = Picky(401)
    async with calling(
        far, lambda entry: keyed(entry, "same"), headers={"Authorization": "Bearer same"}
    ) as (client, _):
        assert await client.call() == "executed 1"


def _not_a_server(_entry: EnabledServer) -> Snapshot:
    return Snapshot(servers={})


def _of_another_place(entry: EnabledServer) -> Snapshot:
    launch = structs.replace(entry.launch, url="http://elsewhere.example/mcp", headers={"X": "y"})  # type: ignore[type-var] # a remote one
    return Snapshot(servers={entry.name: structs.replace(entry, launch=launch)})


def _broken(_entry: EnabledServer) -> Snapshot:
    raise CatalogError("catalog.yaml: is not YAML")


@pytest.mark.parametrize("load", [_not_a_server, _of_another_place, _broken])
async def test_credentials_that_stay_refused_are_told(load: Load) -> None:
    """Also where nothing can be looked up, or only another place's; nothing of the key is shown."""
    far = Picky(401, 401)
    headers = {"Authorization": "Bearer s3cret"}
    async with calling(far, load, headers=headers) as (client, server):
        text = await client.call()
        assert "check the secrets in the header Authorization of its entry" in text
        assert "s3cret" not in text
        assert await client.call() == "executed 1"
    sent = [seen for seen in server.requests if b"tools/call" in seen.body]
    assert [seen.headers["authorization"] for seen in sent] == ["Bearer s3cret"] * 3


def test_a_container_is_no_remote_server() -> None:
    """Whoever mixes them up is told."""
    with pytest.raises(StartFailed, match="not a remote server"):
        remote.opener_of(enabled())
