"""Parsed files, kept so that a start need not parse them again. May lose everything at any time.

Keyed by content, so that nothing in here is ever stale. The files can hold config values: only the owner reads them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

import msgspec

import gateway
from gateway.home import write_atomic
from gateway.limits import PARSED_FILES_KEPT

_FORMAT: Final = 1  # count up when a parsed record changes its meaning, not only its fields
_SUFFIX: Final = ".msgpack"
_PRIVATE: Final = 0o600

_T = TypeVar("_T")


class ParsedCache:
    """Records by the text that they were parsed from. `folder` None keeps nothing."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def get(self, kind: type[_T], content: bytes, context: str, parse: Callable[[], _T]) -> _T:
        """The record of `content`: the kept one, or what `parse` makes of it.

        Args:
            kind: the record's Struct type.
            content: the text it is parsed from.
            context: what else decides the result (source, trust).
            parse: makes the record; its errors pass through.
        """
        path = self._path(kind, content, context)
        if path is None:
            return parse()
        with suppress(OSError, msgspec.MsgspecError, ValueError, RecursionError):
            return msgspec.msgpack.decode(path.read_bytes(), type=kind)
        record = parse()
        with suppress(OSError):  # a read-only home is served as well, only slower
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomic(path, msgspec.msgpack.encode(record), mode=_PRIVATE)
            self._prune(path.parent)
        return record

    def _path(self, kind: type[_T], content: bytes, context: str) -> Path | None:
        if self._folder is None:
            return None
        key = hashlib.blake2b(content, digest_size=16)
        key.update(f"\0{_FORMAT}\0{gateway.__version__}\0{kind.__name__}\0{context}".encode())
        return self._folder / f"{key.hexdigest()}{_SUFFIX}"

    def _prune(self, folder: Path) -> None:
        """Removes the oldest files beyond the bound."""
        files = sorted(folder.glob(f"*{_SUFFIX}"), key=lambda file: file.stat().st_mtime_ns)
        for file in files[:-PARSED_FILES_KEPT]:
            file.unlink(missing_ok=True)
