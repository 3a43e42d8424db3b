"""Where secrets come from, in which order, and who gets them. Must not print or log a value.

Order: the sources of `--secrets` (by default `/run/secrets`, in a container also `/.env`), then the home's store,
then the environment. The first that has a value wins. Each is asked for the secret's name, then for its variable;
but what a catalog from the network declares is looked up by name only and never in the environment, or such a
catalog could ask for any variable it likes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from gateway.catalog.model import Origin, SecretUse
from gateway.errors import SecretError
from gateway.limits import MAX_SECRET_BYTES, MAX_SECRET_FILES
from gateway.secrets.dotenv import parse_dotenv

DEFAULT_FOLDER: Final = "/run/secrets"
"""Where Docker and Kubernetes mount secrets."""
CONTAINER_DOTENV: Final = "/.env"
DOCKER_DESKTOP: Final = "docker-desktop"
DOTENV_SECRET: Final = "mcp_secret"  # noqa: S105 - a file's name
"""A file of this name in a folder of secrets is a `.env` file (Docker's gateway reads it so)."""

_ELEMENT: Final = re.compile(r"(?:[A-Za-z]:(?=[\\/]))?[^:]*")
_OWN_VARIABLE: Final = re.compile(r"MCPGW_|MCP_GATEWAY_|DOCKER_MCP_", re.IGNORECASE)


class SecretSource(msgspec.Struct, frozen=True):
    """One source as read. `values` are secrets: a source is never shown."""

    label: str
    values: Mapping[str, str]

    def __repr__(self) -> str:
        """Shows where it came from, and nothing in it."""
        return f"<SecretSource {self.label}>"


class Secrets:
    """All sources at one moment."""

    def __init__(self, sources: tuple[SecretSource, ...], environ: Mapping[str, str]) -> None:
        self._sources = sources
        self._environ = environ

    def __repr__(self) -> str:
        """Names the sources."""
        return f"<Secrets {', '.join(source.label for source in self._sources)}>"

    def lookup(self, use: SecretUse, origin: Origin) -> str | None:
        """The value of a declared secret for an entry of that origin, None where no source has one."""
        found = self._find(use, trusted=origin.trusted)
        return found[0] if found else None

    def where(self, use: SecretUse, origin: Origin) -> str | None:
        """The label of the source that has the secret."""
        found = self._find(use, trusted=origin.trusted)
        return found[1] if found else None

    def _find(self, use: SecretUse, *, trusted: bool) -> tuple[str, str] | None:
        names = (use.name, use.env) if trusted else (use.name,)
        for source in self._sources:
            for name in names:
                if value := source.values.get(name):
                    return value, source.label
        if not trusted or _OWN_VARIABLE.match(use.env):
            return None
        value = self._environ.get(use.env)
        return (value, "environment") if value else None


def split_sources(text: str) -> tuple[str, ...]:
    r"""The elements of a colon list; `C:\x` and `C:/x` are one element each."""
    elements: list[str] = []
    position = 0
    while position <= len(text):
        match = _ELEMENT.match(text, position)
        if match is None:  # cannot be: the pattern matches nothing, too
            break
        elements.append(match[0].strip())
        position = match.end() + 1
    return tuple(element for element in elements if element)


def read_source(path: Path) -> SecretSource:
    """A folder with one file per secret, or a `.env` file.

    Raises:
        FileNotFoundError: there is nothing of that name.
        SecretError: it is there and cannot be read.
    """
    try:
        values = _read_folder(path) if path.is_dir() else parse_dotenv(_read_text(path), str(path))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise SecretError(f"{path}: cannot be read: {error.strerror}") from error
    return SecretSource(str(path), values)


def _read_folder(folder: Path) -> dict[str, str]:
    """File names are secret names; dot files are the mounting machinery of Kubernetes. One final newline goes."""
    files = sorted(file for file in folder.iterdir() if not file.name.startswith("."))
    if len(files) > MAX_SECRET_FILES:
        raise SecretError(
            f"{folder}: holds more than {MAX_SECRET_FILES} files; name a folder of secrets"
        )
    values: dict[str, str] = {}
    bundled: dict[str, str] = {}
    for file in files:
        if not file.is_file():
            continue
        text = _read_text(file)
        if file.name == DOTENV_SECRET:
            bundled = parse_dotenv(text, str(file))
        else:
            values[file.name] = text.removesuffix("\n").removesuffix("\r")
    return {**bundled, **values}


def _read_text(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(MAX_SECRET_BYTES + 1)
    if len(content) > MAX_SECRET_BYTES:
        raise SecretError(f"{path}: is longer than {MAX_SECRET_BYTES} bytes")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise SecretError(f"{path}: is not UTF-8 text") from None
