"""What all cells share, and what stands on the stage in one of them: homes, gateways, servers, a client, a witness.

Must not know faults.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import docker

from gateway.runtimes.container_config import HOME_LABEL, SERVER_LABEL
from tests.e2e.gateways import Network, await_true
from tests.e2e.places import Place
from tests.faults.caller import Caller
from tests.faults.door import Door
from tests.faults.engine import OwnEngine
from tests.images.echo import echo_image

_HERE: Final = Path(__file__).parent
INIT_TIMEOUT_S: Final = 6.0
IDLE_S: Final = 2.0
INIT_MS: Final = 2000
"""What a server takes for its handshake where the fault shall meet it there: a busy engine may not show it for a second."""
LIST_MS: Final = 3500
"""The same for its lists; clients' lists wait for 5 s."""
SOON_S: Final = 20.0
"""Until something that is certain to come has come, on two busy cores."""


class Stage:
    """An engine with a door, an image, homes whose lists are known. Lives as long as its engine."""

    def __init__(self, engine: OwnEngine, door: Door, folder: Path, unpacked: Path) -> None:
        self.engine = engine
        self.door = door
        self.port = _free_port()
        self._folder = folder
        self._unpacked = unpacked
        self._templates: dict[tuple[int, int], Place] = {}
        self._places = 0
        client = engine.client()
        self.image = echo_image(client)
        client.close()

    def place(self, *, init_ms: int, list_ms: int, timeout_s: float, listed: bool) -> Place:
        """A new home with three servers that are as slow as told; `listed`: their lists are known already."""
        place = self._new_place(init_ms, list_ms, timeout_s)
        if listed:
            template = self._listed(init_ms, list_ms)
            for part in ("cache", "run"):
                shutil.copytree(
                    template.home.root / part,
                    place.home.root / part,
                    ignore=shutil.ignore_patterns("*.sock", "*.lock"),
                )
            # Another home to the engine; the key stays, because the cache's names depend on it.
            (place.home.run / "id").unlink()
        return place

    def _new_place(self, init_ms: int, list_ms: int, timeout_s: float = SOON_S) -> Place:
        self._places += 1
        place = Place(self._folder / f"place-{self._places}", self._unpacked)
        manners = [f"--init-ms={init_ms}", f"--list-ms={list_ms}"]
        pool = {"timeout_s": timeout_s, "init_timeout_s": INIT_TIMEOUT_S, "idle_s": IDLE_S}
        here = {"image": self.image, "disableNetwork": True, "pool": pool}
        url = f"http://127.0.0.1:{self.port}/mcp"
        far = {"type": "remote", "remote": {"url": url, "transport_type": "streamable-http"}}
        place.write(
            {
                "one": {**here, "command": ["--rogue", "--tools=one", *manners]},
                "good": {**here, "command": ["--tools=good"]},
                "far": {**far, "pool": pool},
            }
        )
        place.environ["DOCKER_HOST"] = self.door.url
        return place

    def _listed(self, init_ms: int, list_ms: int) -> Place:
        """The home whose lists others copy."""
        key = (init_ms, list_ms)
        if key not in self._templates:
            place = self._new_place(init_ms, list_ms)
            with remote_server(self.port, init_ms, list_ms), place.network() as gateway:
                caller = Caller(gateway.url, gateway.token)
                caller.initialize()
                caller.ask("tools/list", {})
                kept = place.home.cache / "lists"
                await_true(lambda: len(list(kept.glob("*.json"))) >= 3, "all listed", SOON_S)
            self._templates[key] = place
        return self._templates[key]


class Process:
    """A process that says one JSON object a line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.events: list[dict[str, Any]] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def tell(self, method: str, **params: Any) -> None:
        """Has it ask something; what comes of it is an event."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([method, params]) + "\n")
        self.process.stdin.flush()

    def call(self, tool: str, **arguments: Any) -> None:
        """Has it call a tool, with progress."""
        self.tell("tools/call", name=tool, arguments=arguments, _meta={"progressToken": tool})

    def seen(self, event: str) -> list[dict[str, Any]]:
        """The events of that name."""
        return [one for one in self.events if one["event"] == event]

    def await_event(self, event: str, count: int = 1, deadline_s: float = SOON_S) -> dict[str, Any]:
        """The n-th event of that name, once it is there."""
        await_true(lambda: len(self.seen(event)) >= count, f"{event} of the client", deadline_s)
        return self.seen(event)[count - 1]

    def _read(self) -> None:
        assert self.process.stdout is not None
        with suppress(ValueError):
            for line in self.process.stdout:
                self.events.append(json.loads(line))


@contextmanager
def subject(gateway: Network) -> Iterator[Process]:
    """A client in a process of its own, with a session."""
    with _program("caller.py", gateway.url, gateway.token) as process:
        client = Process(process)
        client.await_event("ready")
        yield client


@contextmanager
def remote_server(port: int, init_ms: int, list_ms: int) -> Iterator[subprocess.Popen[str]]:
    """A remote server that listens."""
    with _program("remote.py", str(port), str(init_ms), str(list_ms)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process


@contextmanager
def _program(name: str, *words: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-S", "-E", str(_HERE / name), *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()


class Witness:
    """Another client, which calls another server all the time."""

    def __init__(self, gateway: Network) -> None:
        self._caller = Caller(gateway.url, gateway.token)
        self._caller.initialize()
        self.outcomes: list[tuple[str, str]] = []
        self.slowest_s = 0.0
        self._over = threading.Event()
        # Its server has to start first.
        await_true(lambda: self._call() == ("answer", "w"), "the witness' server runs", SOON_S)
        self.outcomes.clear()
        self.slowest_s = 0.0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Has it stop."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(0.05):
            self._call()

    def _call(self) -> tuple[str, str]:
        began = time.monotonic()
        self.outcomes.append(self._caller.call("good_echo", text="w"))
        self.slowest_s = max(self.slowest_s, time.monotonic() - began)
        return self.outcomes[-1]


def containers(client: docker.APIClient, place: Place, server: str = "") -> list[dict[str, Any]]:
    """The containers of a home, of one server if it is named."""
    labels = [f"{HOME_LABEL}={place.home.identity()}"]
    if server:
        labels.append(f"{SERVER_LABEL}={server}")
    return list(client.containers(all=True, filters={"label": labels}))


def server_pid(client: docker.APIClient, place: Place, server: str) -> int:
    """The process of a server that runs, as this machine knows it; waits for it."""
    found: list[int] = []

    def looked() -> bool:
        found.extend(servers(client, place, server))
        return bool(found)

    await_true(looked, f"server {server} runs", SOON_S)
    return found[0]


def servers(client: docker.APIClient, place: Place, server: str) -> list[int]:
    """The processes of a server's containers, those first that were started first: a spare is younger than what is in use."""
    found: list[tuple[str, int]] = []
    for container in containers(client, place, server):
        with suppress(docker.errors.APIError, OSError):
            state = client.inspect_container(container["Id"])["State"]
            first = state["Pid"]
            children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
            # The first process is an init, which has the server as its child.
            found.extend((state["StartedAt"], int(child)) for child in children)
    return [pid for _, pid in sorted(found)]


def processes_of(place: Place) -> list[str]:
    """The command lines of all processes that have this home in their environment: gateways, and what they started."""
    marks = {f"MCPGW_HOME={place.home.root}".encode(), f"HOME={place.folder}".encode()}
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if marks & set((path / "environ").read_bytes().split(b"\0")):
                found.append((path / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
