"""What people read when something around the gateway is wrong: one sentence that says what, which, and what to do."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.runtimes.engine_endpoint import Endpoint
from tests.e2e.places import SOURCE, Place

pytestmark = pytest.mark.slow

Entry = Callable[..., dict[str, Any]]

NOWHERE = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}
SOMEBODY = 65_534


def shown(done: subprocess.CompletedProcess[str]) -> str:
    """The one sentence that a failed command ends with."""
    assert done.returncode not in {0, 130}, done.stdout
    assert "Traceback" not in done.stderr
    return done.stderr.strip().splitlines()[-1]


def test_no_engine(place: Place) -> None:
    """The call says that none answers, where it was looked for, and how to see why; `doctor` says it, too."""
    place.write({"one": {"image": "mcpgw-test/any"}})
    with place.stdio(environ=NOWHERE) as client:
        client.initialize()
        said = client.call("anything")
    assert "/nowhere/docker.sock" in said
    assert "docker" in said
    examined = place.run("doctor", environ=NOWHERE)
    assert examined.returncode == 1
    assert "/nowhere/docker.sock" in examined.stdout + examined.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_an_engine_that_refuses(place: Place, engine: Endpoint, tmp_path: Path) -> None:
    """The sentence names the socket and the group to join."""
    place.write({"one": {"image": "mcpgw-test/any"}})
    blocked = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(blocked))
        listening.listen()
        blocked.chmod(0o600)
        environ = {**place.environ, "DOCKER_HOST": f"unix://{blocked}"}
        open_to_all(place, tmp_path)
        command = ["setpriv", f"--reuid={SOMEBODY}", f"--regid={SOMEBODY}", "--clear-groups"]
        program = place.command("tools", "call", "anything")
        done = subprocess.run(
            [*command, *program],
            env=environ,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert str(blocked) in done.stderr
    assert "usermod -aG docker" in done.stderr


def open_to_all(place: Place, folder: Path) -> None:
    """Lets another user read the home, and the folders above it that pytest made for this user only."""
    for parent in (folder, *folder.parents):
        if parent == folder or "pytest" in parent.name:
            parent.chmod(0o755)
    for path in (place.folder, *place.folder.rglob("*")):
        shutil.chown(path, SOMEBODY, SOMEBODY)
    place.environ["MCPGW_CACHE"] = str(place.folder / "cache")


def test_a_port_in_use(place: Place) -> None:
    """The sentence names the port and the flag."""
    place.write({})
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = shown(place.run("gateway", "run", "--transport", "sse", "--port", port))
    assert port in said
    assert "--port" in said


def test_broken_yaml_at_the_start(place: Place) -> None:
    """With file and line. A catalog that is named on the command line must be readable."""
    place.write_text("broken.yaml", "registry:\n  a: [1, 2\n  b: }\n")
    path = str(place.home.root / "broken.yaml")
    done = place.run("gateway", "run", "--catalog", path, "--dry-run")
    said = done.stderr
    assert "Traceback" not in said
    assert "broken.yaml:3" in said


def test_a_catalog_that_is_not_there(place: Place) -> None:
    """The path that was looked for."""
    said = shown(place.run("gateway", "run", "--catalog", "/nowhere/mine.yaml", "--dry-run"))
    assert "/nowhere/mine.yaml" in said


def test_an_unknown_flag(place: Place) -> None:
    """With the nearest one that exists."""
    done = place.run("--transprt", "sse")
    assert done.returncode == 2
    assert "--transport" in done.stderr


def test_a_missing_secret(place: Place, echo: Entry) -> None:
    """The call names the secret and the command that sets it; the secret's absence costs that server only."""
    needs = echo("--tools=b", secrets=[{"name": "b.key", "env": "KEY"}])
    place.write({"a": echo("--tools=a"), "b": needs})
    with place.stdio() as client:
        client.initialize()
        assert client.call("a_echo", text="x") == "x"
        client.request("tools/list")
        log = client.log
    assert "b.key" in log
    assert "secret set b.key" in log


def test_a_guarded_mount(place: Place, echo: Entry) -> None:
    """The refusal prints the line of config.yaml that allows it."""
    place.write({"a": echo("--tools=a"), "b": echo(volumes=["/etc:/host"])})
    with place.stdio() as client:
        client.initialize()
        assert client.call("a_echo", text="x") == "x"
        log = client.log
    assert "/etc" in log
    assert "mounts:" in log


def test_a_missing_bind_source(place: Place, echo: Entry, tmp_path: Path) -> None:
    """It is named, and nothing is created as root in its place."""
    absent = tmp_path / "absent"
    place.write({"b": echo(volumes=[f"{absent}:/data"])})
    with place.stdio() as client:
        client.initialize()
        assert str(absent) in client.call("echo", text="x")
    assert not absent.exists()


@pytest.mark.skipif(SOURCE, reason="the source tree is no file that can be unpacked")
def test_a_first_start_says_that_it_unpacks(place: Place, tmp_path: Path) -> None:
    """On stderr, so that stdout stays the protocol's."""
    place.environ["MCPGW_CACHE"] = str(tmp_path / "fresh")
    with place.stdio() as client:
        client.initialize()
        assert "first start" in client.log
