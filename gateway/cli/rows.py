"""How the servers of a snapshot look in a table. Pure; must not know any command."""

from __future__ import annotations

from typing import Literal

import msgspec

from gateway.catalog.model import (
    ContainerLaunch,
    EnabledServer,
    EntryFault,
    PociLaunch,
    ProcessLaunch,
    RemoteLaunch,
    ServerEntry,
    Snapshot,
)
from gateway.cli.output import table

Kind = Literal["container", "process", "remote", "poci", ""]


class ServerRow(msgspec.Struct, frozen=True, kw_only=True):
    """One server in `server list`. `state` is "ok", "disabled" or "broken"; `reason` says why with file and line."""

    name: str
    enabled: bool
    kind: Kind
    image: str
    title: str
    state: Literal["ok", "disabled", "broken"]
    reason: str = ""
    source: str = ""


def server_rows(snapshot: Snapshot) -> tuple[ServerRow, ...]:
    """All servers: the enabled ones in catalog order, then what is broken, then what could be enabled."""
    broken = {fault.name: fault for fault in snapshot.faults}
    enabled = [_enabled(server) for name, server in snapshot.servers.items() if name not in broken]
    faulty = [_broken(fault, snapshot) for fault in snapshot.faults]
    shown = snapshot.servers.keys() | broken.keys()
    rest = [_available(entry) for name, entry in snapshot.available.items() if name not in shown]
    return (*enabled, *faulty, *rest)


def rows_table(rows: tuple[ServerRow, ...]) -> str:
    """The rows for people."""
    cells = [
        (row.name, "yes" if row.enabled else "no", row.kind or "-", row.image or "-", _state(row))
        for row in rows
    ]
    return table(("NAME", "ENABLED", "KIND", "IMAGE", "STATE"), cells)


def enabled_table(snapshot: Snapshot) -> str:
    """What clients would see, and what is broken, for people."""
    return rows_table(tuple(row for row in server_rows(snapshot) if row.state != "disabled"))


def launch_kind(server: EnabledServer) -> Kind:
    """How an enabled server runs."""
    match server.launch:
        case ContainerLaunch():
            return "container"
        case ProcessLaunch():
            return "process"
        case RemoteLaunch():
            return "remote"
        case PociLaunch():
            return "poci"


def entry_kind(entry: ServerEntry) -> Kind:
    """How an entry would run where an engine is in reach."""
    if entry.image:
        return "container"
    if entry.remote is not None:
        return "remote"
    return "poci" if entry.poci else "process"


def entry_image(entry: ServerEntry) -> str:
    """What a person recognises the server by: its image, its URL or its command."""
    if entry.image:
        return entry.image
    if entry.remote is not None:
        return entry.remote.url
    if entry.poci:
        return entry.poci[0].image
    return " ".join(entry.process.command) if entry.process is not None else ""


def _enabled(server: EnabledServer) -> ServerRow:
    kind = launch_kind(server)
    process = server.entry.process
    image = (
        " ".join(process.command) if kind == "process" and process else entry_image(server.entry)
    )
    return ServerRow(
        name=server.name,
        enabled=True,
        kind=kind,
        image=image,
        title=server.entry.title,
        state="ok",
        source=str(server.entry.origin),
    )


def _broken(fault: EntryFault, snapshot: Snapshot) -> ServerRow:
    entry = snapshot.available.get(fault.name)
    where = str(fault.origin)
    return ServerRow(
        name=fault.name or where,
        # A fault of a settings file leaves the server as it is without that setting.
        enabled=fault.enabled or fault.name in snapshot.servers,
        kind="" if entry is None else entry_kind(entry),
        image="" if entry is None else entry_image(entry),
        title="" if entry is None else entry.title,
        state="broken",
        reason=f"{where}: {fault.reason}" if where else fault.reason,
        source=where,
    )


def _available(entry: ServerEntry) -> ServerRow:
    return ServerRow(
        name=entry.name,
        enabled=False,
        kind=entry_kind(entry),
        image=entry_image(entry),
        title=entry.title,
        state="disabled",
        source=str(entry.origin),
    )


def _state(row: ServerRow) -> str:
    return f"broken: {row.reason}" if row.state == "broken" else row.state
