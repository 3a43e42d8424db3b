"""Messages on their way: bounds, order, giving up."""

from __future__ import annotations

import math

import msgspec
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from gateway import limits
from gateway.errors import Gone, Overloaded
from gateway.jsonrpc.messages import Message, Notification, Request
from gateway.upstreams.posts import Posts

INITIALIZED = Notification("notifications/initialized")


class Server:
    """Takes every message, and holds those whose method is "hang" until it is told otherwise."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.given_up = 0
        self.release = trio.Event()

    async def post(self, message: Message, body: bytes, deadline: float) -> None:
        """A `Post`."""
        assert b"jsonrpc" in body
        assert deadline == math.inf
        assert isinstance(message, Request | Notification)
        self.taken.append(message.method)
        if message.method in {"hang", INITIALIZED.method}:
            try:
                await self.release.wait()
            except trio.Cancelled:
                self.given_up += 1
                raise


def cancelled(number: int) -> Notification:
    """The notification that gives up a request."""
    return Notification("notifications/cancelled", msgspec.Raw(b'{"requestId":%d}' % number))


async def test_messages_wait_for_the_start_and_go_in_order(nursery: trio.Nursery) -> None:
    """Each in a task of its own."""
    server = Server()
    posts = Posts(server.post, who="it")
    for number, method in enumerate(["hang", "b", "c"]):
        posts.send(Request(number, method))
    assert repr(posts) == "<Posts to it: 3 in flight, 3 of them waiting>"
    posts.start(nursery)
    await wait_all_tasks_blocked()
    assert sorted(server.taken) == ["b", "c", "hang"]
    assert repr(posts) == "<Posts to it: 1 in flight, 0 of them waiting>"


async def test_initialized_goes_alone(nursery: trio.Nursery) -> None:
    """What follows waits until the server has taken it."""
    server = Server()
    posts = Posts(server.post, who="it")
    posts.start(nursery)
    posts.send(INITIALIZED)
    posts.send(Request(1, "after"))
    await wait_all_tasks_blocked()
    assert server.taken == [INITIALIZED.method]
    server.release.set()
    await wait_all_tasks_blocked()
    assert server.taken == [INITIALIZED.method, "after"]


async def test_a_request_that_waits_can_be_given_up(nursery: trio.Nursery) -> None:
    """Before it was posted, and while it is."""
    server = Server()
    posts = Posts(server.post, who="it")
    posts.start(nursery)
    posts.send(Request(1, "hang"))
    await wait_all_tasks_blocked()
    posts.send(cancelled(1))
    posts.send(cancelled(1))
    await wait_all_tasks_blocked()
    assert server.given_up == 1
    assert server.taken == ["hang", "notifications/cancelled", "notifications/cancelled"]


async def test_an_id_may_be_used_again(nursery: trio.Nursery) -> None:
    """The end of the first use does not hide the second."""
    server = Server()
    posts = Posts(server.post, who="it")
    posts.start(nursery)
    posts.send(Request(1, "hang"))
    posts.send(Request(1, "quick"))
    await wait_all_tasks_blocked()
    assert "1 in flight" in repr(posts)


@pytest.mark.refuses("to_servers.MAX_INFLIGHT_PER_REMOTE", "to_servers.MAX_OUTBOUND_BYTES")
async def test_what_is_over_a_bound_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """By number, and by size."""
    posts = Posts(Server().post, who="it")
    monkeypatch.setattr(limits, "MAX_INFLIGHT_PER_REMOTE", 1)
    posts.send(Request(1, "a"))
    with pytest.raises(Overloaded, match="it has 1 messages in flight"):
        posts.send(Request(2, "b"))
    monkeypatch.setattr(limits, "MAX_INFLIGHT_PER_REMOTE", 9)
    monkeypatch.setattr(limits, "MAX_OUTBOUND_BYTES", 60)
    with pytest.raises(Overloaded):
        posts.send(Request(2, "b"))


async def test_nothing_is_sent_after_the_end(nursery: trio.Nursery) -> None:
    """Nor what still waits."""
    server = Server()
    posts = Posts(server.post, who="it")
    posts.send(Request(1, "a"))
    posts.close("over")
    posts.close("again")
    posts.start(nursery)
    with pytest.raises(Gone, match="over"):
        posts.send(Request(2, "b"))
    await wait_all_tasks_blocked()
    assert server.taken == []


async def test_a_stateless_request_is_given_up_without_a_word(nursery: trio.Nursery) -> None:
    """Before its answer and after; once requests are stateful again, the server is told again."""
    server = Server()
    posts = Posts(server.post, who="it")
    posts.start(nursery)
    posts.send(Request(1, "hang"), stateless=True)
    await wait_all_tasks_blocked()
    posts.send(cancelled(1))
    await wait_all_tasks_blocked()
    posts.send(cancelled(1))
    await wait_all_tasks_blocked()
    assert server.given_up == 1
    assert server.taken == ["hang"]
    posts.send(Request(2, "quick"))
    posts.send(cancelled(2))
    await wait_all_tasks_blocked()
    assert "notifications/cancelled" in server.taken
