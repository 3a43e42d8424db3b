"""Which servers are enabled, and which of their tools: flags, registry and tools.yaml. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from gateway.catalog.merge import find_entry, suggest
from gateway.catalog.model import EntryFault, Origin, ServerEntry
from gateway.catalog.server_config import canonical
from gateway.catalog.settings import Registry, ToolLists

EVERY: Final = "*"
NOTHING_ENABLED: Final = "no server is enabled: run `mcpgw server enable NAME`, or say --servers NAME or --enable-all-servers"


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line and the registry enable.

    `servers` (flag `--servers`) beats `everything` (`--enable-all-servers`, or an empty home), which beats
    `registry`. `tools` (flag `--tools`) replaces `tool_lists`.
    """

    servers: tuple[str, ...] = ()
    everything: bool = False
    registry: Registry = Registry()
    tools: tuple[str, ...] = ()
    tool_lists: ToolLists = ToolLists()


class Selected(msgspec.Struct, frozen=True):
    """The enabled entries, in catalog order."""

    entries: tuple[ServerEntry, ...]
    faults: tuple[EntryFault, ...] = ()
    notes: tuple[str, ...] = ()


def select_servers(
    entries: Mapping[str, ServerEntry], broken: frozenset[str], selection: Selection
) -> Selected:
    """The entries that clients will see.

    A name that is in no catalog is a fault where the command line says it, a note where the registry does; a name
    whose entry is `broken` has its fault already.
    """
    if not selection.servers and selection.everything:
        return Selected(tuple(entries.values()))
    faults: list[EntryFault] = []
    notes: list[str] = []
    wanted: set[str] = set()
    for name in selection.servers or selection.registry.servers:
        entry = find_entry(entries, name)
        if entry is not None:
            wanted.add(entry.name)
        elif name not in broken:
            reason = f"no catalog has a server of that name{suggest(entries, name)}"
            if selection.servers:
                faults.append(EntryFault(name, Origin("--servers"), reason, enabled=True))
            else:
                notes.append(f"{name}: enabled, but {reason}")
    if entries and not selection.servers and not selection.registry.servers:
        notes.append(NOTHING_ENABLED)
    chosen = tuple(entry for name, entry in entries.items() if name in wanted)
    return Selected(chosen, tuple(faults), tuple(notes))


def is_wanted(name: str, selection: Selection) -> bool:
    """Whether an entry of that name is to be seen by clients, whether it can be or not."""
    if not selection.servers and selection.everything:
        return True
    wanted = selection.servers or selection.registry.servers
    return canonical(name) in {canonical(one) for one in wanted}


def allowed_tools(entry: ServerEntry, selection: Selection) -> frozenset[str] | None:
    """The casefolded names of the tools that are let through, None for all.

    `--tools` knows `*`, `tool`, `server:tool`, `server:*`, `image:tool` and `image:*`, in any letter case.
    """
    if not selection.tools:
        listed = selection.tool_lists.of(entry.name)
        return None if listed is None else frozenset(name.casefold() for name in listed)
    owners = {entry.name.casefold(), entry.image.casefold(), _bare_image(entry.image).casefold()}
    allowed: set[str] = set()
    for item in selection.tools:
        owner, colon, tool = item.strip().casefold().rpartition(":")
        if not colon or owner in owners - {""}:
            allowed.add(tool)
    return None if EVERY in allowed else frozenset(allowed)


def _bare_image(image: str) -> str:
    """The image without digest and tag."""
    name = image.partition("@")[0]
    folder, slash, last = name.rpartition("/")
    return folder + slash + last.partition(":")[0]
