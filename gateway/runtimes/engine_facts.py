"""What an engine says, as our own records. Must not know how it was asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from gateway.runtimes.engine_http import Refused


class Found(msgspec.Struct, frozen=True):
    """A container that carries our labels."""

    id: str
    name: str
    home_id: str
    instance_id: str
    server: str
    state: str


class PullProgress(msgspec.Struct, frozen=True):
    """How far the pull of `image` is. Bytes are those of the layers seen so far."""

    image: str
    status: str
    done_bytes: int = 0
    total_bytes: int = 0


class EngineFacts(msgspec.Struct, frozen=True):
    """What the engine says of itself. `kernel`: the release of the one that its containers run on."""

    version: str
    api_version: str
    maps_users: bool
    kernel: str = ""


class PullEvents:
    """Adds up the engine's events of one pull."""

    def __init__(self, image: str) -> None:
        self._image = image
        # Bytes done and in all, by layer.
        self._layers: dict[str, tuple[int, int]] = {}

    def of(self, events: Iterable[Mapping[str, Any]]) -> Iterator[PullProgress]:
        """Progress, event by event.

        Raises:
            Refused: the pull failed.
        """
        for event in events:
            if "error" in event:
                raise Refused(0, str(event["error"]))
            detail = event.get("progressDetail") or {}
            if "total" in detail:
                self._layers[event.get("id", "")] = (detail.get("current", 0), detail["total"])
            yield PullProgress(
                image=self._image,
                status=str(event.get("status", "")),
                done_bytes=sum(done for done, _ in self._layers.values()),
                total_bytes=sum(total for _, total in self._layers.values()),
            )
