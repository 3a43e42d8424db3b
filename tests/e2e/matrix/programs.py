"""Runs a published client's program against targets. Must not know what the reports mean."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import msgspec

from tests.clients import client_venv, node_programs, node_project
from tests.e2e.matrix.cells import CLIENTS, Era, Step, Transport
from tests.e2e.published import Inspector
from tests.e2e.published import Target as Place

Report = Mapping[str, Any]
"""By step what came of it; `error` where it failed, of a step or of all. `revision` is what was agreed on."""

_FOLDER: Final = Path(__file__).parent
_DEADLINE_S: Final = 120.0
_LISTS: Final = ("tools", "prompts", "resources", "resource_templates")


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """How a client reaches what it is to try, and what it does there.

    `command` and `environ` start it, or it is at `url` and listens on all paths. `notes` is the folder where the server
    leaves a file called `label` when it is told to stop waiting.
    """

    transport: Transport
    steps: tuple[Step, ...]
    command: tuple[str, ...] = ()
    environ: Mapping[str, str] = {}
    url: str = ""
    notes: str = ""
    label: str = ""


def reports(client: str, era: Era, targets: Sequence[Target]) -> list[Report]:
    """One report per target; a program that does not report fails."""
    if CLIENTS[client].library == "inspector":
        with ThreadPoolExecutor() as pool:
            return list(pool.map(lambda target: _inspect(era, target), targets))
    task = {
        "library": CLIENTS[client].library,
        "era": era,
        "targets": [msgspec.to_builtins(target) for target in targets],
    }
    done = subprocess.run(
        _command(client),
        input=json.dumps(task),
        capture_output=True,
        text=True,
        timeout=_DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, f"the client failed:\n{done.stderr}"
    found: list[Report] = json.loads(done.stdout)
    return found


def _command(client: str) -> list[str]:
    package = CLIENTS[client].package
    if not package.startswith("@"):
        return [str(client_venv(package)), "-I", str(_FOLDER / "python_client.py")]
    # Node looks for packages beside the script, wherever it is started.
    folder = node_project([package])
    script = folder / "matrix_client.mjs"
    partial = script.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
    shutil.copyfile(_FOLDER / "node_client.mjs", partial)
    partial.replace(script)
    return [str(node_programs() / "node"), str(script)]


def _inspect(era: Era, target: Target) -> Report:
    """The inspector is a process for each request."""
    place = Place(
        transport=target.transport,
        command=target.command,
        environ=target.environ,
        url=target.url,
        token="none",
    )
    inspector = Inspector("--protocol-era", era)
    asked: list[tuple[str, Mapping[str, Any]]] = [
        ("tools/list", {}),
        ("prompts/list", {}),
        ("resources/list", {}),
        ("resources/templates/list", {}),
        ("tools/call", {"name": "test_multiple_content_types"}),
    ]
    *lists, call = inspector.do(place, asked)
    if fault := next((one["error"] for one in (*lists, call) if "error" in one), None):
        return {"error": fault}
    found = [next(iter(_without_meta(one["result"]).values())) for one in lists]
    return {
        "revision": None,
        "list": dict(zip(_LISTS, found, strict=True)),
        "call": call["result"],
    }


def _without_meta(result: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in result.items() if isinstance(value, list)}
