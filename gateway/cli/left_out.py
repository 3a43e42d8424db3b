"""Which servers a list lacks, and why. Must not know what was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from gateway.catalog.model import EntryFault
from gateway.cli.output import note

TOLD_HERE: Final = frozenset({"server_ended", "list_failed"})
"""Events of the log that say the same."""


def left_out(faults: Iterable[EntryFault], unlisted: Mapping[str, str]) -> dict[str, str]:
    """The reason for each server, or file of servers, that clients would see and do not.

    Args:
        faults: what is broken as it is written.
        unlisted: whose lists could not be read, and why.
    """
    written = {fault.name: fault.reason for fault in faults if fault.enabled or fault.whole_file}
    return {**written, **unlisted}


def tell_left_out(reasons: Mapping[str, str]) -> None:
    """Says each in a line on stderr."""
    for name, reason in reasons.items():
        note(f"{name} is left out: {' '.join(reason.split())}")
