"""mcpgw as a plugin of the Docker CLI: `docker mcp gateway run`. Must not know any command.

The Docker CLI asks each `docker-<name>` for its metadata, and runs `docker-mcp [docker's own flags] mcp <words>`. It
passes no signals on: it holds a socket open whose end tells the plugin to stop.

Source: docker/cli, cli-plugins/manager/metadata.go and cli-plugins/socket/socket.go (v28).
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Final, NamedTuple

import msgspec

from gateway import __version__
from gateway.errors import OptionError

PROGRAM: Final = ("docker", "mcp")
"""What people type to get here."""
METADATA_WORD: Final = "docker-cli-plugin-metadata"
"""The argument with which the Docker CLI asks who we are."""
_FILE_NAME: Final = "docker-mcp"
_SOCKET_VARIABLE: Final = "DOCKER_CLI_PLUGIN_SOCKET"
_VALUED_FLAGS: Final[Mapping[str, str]] = {
    "--config": "DOCKER_CONFIG",
    "--context": "DOCKER_CONTEXT",
    "-c": "DOCKER_CONTEXT",
    "--host": "DOCKER_HOST",
    "-H": "DOCKER_HOST",
    "--log-level": "LOG_LEVEL",
    "-l": "LOG_LEVEL",
}
"""Docker's own flags that take a value, as the environment variables that mean the same."""
_SWITCHES: Final[Mapping[str, str]] = {
    "--debug": "DEBUG",
    "-D": "DEBUG",
    "--tlsverify": "DOCKER_TLS_VERIFY",
}
"""The same for those without a value."""
_REFUSED: Final = frozenset({"--tls", "--tlscacert", "--tlscert", "--tlskey"})
"""Those for which there is no variable."""


class PluginCall(NamedTuple):
    """What the Docker CLI's call means to the gateway."""

    words: tuple[str, ...]
    """The arguments behind `docker mcp`."""
    environ: dict[str, str]
    """The environment, with Docker's own flags in it."""


def is_plugin(script: str) -> bool:
    """Whether the running file is installed under the name of the plugin."""
    return PurePath(script).stem == _FILE_NAME


def metadata() -> str:
    """The answer to `METADATA_WORD`, one JSON object."""
    facts = {
        "SchemaVersion": "0.1.0",
        "Vendor": "mcpgw",
        "Version": __version__,
        "ShortDescription": "One connection to many MCP servers, each run as a container on demand",
    }
    return msgspec.json.encode(facts).decode()


def read_call(arguments: Sequence[str], environ: Mapping[str, str]) -> PluginCall:
    """Takes Docker's own flags and the word `mcp` off the arguments.

    Where something else comes before that word, a person ran the file itself, and the arguments are the words.

    Raises:
        OptionError: a flag of Docker's that we cannot honour stands before `mcp`.
    """
    found = dict(environ)
    rest = iter(arguments)
    for argument in rest:
        name, equals, value = argument.partition("=")
        if name == "mcp":
            return PluginCall(tuple(rest), found)
        if name in _VALUED_FLAGS:
            found[_VALUED_FLAGS[name]] = value if equals else next(rest, "")
        elif name in _SWITCHES:
            found[_SWITCHES[name]] = "1"
        elif name in _REFUSED:
            raise OptionError(
                f"docker's flag {name} is not supported before `mcp`: set DOCKER_TLS_VERIFY and DOCKER_CERT_PATH instead"
            )
        else:
            break
    return PluginCall(tuple(arguments), dict(environ))


def follow_docker(environ: Mapping[str, str]) -> None:
    """Sends this process SIGTERM once the Docker CLI that started it is told to stop, or is gone."""
    address = environ.get(_SOCKET_VARIABLE)
    if not address:
        return
    # The one way to hear of it; a daemon thread that sleeps in recv() until then, so that any command can be stopped.
    threading.Thread(target=_terminate_after, args=(address,), daemon=True).start()


def _terminate_after(address: str) -> None:
    """Waits for the end of the socket. Abstract names are written with an @."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(address.replace("@", "\0", 1) if address[0] == "@" else address)
            while connection.recv(1):
                pass
        except ConnectionRefusedError:
            pass  # it was told to stop before we were up
        except OSError:
            return  # no socket of that kind: signals reach us as usual
    os.kill(os.getpid(), signal.SIGTERM)
