"""Many catalogs into one table: later ones win, and say so. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from gateway.catalog.model import EntryFault, ParsedCatalog, ServerEntry
from gateway.catalog.server_config import canonical


class Merged(msgspec.Struct, frozen=True):
    """Every usable entry by name, in the order of its first appearance."""

    entries: Mapping[str, ServerEntry]
    faults: tuple[EntryFault, ...] = ()
    notes: tuple[str, ...] = ()


def merge_catalogs(catalogs: Iterable[ParsedCatalog]) -> Merged:
    """Joins catalogs; an entry of a later one replaces its namesake and leaves a note."""
    entries: dict[str, ServerEntry] = {}
    faults: list[EntryFault] = []
    notes: list[str] = []
    for catalog in catalogs:
        faults.extend(catalog.faults)
        for entry in catalog.entries:
            if earlier := entries.get(entry.name):
                notes.append(
                    f"{entry.name}: {entry.origin.source} overrides {earlier.origin.source}"
                )
            entries[entry.name] = entry
    return Merged(entries, tuple(faults), tuple(notes))


def find_entry(entries: Mapping[str, ServerEntry], name: str) -> ServerEntry | None:
    """The entry of that name, dots and underscores being one."""
    if name in entries:
        return entries[name]
    wanted = canonical(name)
    return next((entry for key, entry in entries.items() if canonical(key) == wanted), None)


def suggest(entries: Iterable[str], name: str) -> str:
    """`"; did you mean x?"` where a name resembles one, else ""."""
    import difflib  # noqa: PLC0415 - lazy: only a name that is wrong needs it

    close = difflib.get_close_matches(name, entries, n=1)
    return f"; did you mean {close[0]}?" if close else ""
