"""The gateway as a container with the engine's socket, as desktop clients' entries and servers run it."""

from __future__ import annotations

import json
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import msgspec
import pytest

from gateway.runtimes.engine_endpoint import Endpoint
from tests.e2e.conftest import Containers
from tests.e2e.docker_cli import docker, docker_words
from tests.e2e.gateways import await_true
from tests.e2e.places import Place
from tests.e2e.published import PUBLISHED, Step, Target

pytestmark = pytest.mark.slow

Entry = Callable[..., dict[str, Any]]

INSIDE = "/var/run/docker.sock"
STEPS: tuple[Step, ...] = (
    ("tools/list", {}),
    ("tools/call", {"name": "echo", "arguments": {"text": "from afar"}}),
)


class Form(msgspec.Struct, frozen=True):
    """The image and how to run it: with the engine's socket, and a home that is a `place`'s."""

    engine: Endpoint
    image: str
    socket: tuple[str, ...]
    home: tuple[str, ...]

    def words(self, *flags: str) -> list[str]:
        """The words after `docker run …` that mount both and name the image."""
        return [*self.socket, *self.home, self.image, *flags]


@pytest.fixture
def form(engine: Endpoint, image: str, place: Place, echo: Entry) -> Form:
    """With one server in the home."""
    place.write({"one": echo()})
    socket = engine.url.removeprefix("unix://")
    return Form(
        engine,
        image,
        socket=("-v", f"{socket}:{INSIDE}"),
        home=("-v", f"{place.home.root}:/mcp"),
    )


def test_an_entry_of_a_desktop_client(form: Form, place: Place, containers: Containers) -> None:
    """`docker run -i --rm … --transport=stdio`, ended by its client; nothing is left."""
    name = f"mcpgw-test-{uuid.uuid4().hex[:8]}"
    words = ("run", "-i", "--rm", "--name", name, *form.words("--transport=stdio"))
    target = Target(
        transport="stdio", command=tuple(docker_words(form.engine, *words)), environ=place.environ
    )
    listed, called = PUBLISHED["python-1"].do(target, STEPS)
    assert {tool["name"] for tool in listed["result"]["tools"]} >= {"echo", "add"}
    assert called["result"]["content"][0]["text"] == "from afar"
    await_true(lambda: not containers(place), "no container of a server is left", 10)
    await_true(lambda: not exists(form.engine, name), "the gateway's own container is gone", 10)


@contextmanager
def detached(engine: Endpoint, *words: str) -> Iterator[str]:
    """A container in the background, by name; removed at the end."""
    name = f"mcpgw-test-{uuid.uuid4().hex[:8]}"
    started = docker(engine, "run", "-d", "--name", name, *words)
    try:
        assert started.returncode == 0, started.stderr
        yield name
    finally:
        docker(engine, "rm", "--force", name)


@pytest.mark.parametrize("transport", ["sse", "streaming"])
def test_a_server_for_the_network(
    form: Form, place: Place, containers: Containers, transport: Any
) -> None:
    """`docker run -d -p …:8811 … --transport sse`: reached through the published port; `docker stop` drains."""
    words = ("-p", "127.0.0.1::8811", *form.words("--transport", transport, "--port", "8811"))
    with detached(form.engine, *words) as name:
        url = f"http://{published(form.engine, name)}"
        await_true(lambda: healthy(url), "the gateway is healthy", 20)
        token = place.home.token.read_text(encoding="ascii").strip()
        target = Target(transport=transport, url=url, token=token)
        _, called = PUBLISHED["python-2"].do(target, STEPS)
        assert called["result"]["content"][0]["text"] == "from afar"
        began = time.monotonic()
        docker(form.engine, "stop", name)
        assert time.monotonic() - began < 9, "killed rather than ended"
        assert containers(place) == []
        state = json.loads(docker(form.engine, "inspect", "-f", "{{json .State}}", name).stdout)
        assert state["ExitCode"] == 0


def test_a_killed_container_is_cleaned_up_after(
    form: Form, place: Place, echo: Entry, containers: Containers
) -> None:
    """By the next one with the same home: process ids say nothing across containers, locks do."""
    place.write({"one": echo("--ignore-eof", "--ignore-term")})
    words = ("-p", "127.0.0.1::8811", *form.words("--transport", "streaming"))
    with detached(form.engine, *words) as name:
        url = f"http://{published(form.engine, name)}"
        await_true(lambda: healthy(url), "the gateway is healthy", 20)
        token = place.home.token.read_text(encoding="ascii").strip()
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=url, headers=headers, timeout=30) as client:
            keep_one_running(client)
            assert containers(place)
            docker(form.engine, "kill", name)
    assert containers(place)
    with detached(form.engine, *words):
        await_true(lambda: not containers(place), "the killed gateway's container is gone", 20)


def keep_one_running(client: httpx.Client) -> None:
    """Calls a tool in a session that is not ended."""
    accept = {"Accept": "application/json, text/event-stream"}
    params: dict[str, Any] = {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "e2e", "version": "1"},
    }
    hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    session = client.post("/mcp", json=hello, headers=accept).headers["mcp-session-id"]
    call = {
        "jsonrpc": "2.0",
        "id": 2,
        "method": "tools/call",
        "params": {"name": "echo", "arguments": {"text": "a"}},
    }
    answer = client.post("/mcp", json=call, headers={**accept, "Mcp-Session-Id": session})
    assert answer.is_success, answer.text


def test_without_i_it_says_so(form: Form) -> None:
    """In one line, at once, instead of a gateway that serves nobody."""
    refused(form, [*form.socket, *form.home], "docker run -i")


def test_without_the_socket_it_says_so(form: Form) -> None:
    """In one line, at once, instead of a gateway whose every call fails."""
    refused(form, ["-i", *form.home], f"-v {INSIDE}:{INSIDE}")


def refused(form: Form, flags: list[str], named: str) -> None:
    """Checks that a run with these flags ends with one line that names what is missing."""
    words = ("run", "--rm", *flags, form.image, "--transport=stdio")
    began = time.monotonic()
    done = run_with_input(docker_words(form.engine, *words))
    assert time.monotonic() - began < 10
    assert done.returncode != 0
    assert done.stdout == ""
    said = done.stderr.strip().splitlines()
    assert named in said[-1]
    assert "Traceback" not in done.stderr


def run_with_input(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Runs a command whose stdin stays open, as a client's would."""
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            status = process.wait(20)
        finally:
            process.kill()
        assert process.stdout is not None
        assert process.stderr is not None
        return subprocess.CompletedProcess(
            command, status, process.stdout.read(), process.stderr.read()
        )


def exists(engine: Endpoint, name: str) -> bool:
    """Whether there is such a container."""
    return docker(engine, "inspect", name).returncode == 0


def published(engine: Endpoint, name: str) -> str:
    """Host and port under which a container's port is reached."""
    found = docker(engine, "port", name, "8811/tcp").stdout.split()
    assert found, docker(engine, "logs", name).stderr
    return found[0]


def healthy(url: str) -> bool:
    """Whether a gateway answers there."""
    try:
        return httpx.get(f"{url}/health", timeout=2).is_success
    except httpx.TransportError:
        return False
