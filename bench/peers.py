"""Proxies from PyPI that do one part of what the gateway does: the same container behind another program.

Each is pinned, lives in a virtual environment of its own, kept between runs, and is called as its documentation says.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from bench.errors import NotHere
from tests.clients import client_venv

PEERS: Final[Mapping[str, str]] = {"mcp-proxy": "0.13.0", "fastmcp": "4.0.11"}
"""Newest versions at the time of the reference run."""


def peer_script(name: str) -> str:
    """The peer's command, installed at the first call.

    Raises:
        NotHere: pip cannot install it.
    """
    requirement = f"{name}=={PEERS[name]}"
    try:
        return str(client_venv(requirement).with_name(name))
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired, OSError) as error:
        raise NotHere(f"pip cannot install {requirement} here") from error


def mcp_proxy_command(server: Sequence[str], port: int) -> tuple[str, ...]:
    """`mcp-proxy` in front of a server's command; it serves `/mcp` and `/sse`."""
    return (peer_script("mcp-proxy"), "--host", "127.0.0.1", "--port", str(port), "--", *server)


def fastmcp_command(server: Sequence[str], folder: Path, *options: str) -> tuple[str, ...]:
    """`fastmcp run` with a client's configuration file, which makes a proxy of it."""
    program, *arguments = server
    config = folder / "mcp.json"
    entry = {"command": program, "args": arguments}
    config.write_text(json.dumps({"mcpServers": {"echo": entry}}), encoding="utf-8")
    return (peer_script("fastmcp"), "run", str(config), "--no-banner", *options)
