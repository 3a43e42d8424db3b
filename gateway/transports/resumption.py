"""The event streams of all sessions that a client may come back to, by the ids of their events.

Must not know HTTP. Nothing runs here: what has been kept for long enough goes when the next stream comes or ends.

Source: MCP 2025-11-25, base protocol, transports, "Resumability and Redelivery".
"""

from __future__ import annotations

import re
from itertools import count
from typing import Final

import trio

from gateway import limits
from gateway.errors import ClientFault
from gateway.mcp import versions
from gateway.ports import ClientSession
from gateway.telemetry.refusals import refused
from gateway.transports.backlog import Backlog
from gateway.transports.event_feed import EventFeed

_PRIMED: Final = frozenset(row.name for row in versions.VERSIONS if row.primed_streams)
"""Revisions whose clients take an event without data."""

_EVENT_ID: Final = re.compile(r"([sc][0-9]{1,15})-([0-9]{1,15})", re.ASCII)
"""A stream's name and the number of an event. Standing streams begin with `s`, those of calls with `c`."""


class Resumption:
    """Streams by session and name. A session has at most one standing stream at a time, and one for each call."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._feeds: dict[str, dict[str, EventFeed]] = {}
        self._standing: dict[str, EventFeed] = {}
        self._ended: dict[EventFeed, tuple[str, float]] = {}
        """Streams that wait to be forgotten, the oldest first: whose they are, and when it is time."""
        self._ended_bytes = 0

    def __repr__(self) -> str:
        """How much there is."""
        streams = sum(map(len, self._feeds.values()))
        return f"<Resumption {streams} streams, {len(self._ended)} ended with {self._ended_bytes} bytes>"

    def open_call(self, session: ClientSession) -> tuple[EventFeed, Backlog]:
        """A stream for one call of that session, and its first reader; kept for a while after its end."""
        feed = self._open(session, "c")
        return feed, feed.read_on()

    def open_standing(self, session: ClientSession) -> EventFeed:
        """A stream for what belongs to no call; `forget` it when its client does not come back."""
        feed = self._standing[session.id] = self._open(session, "s")
        return feed

    def standing(self, session: ClientSession) -> EventFeed | None:
        """The session's standing stream, None where there is none."""
        return self._standing.get(session.id)

    def find(self, session: ClientSession, event_id: str) -> tuple[EventFeed | None, int]:
        """The stream that an event was on, and the event's number there.

        None stands for a standing stream that is kept no more: a new one is as good.

        Raises:
            ClientFault: no stream here gave that id, or it was a call's that is kept no more.
        """
        self._trim()
        match = _EVENT_ID.fullmatch(event_id)
        if match is not None:
            feed = self._feeds.get(session.id, {}).get(match[1])
            if feed is not None or match[1].startswith("s"):
                return feed, int(match[2])
            refused("to_clients.RESUME_KEEP_S")
        raise ClientFault(
            "there is no stream of that Last-Event-ID in this session (any more): send the request again"
        )

    def forget(self, session: ClientSession, feed: EventFeed) -> None:
        """Gives up one stream."""
        self._remove(session.id, feed)

    def forget_session(self, session: ClientSession) -> None:
        """Gives up all streams of a session."""
        for feed in list(self._feeds.get(session.id, {}).values()):
            self._remove(session.id, feed)

    def _open(self, session: ClientSession, kind: str) -> EventFeed:
        self._trim()
        session_id = session.id
        feed = EventFeed(
            f"{kind}{next(self._numbers)}",
            primed=is_primed(session),
            on_end=lambda feed: self._keep(session_id, feed),
        )
        self._feeds.setdefault(session_id, {})[feed.name] = feed
        return feed

    def _keep(self, session_id: str, feed: EventFeed) -> None:
        """Takes note that a stream has ended."""
        if feed.name in self._feeds.get(session_id, {}):
            self._ended[feed] = (session_id, trio.current_time() + limits.RESUME_KEEP_S)
            self._ended_bytes += feed.kept_bytes
            self._trim()

    def _trim(self) -> None:
        """Forgets ended streams: those whose time has come, and the oldest while there is too much."""
        now = trio.current_time()
        while self._ended:
            feed, (session_id, due) = next(iter(self._ended.items()))
            if (
                due > now
                and self._ended_bytes <= limits.RESUME_ENDED_BYTES
                and len(self._ended) <= limits.RESUME_ENDED_STREAMS
            ):
                return
            self._remove(session_id, feed)

    def _remove(self, session_id: str, feed: EventFeed) -> None:
        if self._ended.pop(feed, None) is not None:
            self._ended_bytes -= feed.kept_bytes
        feeds = self._feeds.get(session_id, {})
        feeds.pop(feed.name, None)
        if not feeds:
            self._feeds.pop(session_id, None)
        if self._standing.get(session_id) is feed:
            del self._standing[session_id]


def is_primed(session: ClientSession) -> bool:
    """Whether the session's client can resume a stream from its first moment on."""
    return session.protocol_version in _PRIMED
