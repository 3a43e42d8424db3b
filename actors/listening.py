"""What a modern server tells unasked: changed lists, and changed resources that somebody subscribed to.

One subscription for each running server; it is renewed where more, or less, is wanted, the old one staying until the
new one is acknowledged, so that nothing is missed. Must not know who hears of it.

Source: MCP 2026-07-28, basic, patterns, "Subscriptions".
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import msgspec
import trio

from actors.call import Answer, Call
from actors.kit.backoff import Backoff
from actors.own_requests import OURSELVES
from actors.upstream import Upstream
from gateway import limits
from gateway.errors import GatewayError
from gateway.jsonrpc.codec import raw
from gateway.jsonrpc.messages import Failure, Id, Notification
from gateway.mcp import capabilities, listen
from gateway.telemetry.log import get_logger
from gateway.telemetry.refusals import refused

log = get_logger("listening")

_METHOD_NOT_FOUND = -32601
_decode_uri = msgspec.json.Decoder(str).decode


class Listening:
    """The subscription at one running server.

    Args:
        upstream: a modern server, greeted.
        missed: told where a subscription had lapsed: something may have changed meanwhile.
    """

    def __init__(self, upstream: Upstream, *, missed: Callable[[], None]) -> None:
        self._upstream = upstream
        self._missed = missed
        offered = upstream.hello.capabilities if upstream.hello is not None else {}
        self._lists = {
            kind: capabilities.tells_changes(offered, kind)
            for kind in ("tools", "prompts", "resources")
        }
        self._uris: dict[str, None] = {}
        self._pending: list[Call] = []
        """`resources/subscribe` and its opposite, until the server has acknowledged what they ask for."""
        self._opened: Id | None = None
        """The subscription that is acknowledged."""
        self._asked: Id | None = None
        """The one that is not yet."""
        self._changed = trio.Event()
        self._answered = trio.Event()
        self._refused: Failure | None = None
        """What the server says that cannot be subscribed to; None where it can."""
        self._lapsed = False
        self._backoff = Backoff(
            limits.START_BACKOFF_S,
            limits.START_BACKOFF_CAP_S,
            Random(),  # noqa: S311 -- jitter, not secrecy
            limits.START_BACKOFF_CAP_S,
        )
        if any(self._lists.values()):
            self._changed.set()

    def __repr__(self) -> str:
        """What it listens to."""
        return f"<Listening {self._upstream.server} uris={len(self._uris)} {self._opened}>"

    def take(self, call: Call) -> None:
        """Serves a `resources/subscribe`, or `resources/unsubscribe`, of a legacy client: the subscription is renewed."""
        try:
            uri = _decode_uri(call.fields["uri"])
        except (KeyError, msgspec.DecodeError):
            call.settle(Failure(None, -32602, "params.uri must be a string."))
            return
        if self._refused is not None:
            call.settle(self._refused)
            return
        if call.method == "resources/subscribe":
            if len(self._uris) >= limits.MAX_SUBSCRIBED_URIS:
                refused("from_clients.MAX_SUBSCRIBED_URIS")
                call.settle(Failure(None, -32000, "too many resources are subscribed to"))
                return
            self._uris[uri] = None
        else:
            self._uris.pop(uri, None)
        self._pending.append(call)
        self._changed.set()

    def acknowledged(self, notification: Notification) -> None:
        """The server has said what it will tell of."""
        try:
            if listen.subscription_of(notification) != self._asked:
                return
        except GatewayError as error:
            log.debug("bad_acknowledgement", reason=str(error))
            return
        old, self._opened, self._asked = self._opened, self._asked, None
        if old is not None:
            self._upstream.unsubscribe(old)
        self._backoff.reset()
        self._settle_pending(raw({}))
        self._answered.set()

    async def run(self) -> None:
        """Keeps the subscription as it should be, until cancelled, or the server cannot have one."""
        while self._refused is None:
            await self._changed.wait()
            if self._lapsed:
                await trio.sleep(self._backoff.next_s())
                self._lapsed = False
                self._missed()
            self._changed = trio.Event()
            self._answered = trio.Event()
            self._subscribe()
            with trio.move_on_after(limits.LISTEN_ACK_S) as patience:
                await self._answered.wait()
            if patience.cancelled_caught:
                # It may be one that acknowledges nothing, and tells nevertheless.
                self._settle_pending(raw({}))

    def _subscribe(self) -> None:
        """Asks for all that is wanted now."""
        if self._asked is not None:
            self._upstream.unsubscribe(self._asked)
        wanted = listen.Filter(
            tools=self._lists["tools"],
            prompts=self._lists["prompts"],
            resources=self._lists["resources"],
            uris=tuple(self._uris),
        )
        call = Call(
            listen.METHOD,
            listen.listen_params(wanted),
            server=self._upstream.server,
            owner="",
            timeout_s=limits.CALL_TIMEOUT_S,
            settled=self._ended,
            relayed=lambda _call, _message: None,
            profile=OURSELVES,
        )
        self._asked = self._upstream.subscribe(call)

    def _ended(self, call: Call, answer: Answer | None) -> None:
        """A subscription is over: it was refused, or the server has ended it."""
        log.debug("subscription_ended", server=self._upstream.server, method=call.method)
        if self._opened is not None:
            self._upstream.unsubscribe(self._opened)
        self._opened = self._asked = None
        failure = answer if isinstance(answer, Failure) else None
        self._settle_pending(failure or raw({}))
        if failure is not None and failure.code == _METHOD_NOT_FOUND:
            self._refused = failure
        elif self._upstream.ended is None:
            self._lapsed = True
            self._changed.set()
        self._answered.set()

    def _settle_pending(self, answer: Answer | None) -> None:
        pending, self._pending = self._pending, []
        for call in pending:
            call.settle(answer)
