"""The file as a plugin of the Docker CLI."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli.plugin import is_plugin, metadata, read_call
from gateway.errors import OptionError


def test_the_name_of_the_file_makes_the_plugin() -> None:
    """The same file is the program and the plugin."""
    assert is_plugin("/home/someone/.docker/cli-plugins/docker-mcp")
    assert not is_plugin("/home/someone/mcpgw.pyz")
    assert not is_plugin("")


def test_the_metadata_holds_what_docker_requires() -> None:
    """A plugin without these is listed as invalid."""
    told = json.loads(metadata())
    assert told["SchemaVersion"] == "0.1.0"
    assert told["Vendor"]
    assert told["ShortDescription"]


@pytest.mark.parametrize(
    ("arguments", "words", "environ"),
    [
        (["mcp", "gateway", "run"], ("gateway", "run"), {}),
        (["mcp"], (), {}),
        (["--context", "mcp", "mcp", "server", "ls"], ("server", "ls"), {"DOCKER_CONTEXT": "mcp"}),
        (["--context=far", "mcp", "ls"], ("ls",), {"DOCKER_CONTEXT": "far"}),
        (
            ["-H", "tcp://far:2375", "-D", "mcp"],
            (),
            {"DOCKER_HOST": "tcp://far:2375", "DEBUG": "1"},
        ),
        # A person ran the file itself.
        (["gateway", "run", "mcp"], ("gateway", "run", "mcp"), {}),
        (["--transport", "sse"], ("--transport", "sse"), {}),
        (["--debug"], ("--debug",), {}),
        ([], (), {}),
    ],
)
def test_dockers_own_flags_become_environment(
    arguments: list[str], words: tuple[str, ...], environ: dict[str, str]
) -> None:
    """What stands before `mcp` is Docker's, what stands behind it is ours."""
    call = read_call(arguments, {"KEPT": "yes"})
    assert call.words == words
    assert call.environ == {"KEPT": "yes", **environ}


def test_a_flag_of_dockers_that_we_cannot_honour_is_refused() -> None:
    """Silence would connect to the wrong engine."""
    with pytest.raises(OptionError, match="--tlscacert"):
        read_call(["--tlscacert", "ca.pem", "mcp", "gateway", "run"], {})


@pytest.mark.slow
def test_the_end_of_dockers_socket_is_a_sigterm(tmp_path: Path) -> None:
    """The Docker CLI passes no signals on, but closes its socket when it gets one."""
    program = "import signal; from gateway.cli.plugin import follow_docker; import os; follow_docker(os.environ); signal.pause()"
    address = str(tmp_path / "docker.sock")
    with socket.create_server(address, family=socket.AF_UNIX) as server:
        plugin = subprocess.Popen(
            [sys.executable, "-c", program],
            cwd=Path(__file__).parents[4],
            env={"DOCKER_CLI_PLUGIN_SOCKET": address},
        )
        connection, _ = server.accept()
        assert plugin.poll() is None
        connection.close()
    assert plugin.wait() == -signal.SIGTERM
