"""Servers that run as local processes: entries of a copy of the small C server, and which of them run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.e2e.places import Place

_PROGRAM = "echo-server"


def process_entry(place: Place, binary: Path, *arguments: str, **fields: object) -> dict[str, Any]:
    """An entry that runs a copy of the small C server, which no other test runs."""
    program = place.folder / _PROGRAM
    if not program.exists():
        program.write_bytes(binary.read_bytes())
        program.chmod(0o755)
    return {"process": {"command": [str(program), *arguments]}, **fields}


def echo_processes(place: Place) -> list[int]:
    """The processes that run this home's copy of the server."""
    program = str(place.folder / _PROGRAM).encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if words[0] == program:
            found.append(int(path.parent.name))
    return sorted(found)
