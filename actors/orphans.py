"""Subscriptions whose server died, or was replaced, before their owner gave them up: kept for the owner's next one.

Must not start anything; it says who needs a server, and since when one may be started.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import msgspec
import trio

from actors.call import Answer, Call
from actors.container import Container
from actors.kit.backoff import Backoff
from actors.reports import Reports
from gateway import limits
from gateway.jsonrpc.messages import Notification
from gateway.mcp import params
from gateway.mcp.profile import ClientProfile
from gateway.telemetry.log import get_logger

log = get_logger("pool")


class Orphan(msgspec.Struct, frozen=True):
    """What one owner subscribed to: `uris` are JSON texts. `due` is when a server may be started for it, on trio's clock."""

    owner: str
    profile: ClientProfile
    uris: frozenset[bytes]
    due: float


class Orphans:
    """The subscriptions of one server that nobody sees to.

    Args:
        random: jitter of the pauses: a server that dies of a subscription must not be started for it without end.
        reports: where clients are told of changes.
    """

    def __init__(self, random: Random, reports: Reports) -> None:
        self._reports = reports
        self._of: dict[str, Orphan] = {}
        self._backoff = Backoff(
            limits.RESTART_BACKOFF_S, limits.START_BACKOFF_CAP_S, random, limits.RESTART_CALM_S
        )

    def __repr__(self) -> str:
        """How many owners there are."""
        return f"<Orphans of {len(self)} owners>"

    def __len__(self) -> int:
        """How many owners wait."""
        return len(self._of)

    def __iter__(self) -> Iterator[Orphan]:
        """All of them."""
        return iter(tuple(self._of.values()))

    def keep(self, owner: str, profile: ClientProfile, uris: set[bytes]) -> None:
        """An owner's server is gone, and with it what it was subscribed to."""
        due = trio.current_time() + self._backoff.next_s()
        known = self._of.get(owner)
        kept = frozenset(uris) if known is None else known.uris | uris
        self._of[owner] = Orphan(owner, profile, kept, due)

    def hand_over(self, container: Container, owner: str) -> None:
        """Asks an owner's new server for what its last one was asked for."""
        orphan = self._of.pop(owner, None)
        if orphan is None:
            return
        for uri in sorted(orphan.uris):
            container.start(
                Call(
                    "resources/subscribe",
                    {"uri": msgspec.Raw(uri)},
                    server=container.server.name,
                    owner=owner,
                    timeout_s=container.server.pooling.timeout_s,
                    profile=container.life.profile,
                    settled=self._subscribed,
                    relayed=lambda _call, _message: None,
                )
            )

    def drop(self, owner: str) -> None:
        """The owner left, or wants nothing any more."""
        self._of.pop(owner, None)

    def _subscribed(self, call: Call, answer: Answer | None) -> None:
        """The resource may have changed while nobody could tell: its client is told to look."""
        if isinstance(answer, msgspec.Raw):
            updated = Notification("notifications/resources/updated", params.pack(call.fields))
            self._reports.notified(call.owner, call.server, updated)
        else:
            log.debug("not_subscribed_again", server=call.server, answer=answer)
