"""Clients not written here, behind one face: a list of steps in, a list of outcomes out.

An outcome is `{"result": …}` as the protocol spells it, or `{"error": message}`. Must not know what a step means.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from tests.clients import client_venv, node_programs, node_project

Transport = Literal["stdio", "sse", "streaming"]
Step = tuple[str, Mapping[str, Any]]
Outcome = Mapping[str, Any]

TRANSPORTS: Final[tuple[Transport, ...]] = ("stdio", "sse", "streaming")
_FOLDER: Final = Path(__file__).parent
_DEADLINE_S: Final = 60.0
_CONNECT_MS: Final = "60000"
"""Its own patience of 15 s is too short for a machine with better things to do."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """How a client reaches the gateway: it starts one itself (stdio), or connects to a URL."""

    transport: Transport
    command: tuple[str, ...] = ()
    environ: Mapping[str, str] = {}
    url: str = ""
    token: str = ""


class Python:
    """The Python SDK."""

    def __init__(self, requirement: str) -> None:
        self._requirement = requirement

    def do(self, target: Target, steps: Sequence[Step]) -> list[Outcome]:
        """All steps in one session."""
        python = client_venv(self._requirement)
        return _run([str(python), "-I", str(_FOLDER / "python_client.py")], target, steps)


class Node:
    """The TypeScript SDK."""

    def do(self, target: Target, steps: Sequence[Step]) -> list[Outcome]:
        """All steps in one session."""
        folder = node_project(["@modelcontextprotocol/sdk@1.32.2"])
        # Node looks for packages beside the script, wherever it is started.
        script = folder / "node_client.mjs"
        source = _FOLDER / "node_client.mjs"
        if not script.exists() or script.read_bytes() != source.read_bytes():
            partial = script.with_suffix(f".{os.getpid()}")
            shutil.copyfile(source, partial)
            partial.replace(script)
        return _run([str(node_programs() / "node"), str(script)], target, steps)


class Inspector:
    """The inspector's command line: a process, and a session, for each step. `flags` go with each."""

    def __init__(self, *flags: str) -> None:
        self._flags = flags

    def do(self, target: Target, steps: Sequence[Step]) -> list[Outcome]:
        """Each step in a session of its own."""
        return [self._step(target, method, params) for method, params in steps]

    def _step(self, target: Target, method: str, params: Mapping[str, Any]) -> Outcome:
        folder = node_project(["@modelcontextprotocol/inspector@2.12.0"])
        program = folder / "node_modules/@modelcontextprotocol/inspector/clients/launcher/build"
        command = [
            str(node_programs() / "node"),
            str(program / "index.js"),
            "--cli",
            *_inspector_words(target),
        ]
        command += ["--connect-timeout", _CONNECT_MS, *self._flags, "--method", method]
        if "name" in params:
            flag, more = (
                ("--tool-name", "--tool-arg")
                if method == "tools/call"
                else ("--prompt-name", "--prompt-args")
            )
            command += [flag, params["name"]]
            pairs = [f"{key}={_plain(value)}" for key, value in params.get("arguments", {}).items()]
            command += [more, *pairs] if pairs else []
        if "uri" in params:
            command += ["--uri", params["uri"]]
        done = subprocess.run(
            command,
            env={"PATH": f"{node_programs()}{os.pathsep}{os.environ['PATH']}", "HOME": str(folder)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_DEADLINE_S,
            check=False,
        )
        if done.returncode and not done.stdout.strip().startswith("{"):
            return {"error": done.stderr}
        return {"result": json.loads(done.stdout)}


PUBLISHED: Final[Mapping[str, Python | Node | Inspector]] = {
    "python-1": Python("mcp==1.30.0"),
    "python-2": Python("mcp==2.3.0"),
    "node": Node(),
    "inspector": Inspector(),
}


def _inspector_words(target: Target) -> list[str]:
    """How the inspector is told where the gateway is."""
    if target.transport == "stdio":
        pairs = [f"{name}={value}" for name, value in target.environ.items()]
        variables = [word for pair in pairs for word in ("-e", pair)]
        return [*variables, *target.command]
    path, kind = {"sse": ("/sse", "sse"), "streaming": ("/mcp", "http")}[target.transport]
    header = f"Authorization: Bearer {target.token}"
    return ["--server-url", target.url + path, "--transport", kind, "--header", header]


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _run(command: Sequence[str], target: Target, steps: Sequence[Step]) -> list[Outcome]:
    """Runs a client script."""
    task = {"target": msgspec.to_builtins(target), "steps": steps}
    done = subprocess.run(
        command,
        input=json.dumps(task),
        capture_output=True,
        text=True,
        timeout=_DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, f"the client failed:\n{done.stderr}"
    outcomes: list[Outcome] = json.loads(done.stdout)
    return outcomes
