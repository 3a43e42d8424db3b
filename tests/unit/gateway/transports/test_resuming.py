"""Clients of Streamable HTTP that are cut off and come back, over a real socket."""

from __future__ import annotations

from functools import partial

import httpx
import msgspec
import pytest
import trio
import trio.testing

from gateway import limits
from gateway.ports import Principal
from tests.unit.gateway.transports.asgi_client import AsgiRequest
from tests.unit.gateway.transports.serving import EventStream, Site, request


def session(client: httpx.AsyncClient) -> dict[str, str]:
    """The header that names a client's session."""
    return {"Mcp-Session-Id": client.headers["Mcp-Session-Id"]}


def after(client: httpx.AsyncClient, stream: EventStream) -> dict[str, str]:
    """The headers with which a client comes back to a stream."""
    return session(client) | {"Last-Event-ID": stream.last_id}


async def test_the_answer_of_a_broken_call_is_fetched(site: Site) -> None:
    """The client vanished before it came: that was no cancel, and nothing is lost."""
    body = msgspec.json.encode(request("ask", 7))
    async with site.connect() as client:
        async with site.listen("/mcp", method="POST", body=body, **session(client)) as broken:
            assert "roots/list" in (await broken.event())[1]
        site.last.waiting[0][1].send(b'{"progress":1}')
        site.last.answer()
        async with site.listen("/mcp", **after(client, broken)) as stream:
            assert (await stream.event())[1] == '{"progress":1}'
            assert '"id":7' in (await stream.event())[1]
            assert await stream.event() == ("", "")
        async with site.listen("/mcp", **after(client, stream)) as nothing:
            assert await nothing.event() == ("", "")


async def test_a_resumed_call_goes_on_live(site: Site) -> None:
    """Its answer comes on the new connection; the old one, if it is still there, ends."""
    body = msgspec.json.encode(request("ask", 7))
    async with (
        site.connect() as client,
        site.listen("/mcp", method="POST", body=body, **session(client)) as old,
    ):
        await old.event()
        async with site.listen("/mcp", **after(client, old)) as new:
            assert await old.event() == ("", "")
            site.last.answer()
            assert '"id":7' in (await new.event())[1]


async def test_streams_do_not_mix(site: Site) -> None:
    """Two calls and the standing stream: each resumes with its own events only."""
    bodies = [msgspec.json.encode(request("ask", number)) for number in (1, 2)]
    broken = []
    async with site.connect() as client:
        for body in bodies:
            async with site.listen("/mcp", method="POST", body=body, **session(client)) as stream:
                await stream.event()
                broken.append(stream)
        site.last.answer()
        site.last.answer()
        for number, stream in enumerate(broken, start=1):
            async with site.listen("/mcp", **after(client, stream)) as resumed:
                assert f'"id":{number},' in (await resumed.event())[1]
                assert await resumed.event() == ("", "")
        assert len({stream.last_id for stream in broken}) == 2


async def test_the_standing_stream_waits_for_its_client(site: Site) -> None:
    """What came while it was away is there when it comes back, with or without an id."""
    async with site.connect() as client:
        async with site.listen("/mcp", **session(client)) as first:
            site.last.notify("notifications/1")
            assert "notifications/1" in (await first.event())[1]
        await trio.testing.wait_all_tasks_blocked(0.01)
        site.last.notify("notifications/2")
        async with site.listen("/mcp", **after(client, first)) as second:
            assert "notifications/2" in (await second.event())[1]
        await trio.testing.wait_all_tasks_blocked(0.01)
        site.last.notify("notifications/3")
        async with site.listen("/mcp", **session(client)) as third:
            assert "notifications/3" in (await third.event())[1]
        assert not site.last.was_detached.is_set()


async def test_a_standing_stream_that_is_kept_no_more_is_begun_anew(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its client cannot know that, and needs not."""
    monkeypatch.setattr(limits, "RESUME_KEEP_S", 0.0)
    async with site.connect() as client:
        async with site.listen("/mcp", **session(client)) as first:
            site.last.notify()
            await first.event()
        await site.last.was_detached.wait()
        async with site.listen("/mcp", **after(client, first)) as second:
            assert second.status == 200
            site.last.notify()
            assert "list_changed" in (await second.event())[1]


@pytest.mark.parametrize("event_id", ["c99-1", "nonsense"])
async def test_an_unknown_event_is_400(site: Site, event_id: str) -> None:
    """Not 404, which would mean that the session is gone."""
    async with site.connect() as client:
        refused = await client.get("/mcp", headers={"Last-Event-ID": event_id})
        assert refused.status_code == 400
        assert "send the request again" in refused.json()["error"]["message"]


async def test_nobody_resumes_the_stream_of_another_session(site: Site) -> None:
    """The id of an event is no key."""
    body = msgspec.json.encode(request("ask", 7))
    async with site.connect() as ours, site.connect() as theirs:
        site.sessions.all[0].protocol_version = "2025-11-25"
        async with site.listen("/mcp", method="POST", body=body, **session(ours)) as stream:
            assert await stream.event() == ("message", "")
        refused = await theirs.get("/mcp", headers={"Last-Event-ID": stream.last_id})
        assert refused.status_code == 400


async def test_the_end_of_a_session_ends_the_wait_for_its_client(site: Site) -> None:
    """Nothing lingers after DELETE."""
    async with site.connect() as client:
        async with site.listen("/mcp", **session(client)):
            pass
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert (await client.delete("/mcp")).status_code == 204
        site.stop.set()


class Timed:
    """A gateway front in memory, whose clock jumps."""

    def __init__(self, version: str) -> None:
        self.site = Site()
        self.session = self.site.sessions.open(Principal("p"), transport="streamable-http")
        self.session.protocol_version = version
        self.site.sessions.find = lambda *_: self.session  # type: ignore[method-assign]

    def ask(self, method: str = "GET", **headers: str) -> AsgiRequest:
        """A request of the session's client; a POST asks for what is answered later."""
        asked = AsgiRequest(
            method,
            "/mcp",
            accept="application/json, text/event-stream",
            authorization="Bearer test-token",
            mcp_session_id=self.session.id,
            **headers,
        )
        if method == "POST":
            asked.body(b'{"jsonrpc":"2.0","id":1,"method":"later"}')
        return asked

    async def serve(self, asked: AsgiRequest) -> None:
        """Answers it."""
        await self.site.app(asked.scope, asked._events.receive, asked._send)


async def test_a_call_that_takes_long_becomes_a_stream_to_come_back_to(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Soon, and with an id from the start, for clients that know events without data."""
    timed = Timed("2025-11-25")
    asked = timed.ask("POST", content_type="application/json", content_length="1")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(timed.serve, asked)
        await trio.sleep(limits.STREAM_AFTER_S / 2)
        assert not asked.sent
        await trio.sleep(limits.STREAM_AFTER_S)
        assert asked.headers[b"content-type"] == b"text/event-stream"
        assert asked.answer == b"id: c1-0\nretry: 1000\ndata: \n\n"
        asked.leave()
    timed.session.answer()
    resumed = timed.ask(last_event_id="c1-0")
    await timed.serve(resumed)
    assert resumed.answer.startswith(b"event: message\nid: c1-1\n")
    assert resumed.ended


async def test_the_standing_stream_is_given_up_after_a_while(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A client that vanished must not keep its session busy for ever."""
    timed = Timed("2025-11-25")
    asked = timed.ask()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(timed.serve, asked)
        await trio.testing.wait_all_tasks_blocked()
        assert asked.answer == b"id: s1-0\nretry: 1000\ndata: \n\n"
        asked.leave()
        await trio.sleep(limits.RESUME_KEEP_S - 1)
        assert timed.session.attached is not None
    assert trio.current_time() == limits.RESUME_KEEP_S
    assert timed.session.attached is None


async def test_cancelled_while_it_waits_for_its_client(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The session forgets the stream."""
    timed = Timed("2025-11-25")
    asked = timed.ask()
    asked.leave()
    with trio.move_on_after(1):
        await timed.serve(asked)
    assert timed.session.was_detached.is_set()


async def test_calls_of_a_client_that_left_are_cut_from_no_event(site: Site) -> None:
    """Whatever breaks, the call itself is served once."""
    async with site.connect() as client:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(client.post, "/mcp", json=request("later")))
            await site.last.has_waiting.wait()
            nursery.cancel_scope.cancel()
        site.last.answer()
        assert len(site.last.received) == 2
