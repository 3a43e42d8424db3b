"""`doctor`: each check sees what it should, and says how to mend it."""

import gc
import json
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.gateway.cli.conftest import Run

Write = Callable[[str, str], Path]
_NOBODY = 65534
NO_ENGINE = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}


# docker-py leaves the socket of a refused connection to the garbage collector, which must not run in a later test.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


@pytest.fixture(autouse=True)
def forget_sockets() -> Iterator[None]:
    """Collects what docker-py left."""
    yield
    gc.collect()


@pytest.fixture
def busy_port() -> Iterator[int]:
    """A port that somebody else listens on, and closes every connection of."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(0)
        yield listener.getsockname()[1]


@pytest.fixture
def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def findings(run: Run, port: int, **environ: str) -> dict[str, dict[str, object]]:
    """What doctor says, by check."""
    done = run("doctor", "--json", f"--port={port}", **{**NO_ENGINE, **environ})
    assert done.out, done.err
    found = {row["check"]: row for row in json.loads(done.out)}
    assert done.status == (0 if all(row["ok"] for row in found.values()) else 1)
    return found


def test_machine_without_engine(run: Run, free_port: int) -> None:
    """The engine's absence is a failure with its fix; the other checks go on."""
    found = findings(run, free_port)
    assert list(found) == [
        "engine", "permission", "port", "home", "catalogs", "secrets", "images", "token",
    ]  # fmt: skip
    assert not found["engine"]["ok"]
    assert "/nowhere/docker.sock is not running" in str(found["engine"]["text"])
    assert "DOCKER_HOST" in str(found["engine"]["fix"])
    assert found["port"]["ok"]
    assert found["home"]["ok"]
    assert not found["images"]["ok"]


def test_home_without_containers_needs_no_engine_for_images(
    run: Run, free_port: int, write: Write
) -> None:
    """Where nothing runs as a container no image is missed."""
    write("catalogs/c.yaml", "registry: {a: {type: remote, remote: {url: 'https://x.example'}}}\n")
    write("registry.yaml", "registry: {a: {ref: ''}}\n")
    assert findings(run, free_port)["images"]["ok"]


def test_busy_port(run: Run, busy_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that another program holds is named, with the way to learn whose it is."""
    monkeypatch.setattr("gateway.cli.checks._HEALTH_WAIT_S", 0.01)
    port = findings(run, busy_port)["port"]
    assert not port["ok"]
    assert f"sport = :{busy_port}" in str(port["fix"])


def test_faults_and_missing_secrets(run: Run, free_port: int, write: Write) -> None:
    """Broken entries are named with their line, missing secrets with the command that sets them."""
    write(
        "catalogs/c.yaml",
        "registry:\n  a:\n    image: i\n    secrets: [{name: k, env: K, required: true}]\n"
        "  b:\n    image: [1]\n",
    )
    write("registry.yaml", "registry: {a: {ref: ''}}\n")
    found = findings(run, free_port)
    assert "c.yaml:5: " in str(found["catalogs"]["text"])
    assert found["secrets"]["fix"] == "mcpgw secret set k"


def test_optional_secret_is_no_failure(run: Run, free_port: int, write: Write) -> None:
    """What is not required is mentioned, not failed."""
    write("catalogs/c.yaml", "registry: {a: {image: i, secrets: [{name: k, env: K}]}}\n")
    write("registry.yaml", "registry: {a: {ref: ''}}\n")
    secrets = findings(run, free_port)["secrets"]
    assert (secrets["ok"], "k" in str(secrets["text"])) == (True, True)


def test_named_file_that_is_a_home(run: Run, home: Path, free_port: int) -> None:
    """A file where the home should be is a failure with two ways out."""
    home.write_text("")
    found = findings(run, free_port)
    assert not found["home"]["ok"]
    assert "MCPGW_HOME" in str(found["home"]["fix"])


@pytest.mark.parametrize("name", [".", "catalogs"])
def test_a_home_that_everybody_may_write(run: Run, home: Path, free_port: int, name: str) -> None:
    """Whoever may add a catalog there has its owner start programs."""
    folder = home / name
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o777)
    found = findings(run, free_port)["home"]
    assert (found["ok"], found["fix"]) == (False, f"chmod o-w {folder}")


def as_nobody(act: Callable[[], None]) -> int:
    """Runs `act` in a process that may do nothing special; 0 if it went well. Root may open everything."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(_NOBODY)
                os.setuid(_NOBODY)
            act()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_closed_socket(run: Run, free_port: int) -> None:
    """A socket that refuses this user is told apart from an engine that is down; so is a home that cannot be read."""
    findings(run, free_port)  # loads all modules, which nobody may not read everywhere
    with (
        tempfile.TemporaryDirectory() as folder,
        socket.socket(socket.AF_UNIX) as listener,
    ):
        path = Path(folder) / "docker.sock"
        path.parent.chmod(0o755)
        listener.bind(str(path))
        path.chmod(0)

        def look() -> None:
            found = findings(run, free_port, DOCKER_HOST=f"unix://{path}")
            assert "usermod -aG docker" in str(found["permission"]["fix"])
            assert not found["home"]["ok"]

        assert as_nobody(look) == 0


def test_for_people(run: Run, free_port: int) -> None:
    """One line a check, the fix below it."""
    lines = run("doctor", f"--port={free_port}", **NO_ENGINE).out.splitlines()
    assert lines[0].startswith("FAIL  engine: ")
    assert lines[1].startswith("      fix: ")
    assert f"ok    port: {free_port} is free" in lines


def test_leaks_without_engine(run: Run) -> None:
    """Without an engine nothing can be listed, and the sentence says what to do."""
    done = run("doctor", "--leaks", **NO_ENGINE)
    assert (done.status, "is not running" in done.err) == (1, True)


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.usefixtures("engine")
def test_machine_with_engine(run: Run, free_port: int, write: Write, echo_image: str) -> None:
    """Images that are there are no failure; one that is not comes with the command that brings it."""
    environ = {name: os.environ[name] for name in ("DOCKER_HOST",) if name in os.environ}
    write("registry.yaml", "registry: {a: {ref: ''}}\n")
    write("catalogs/c.yaml", f"registry: {{a: {{image: '{echo_image}'}}}}\n")
    done = run("doctor", "--json", f"--port={free_port}", **environ)
    assert (done.status, all(row["ok"] for row in json.loads(done.out))) == (0, True), done.out
    write("catalogs/c.yaml", "registry: {a: {image: 'mcpgw-test/nothing:1'}}\n")
    rows = json.loads(run("doctor", "--json", f"--port={free_port}", **environ).out)
    found = {row["check"]: row for row in rows}
    assert found["images"]["fix"] == "docker pull mcpgw-test/nothing:1"
    assert run("doctor", "--leaks", **environ).status == 0
