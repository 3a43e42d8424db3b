"""The floor of bursts: sequential cold starts, each a container that is created, started, greeted and called once.

The engine's API on its own socket: the docker command line would add 50 ms to each request. Containers have no options that
cost time; the gateway's have.
"""

from __future__ import annotations

import http.client
import json
import socket
import time
from typing import Any, Final

from bench.engine import Engine, engine_socket
from bench.errors import Broken
from bench.floors.attach import attach
from bench.load.client import ANSWER_S
from bench.load.lines import LineClient

_CONFIG: Final[dict[str, Any]] = {
    "OpenStdin": True,
    "StdinOnce": True,
    "AttachStdin": True,
    "AttachStdout": True,
    "HostConfig": {"NetworkMode": "none", "LogConfig": {"Type": "none"}},
}


class _EngineConnection(http.client.HTTPConnection):
    """HTTP to the engine's socket."""

    def connect(self) -> None:
        """Connects to it."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(ANSWER_S)
        self.sock.connect(engine_socket())


def cold_start_s(engine: Engine) -> float:
    """Seconds from nothing to the first answer of a tool; the container is removed, which does not count."""
    name, _, value = engine.label.partition("=")
    config = {**_CONFIG, "Image": engine.image, "Labels": {name: value}}
    began = time.perf_counter()
    container = _ask("POST", "/containers/create", config)["Id"]
    try:
        with attach(container) as wire:
            _ask("POST", f"/containers/{container}/start")
            LineClient(wire).open()
            return time.perf_counter() - began
    finally:
        _ask("DELETE", f"/containers/{container}?force=1")


def _ask(method: str, path: str, body: object = None) -> dict[str, Any]:
    connection = _EngineConnection("engine")
    try:
        content = None if body is None else json.dumps(body)
        connection.request(method, path, content, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        said = answer.read()
    finally:
        connection.close()
    if answer.status >= http.client.BAD_REQUEST:
        raise Broken(f"the engine refuses {path}: {said.decode(errors='replace')}")
    return json.loads(said) if said else {}
