"""What an engine says, as our own records. Must not know how it was asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from gateway.runtimes.container_config import HOME_LABEL, INSTANCE_LABEL, SERVER_LABEL
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
    """What the engine says of itself.

    `kernel`: the release of the one that its containers run on; `architecture`: the processor's, in the engine's word.
    """

    version: str
    api_version: str
    maps_users: bool
    kernel: str = ""
    architecture: str = ""


class ImageFacts(msgspec.Struct, frozen=True):
    """What an image does when nothing is said. `env`: the names of its variables."""

    id: str
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    env: tuple[str, ...] = ()


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


def engine_facts(info: Mapping[str, Any], api_version: str) -> EngineFacts:
    """The answer to `GET /info`."""
    options = " ".join(info.get("SecurityOptions") or ())
    return EngineFacts(
        version=str(info.get("ServerVersion", "")),
        api_version=api_version,
        maps_users="name=rootless" in options or "name=userns" in options,
        kernel=str(info.get("KernelVersion", "")),
        architecture=str(info.get("Architecture", "")),
    )


def image_facts(inspected: Mapping[str, Any]) -> ImageFacts:
    """The answer to `GET /images/…/json`."""
    config = inspected.get("Config") or {}
    return ImageFacts(
        id=str(inspected["Id"]),
        entrypoint=tuple(config.get("Entrypoint") or ()),
        command=tuple(config.get("Cmd") or ()),
        env=tuple(line.partition("=")[0] for line in config.get("Env") or ()),
    )


def found_container(item: Mapping[str, Any]) -> Found:
    """An item of `GET /containers/json`."""
    names = item.get("Names") or [""]
    return _labelled(item, name=str(names[0]).lstrip("/"), state=str(item.get("State", "")))


def found_network(item: Mapping[str, Any]) -> Found:
    """An item of `GET /networks`."""
    return _labelled(item, name=item["Name"], state="")


def _labelled(item: Mapping[str, Any], *, name: str, state: str) -> Found:
    labels = item.get("Labels") or {}
    return Found(
        id=str(item["Id"]),
        name=name,
        home_id=labels.get(HOME_LABEL, ""),
        instance_id=labels.get(INSTANCE_LABEL, ""),
        server=labels.get(SERVER_LABEL, ""),
        state=state,
    )
