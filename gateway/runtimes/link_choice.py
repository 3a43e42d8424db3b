"""Which link a container gets: named pipes, or the engine's attach stream. Must not know how either works.

Named pipes need a kernel and a path that the engine shares with us, and a shell in the image. Only trying tells; what a
trial has told is kept: about the engine for our life, about an image for good (`Home.link`, which `server inspect` shows).
"""

from __future__ import annotations

import platform
from typing import Final

from gateway.catalog.model import ContainerLaunch
from gateway.errors import BackendError
from gateway.home import Home
from gateway.options import LinkMode
from gateway.runtimes.engine_facts import EngineFacts, ImageFacts
from gateway.runtimes.fifo_config import SHELL, why_no_shell
from gateway.runtimes.link_fifo import NotOpened
from gateway.runtimes.link_notes import LinkNote
from gateway.telemetry.log import get_logger

_log = get_logger("runtimes")
_NO_SHELL: Final = f"its image has no {SHELL}"


def why_not_here(facts: EngineFacts, *, in_container: bool, local: bool) -> str:
    """Why no container of that engine can share pipes with us, "" where that is worth a trial."""
    if in_container:
        return "the gateway itself runs in a container"
    if not local:
        return "the engine is on another machine"
    if facts.kernel != platform.release():
        return f"the engine runs in a virtual machine (kernel {facts.kernel})"
    return ""


class LinkChoice:
    """The choice for all containers of one gateway, and what was learned about it.

    What is learned comes as a note where it is new, for the caller to be saved.

    Args:
        home: where notes and pipes are kept.
        mode: what the operator asked for.
    """

    def __init__(self, home: Home, mode: LinkMode = "auto") -> None:
        self.home = home
        self.mode = mode
        # Why no container of this engine can; "" where one might.
        self._engine = ""
        # Why containers of that image cannot, by image id.
        self._images: dict[str, str] = {}
        # Whether any container ever has: then a failure says something about its image.
        self._worked = False
        # What is in the files, by server, as far as it was recalled or learned.
        self._notes: dict[str, LinkNote | None] = {}

    def knows(self, server: str) -> bool:
        """Whether `recall` was called for this server."""
        return server in self._notes

    def recall(self, server: str, note: LinkNote | None) -> None:
        """Takes what an earlier gateway noted."""
        self._notes.setdefault(server, note)
        if note is not None and note.image:
            self._images.setdefault(note.image, _NO_SHELL)

    def rule_out(self, why: str) -> None:
        """No container of this engine can."""
        self._engine = why

    def why_not_any(self) -> str:
        """Why no container at all gets named pipes, "" where some may."""
        return "switched off by --link attach" if self.mode == "attach" else self._engine

    def why_not(self, launch: ContainerLaunch, image: ImageFacts) -> str:
        """Why this one does not get them, "" where it is worth a trial."""
        return self._images.get(image.id, "") or why_no_shell(launch, image)

    def opened(self, server: str) -> LinkNote | None:
        """A container has opened its pipes."""
        self._worked = True
        return self._news(server, LinkNote("fifo"))

    def attached(self, server: str, why: str, image: ImageFacts | None) -> LinkNote | None:
        """A container was started without pipes, for a reason that was known before."""
        known = self._notes.get(server)
        without_shell = known.image if known is not None else ""
        if image is not None:
            without_shell = image.id if self._images.get(image.id) == _NO_SHELL else ""
        return self._news(server, LinkNote("attach", why, without_shell))

    def failed(self, server: str, image: ImageFacts, error: BackendError) -> LinkNote | None:
        """A trial failed where a start without pipes did not."""
        why = _NO_SHELL if SHELL in str(error) else str(error)
        died = isinstance(error, NotOpened) and error.died
        if why == _NO_SHELL or died or self._worked:
            self._images[image.id] = why
        else:
            self._engine = why
        _log.info("link_falls_back", server=server, reason=why)
        return self.attached(server, why, image)

    def _news(self, server: str, note: LinkNote) -> LinkNote | None:
        if self._notes.get(server) == note:
            return None
        self._notes[server] = note
        return note
