"""Synthetic catalogs, whose entries together use every field of the format, and home folders to put them in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway.catalog.document import write_document
from gateway.catalog.model import Snapshot
from gateway.configuration import load_snapshot
from gateway.options import GatewayOptions


class HomeFolder:
    """A home folder with files, and the options to load it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, name: str, text: str) -> Path:
        """Writes a file of the home."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def options(self, **changes: Any) -> GatewayOptions:
        """Options for this home; nothing is read from the machine's own secrets."""
        return GatewayOptions(home=str(self.root), **{"secrets": "docker-desktop", **changes})

    def load(self, environ: Mapping[str, str] | None = None, **changes: Any) -> Snapshot:
        """The snapshot."""
        engine = changes.pop("engine_in_reach", None)
        return load_snapshot(self.options(**changes), environ or {}, engine_in_reach=engine)


def catalog_text(count: int) -> bytes:
    """A catalog file of `count` entries that take turns in their kinds, as YAML."""
    makers = (_container, _remote, _poci, _process)
    registry = {f"server-{index}": makers[index % len(makers)](index) for index in range(count)}
    document = {"version": 3, "name": "corpus", "displayName": "Corpus", "registry": registry}
    return write_document(document)


def _container(index: int) -> dict[str, Any]:
    name = f"server-{index}"
    return {
        "name": name,
        "type": "server",
        "title": f"Server {index}",
        "description": "Does things. " * 20,
        "icon": "https://example.com/icon.png",
        "readme": "https://example.com/readme",
        "dateAdded": "2025-05-01T00:00:00Z",
        "prompts": 0,
        "resources": {"limits": {"memory": "512M", "cpu": "0.5", "pids": 100}},
        "image": f"mcp/{name}@sha256:{index:064x}",
        "command": [
            "--transport",
            "stdio",
            f"--url={{{{{name}.url}}}}",
            f"{{{{{name}.paths|into}}}}",
        ],
        "volumes": ["cache:/cache", f"{{{{{name}.paths|volume|into}}}}"],
        "user": f"{{{{{name}.user}}}}",
        "env": [
            {"name": "URL", "value": f"{{{{{name}.url}}}}"},
            {"name": "COPY", "value": "${TOKEN}"},
        ],
        "secrets": [
            {"name": f"{name}.token", "env": "TOKEN", "example": "abc", "description": "A token"}
        ],
        "disableNetwork": index % 3 == 0,
        "allowHosts": ["api.example.com:443"],
        "extraHosts": ["db:10.0.0.1"],
        "longLived": index % 5 == 0,
        "prefix": "pre" if index % 7 == 0 else "",
        "caps": ["SYS_PTRACE"],
        "pool": {"isolation": "session", "warm": 1, "max": 4, "idle_s": 30, "timeout_s": 90.5},
        "oauth": {"providers": [{"provider": "github", "secret": f"{name}.token", "env": "TOKEN"}]},
        "tools": [
            {"name": f"tool_{number}", "description": "A tool. " * 10} for number in range(6)
        ],
        "config": [
            {
                "name": name,
                "description": "Configure it",
                "type": "object",
                "properties": {
                    "url": {"type": "string", "default": "https://example.com"},
                    "paths": {"type": "array", "items": {"type": "string"}, "default": ["/tmp/a"]},
                    "user": {"type": "string"},
                },
                "required": ["url"],
            }
        ],
        "metadata": {"pulls": index, "stars": 1, "tags": ["a", "b"], "license": "MIT"},
    }


def _remote(index: int) -> dict[str, Any]:
    transport = ("streamable-http", "sse", "http")[index % 3]
    return {
        "type": "remote",
        "description": "Elsewhere",
        "remote": {
            "url": f"https://mcp{index}.example.com/mcp",
            "transport_type": transport,
            "headers": {"Authorization": "Bearer ${KEY}"},
        },
        "secrets": [{"name": f"server-{index}.key", "env": "KEY", "required": False}],
        "dynamic": {"tools": True},
    }


def _poci(index: int) -> dict[str, Any]:
    return {
        "type": "poci",
        "description": "One container a call",
        "tools": [
            {
                "name": f"convert_{index}_{number}",
                "description": "Converts a file",
                "container": {
                    "image": "mcp/convert:1",
                    "command": ["{{args|into}}"],
                    "volumes": ["{{folder|volume}}"],
                    "user": "1000",
                },
                "parameters": {
                    "type": "object",
                    "properties": {"args": {"type": "array", "items": {"type": "string"}}},
                    "required": ["args"],
                },
            }
            for number in range(3)
        ],
    }


def _process(index: int) -> dict[str, Any]:
    return {
        "description": "A local process",
        "process": {
            "command": ["uvx", f"mcp-server-{index}"],
            "env": {"MODE": "stdio"},
            "cwd": "work",
        },
        "unknown": {"future": [1, 2, 3]},
    }
