"""The home folder: where each file of an operator lives, and how it is written. Must not know what is in the files.

`$MCPGW_HOME`, else `/mcp` in a container, else `~/.docker/mcp` (the folder that Docker's gateway uses).
"""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from gateway.errors import ConfigError

CONTAINER_HOME: Final = "/mcp"
_ID_BYTES: Final = 8
_KEY_BYTES: Final = 32
_HEX_DIGITS: Final = frozenset("0123456789abcdef")


def in_container(environ: Mapping[str, str]) -> bool:
    """Whether this is the gateway's container form: its image sets `DOCKER_MCP_IN_CONTAINER=1`.

    Nothing is guessed from files such as `/.dockerenv`: in a development container or a virtual machine made from an
    image the gateway is a program of its user, and must not listen on every interface.
    """
    return environ.get("DOCKER_MCP_IN_CONTAINER") == "1"


def locate_home(environ: Mapping[str, str]) -> Path:
    """The home folder's absolute path; it need not exist."""
    if named := environ.get("MCPGW_HOME"):
        return Path(named).expanduser().absolute()
    if in_container(environ):
        return Path(CONTAINER_HOME)
    return Path(environ.get("HOME") or Path.home()) / ".docker" / "mcp"


class Home:
    """Paths below one home folder. Creating the object touches nothing."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def catalogs(self) -> Path:
        """Folder of catalog files."""
        return self.root / "catalogs"

    @property
    def registry(self) -> Path:
        """The enabled servers."""
        return self.root / "registry.yaml"

    @property
    def config(self) -> Path:
        """Config values by server."""
        return self.root / "config.yaml"

    @property
    def tools(self) -> Path:
        """Tool allow-lists by server."""
        return self.root / "tools.yaml"

    @property
    def secrets(self) -> Path:
        """The secret store."""
        return self.root / "secrets.env"

    @property
    def token(self) -> Path:
        """The bearer token of the network transports."""
        return self.root / "token"

    @property
    def sessions(self) -> Path:
        """What is kept of clients' sessions for the next gateway."""
        return self.root / "sessions"

    @property
    def cache(self) -> Path:
        """Rebuildable files: parsed catalogs, lists of servers. May be deleted at any time."""
        return self.root / "cache"

    def lists(self, key: str, era: str = "legacy") -> Path:
        """The kept lists of the server with that list key, as it shows them to clients of that era."""
        return self.cache / "lists" / (f"{key}.json" if era == "legacy" else f"{key}.{era}.json")

    def stderr(self, server: str) -> Path:
        """The end of what a server last wrote to stderr, kept once it has stopped."""
        return self.cache / "stderr" / f"{_file_name(server)}.txt"

    def link(self, server: str) -> Path:
        """How a server's container was last reached."""
        return self.cache / "links" / f"{_file_name(server)}.json"

    @property
    def run(self) -> Path:
        """Lock files of running gateways, records of their local processes, named pipes of containers that start."""
        return self.root / "run"

    def control(self, instance_id: str) -> Path:
        """The socket on which that gateway tells its state."""
        return self.run / f"{instance_id}.sock"

    def identity(self) -> str:
        """The home id: random, made once; labels the containers of this home's gateways.

        Raises:
            OSError, ConfigError: it cannot be kept, or what is kept is none.
        """
        return self._once("id", _ID_BYTES)

    def hash_key(self) -> bytes:
        """The key of all hashes over specs that hold secrets; made once, never leaves the home.

        Raises:
            OSError, ConfigError: it cannot be kept, or what is kept is none.
        """
        return bytes.fromhex(self._once("key", _KEY_BYTES))

    def _once(self, name: str, size: int) -> str:
        """So many random bytes as hexadecimal digits, kept in `run/<name>` (0600).

        Their form is their version: a later one will look different, and must not be taken for one of these.
        """
        path = self.run / name
        text = self._made_once(path, size)
        if len(text) != 2 * size or not set(text) <= _HEX_DIGITS:
            raise ConfigError(
                f"{path} was written by a newer mcpgw, or is damaged: use that one, or remove the file"
            )
        return text

    def _made_once(self, path: Path, size: int) -> str:
        """What the file holds, which is made if need be. Of two creators, one wins and both agree."""
        with suppress(FileNotFoundError):
            return _text_of(path)
        self.run.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=self.run, prefix=f".{path.name}-")
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(secrets.token_hex(size) + "\n")
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):
                os.link(temporary, path)
        finally:
            Path(temporary).unlink()
        return _text_of(path)


def _text_of(path: Path) -> str:
    return path.read_text(encoding="ascii", errors="replace").strip()


def _file_name(server: str) -> str:
    """A server's name as part of a file's."""
    name = "".join(mark if mark.isalnum() or mark in "-_." else "_" for mark in server)
    return name.lstrip(".")


def write_atomic(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Replaces a file as a whole: temporary file, fsync, rename. A symbolic link is followed, and stays one.

    Raises:
        OSError: as the file system says; the old content is then still there.
    """
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
