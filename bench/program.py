"""The gateway as a program: how it is called, and the homes it is called with. Must not know what is measured."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bench.errors import Broken
from bench.load import mcp
from bench.load.lines import LineClient
from bench.load.pipes import Pipes, running
from gateway.runtimes.container_config import HOME_LABEL

ROOT: Final = Path(__file__).parent.parent
"""The source tree."""
_ZIPAPP: Final = ROOT / "mcpgw.pyz"
_TOOLS_PER_SERVER: Final = 10
_LIST_S: Final = 180.0
"""Until 50 servers have been listed for the first time: an engine starts 3–5 containers a second."""
_POLL_S: Final = 0.2
_IDLE_S: Final = 900
"""Containers stay for the whole run: what is measured are warm calls."""

_CATALOG: Final = """\
version: 3
name: bench
displayName: Bench
registry:
"""
_ENTRY: Final = """\
  {name}:
    type: server
    title: {name}
    description: Sends back what it gets.
    image: {image}
    command: ["--tools={name}"]
    disableNetwork: true
    pool: {{ {pool} }}
"""


class Program:
    """The zipapp where it is built, else the source tree; both under the interpreter that runs the harness.

    Args:
        sources: a source tree to run instead.
    """

    def __init__(self, sources: Path | None = None) -> None:
        zipped = sources is None and _ZIPAPP.exists()
        self.form = "zipapp" if zipped else "source tree"
        start = (str(_ZIPAPP),) if zipped else ("-m", "gateway.cli")
        self._command = (sys.executable, *start)
        self._sources = sources or ROOT
        self.token = secrets.token_hex(16)

    def flags(self) -> str:
        """What `gateway run --help` explains."""
        return subprocess.run(
            [*self._command, "gateway", "run", "--help"],
            cwd=self._sources,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    def version(self) -> str:
        """What it says of itself."""
        said = subprocess.run(
            [*self._command, "version"],
            cwd=self._sources,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        return f"{next((word for word in said if word[:1].isdigit()), '?')} ({self.form})"

    def run(self, *options: str) -> tuple[str, ...]:
        """The command that serves all servers of the home."""
        return (*self._command, "gateway", "run", "--enable-all-servers", *options)

    def environment(self, home: GatewayHome) -> Mapping[str, str]:
        """The environment that goes with it."""
        return {
            **os.environ,
            "MCPGW_HOME": str(home.root),
            "MCP_GATEWAY_AUTH_TOKEN": self.token,
            "PYTHONPATH": str(self._sources),
            # Else the folder that the harness was started in comes first, which is mostly a source tree as well.
            "PYTHONSAFEPATH": "1",
        }


class GatewayHome:
    """A home folder of some echo servers; `pool` is more for each entry's `pool:`, as YAML between braces."""

    def __init__(self, root: Path, image: str, servers: int, pool: str = "") -> None:
        self.root = root
        self.tools = servers * _TOOLS_PER_SERVER
        catalogs = root / "catalogs"
        catalogs.mkdir(parents=True)
        pooling = f"idle_s: {_IDLE_S}, {pool}".rstrip(", ")
        entries = (
            _ENTRY.format(name=f"server{number:02}", image=image, pool=pooling)
            for number in range(servers)
        )
        (catalogs / "docker-mcp.yaml").write_text(_CATALOG + "".join(entries), encoding="utf-8")

    @property
    def was_used(self) -> bool:
        """Whether a gateway has run with it, and so may have started containers."""
        return (self.root / "run" / "id").exists()

    @property
    def label(self) -> str:
        """The label of all containers of this home."""
        return f"{HOME_LABEL}={(self.root / 'run' / 'id').read_text(encoding='ascii').strip()}"


def fill_lists(program: Program, home: GatewayHome) -> None:
    """Runs the gateway until it has listed every server of the home, so that the next start finds all lists.

    Raises:
        Broken: some list did not come.
    """
    with running(program.run(), program.environment(home)) as process:
        client = LineClient(Pipes(process))
        client.initialize()
        deadline = time.monotonic() + _LIST_S
        while (known := len(mcp.tool_names(client.tools()))) < home.tools:
            if time.monotonic() > deadline:
                raise Broken(f"only {known} of {home.tools} tools were listed in {_LIST_S:.0f} s")
            time.sleep(_POLL_S)
