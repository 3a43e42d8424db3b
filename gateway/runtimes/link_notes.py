"""How each server's container was last reached, kept for `server inspect` and the next gateway. Blocking; no trio here."""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.home import Home, write_atomic
from gateway.telemetry.log import get_logger

_log = get_logger("runtimes")
_PRIVATE: Final = 0o600
_FORMAT: Final = 1  # count up when a note changes its meaning


class LinkNote(msgspec.Struct, frozen=True):
    """`link`: its kind. `why`: for what reason not over named pipes. `image`: the id of its image if that has no shell.

    `format` is absent in early ones.
    """

    link: str
    why: str = ""
    image: str = ""
    format: int = _FORMAT


def read_note(home: Home, server: str) -> LinkNote | None:
    """What the gateway that last ran a server noted; None where there is nothing, or only what a newer mcpgw understands."""
    try:
        note = msgspec.json.decode(home.link(server).read_bytes(), type=LinkNote)
    except (OSError, msgspec.DecodeError):
        return None
    return note if note.format <= _FORMAT else None


def save_note(home: Home, server: str, note: LinkNote) -> None:
    """Writes a note down; one that cannot be written is of no consequence."""
    try:
        write_atomic(home.link(server), msgspec.json.encode(note), mode=_PRIVATE)
    except OSError as error:
        _log.debug("link_not_noted", server=server, reason=str(error))
