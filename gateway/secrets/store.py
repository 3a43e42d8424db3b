"""The secret store of a home: one file, mode 0600, replaced as a whole. Must not know who may read which secret.

The first line tells the format, so that a later version can encrypt; the rest is the `.env` format.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from gateway.errors import SecretError
from gateway.home import write_atomic
from gateway.limits import MAX_SECRET_BYTES
from gateway.secrets.dotenv import format_dotenv, parse_dotenv

_HEADER: Final = "# mcpgw-secrets v1\n"
_HEADER_START: Final = "# mcpgw-secrets "
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_PRIVATE: Final = 0o600


class SecretStore:
    """Secrets by name. Each call reads the file anew; the object holds no value."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __repr__(self) -> str:
        """Names the file, and nothing in it."""
        return f"<SecretStore {self._path}>"

    def get(self, name: str) -> str | None:
        """The value of a secret, None where there is none."""
        return self.values().get(name)

    def names(self) -> tuple[str, ...]:
        """The names of all secrets, sorted."""
        return tuple(sorted(self.values()))

    def values(self) -> Mapping[str, str]:
        """All secrets.

        Raises:
            SecretError: the file cannot be read, is broken, or others may read it and that cannot be changed.
        """
        try:
            if self._path.exists() and not self._path.is_file():  # a pipe or device has no end
                raise self._no_store()
            self._make_private()
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise SecretError(f"{self._path}: cannot be read: {error.strerror}") from error
        except UnicodeDecodeError:  # `from None`: the cause would carry the file's bytes
            raise SecretError(f"{self._path}: cannot be read: it is not UTF-8 text") from None
        if text and not text.startswith(_HEADER_START):
            raise self._no_store()
        if text and not text.startswith(_HEADER):
            raise SecretError(f"{self._path}: was written by a newer mcpgw; use that one")
        return parse_dotenv(text, str(self._path))

    def set(self, name: str, value: str) -> None:
        """Adds or replaces a secret.

        Raises:
            SecretError: the name or the value cannot be stored, or the file cannot be written.
        """
        check_name(name)
        if not _is_storable(value):
            raise SecretError(
                f"the value of {name} must be text, not empty and at most {MAX_SECRET_BYTES} bytes long"
            )
        with self._locked():
            self._write({**self.values(), name: value})

    def remove(self, name: str) -> bool:
        """Removes a secret; whether it was there."""
        with self._locked():
            values = dict(self.values())
            if values.pop(name, None) is None:
                return False
            self._write(values)
            return True

    def _write(self, values: Mapping[str, str]) -> None:
        content = _HEADER + format_dotenv(dict(sorted(values.items())))
        try:
            write_atomic(self._path, content.encode(), mode=_PRIVATE)
        except OSError as error:
            raise self._unwritable(error) from error

    def _no_store(self) -> SecretError:
        """Something else has the store's name."""
        return SecretError(
            f"{self._path}: is no secret store; move it away and set the secrets again"
        )

    def _unwritable(self, error: OSError) -> SecretError:
        """The store is on a disk that is full or not ours."""
        return SecretError(
            f"{self._path}: cannot be written: {error.strerror}; "
            "give yourself its folder, or set MCPGW_HOME to one of yours"
        )

    def _make_private(self) -> None:
        """Takes the file away from everybody else, or refuses it."""
        if not stat.S_IMODE(self._path.stat().st_mode) & _OTHERS:
            return
        with suppress(PermissionError):  # not ours: judged below
            self._path.chmod(_PRIVATE)
        if stat.S_IMODE(self._path.stat().st_mode) & _OTHERS:
            raise SecretError(f"{self._path}: others can read it; run `chmod 600 {self._path}`")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keeps two writers from losing each other's secret."""
        lock = self._path.with_name(self._path.name + ".lock")
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE)
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # held for two small file operations
            yield
        finally:
            os.close(descriptor)


def check_name(name: str) -> None:
    """Refuses names that a line `name=value` cannot hold.

    Raises:
        SecretError: as said.
    """
    if not name or not name.isprintable() or any(character in " =#'\"" for character in name):
        raise SecretError(
            f"{name!r} cannot be the name of a secret: use letters, digits, '.', '_' and '-'"
        )


def _is_storable(value: str) -> bool:
    """Whether a file of text and an environment variable can hold the value."""
    try:
        length = len(value.encode())
    except UnicodeEncodeError:
        return False
    return 0 < length <= MAX_SECRET_BYTES and "\0" not in value
