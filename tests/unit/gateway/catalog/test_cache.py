"""Parsed files that are kept, and never stale."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.catalog import cache as module
from gateway.catalog.cache import ParsedCache
from gateway.catalog.model import ParsedCatalog
from gateway.catalog.parse import parse_catalog
from tests.fakes.catalogs import catalog_text


class Counting:
    """Parses, and counts how often."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> ParsedCatalog:
        """A record with entries."""
        self.count += 1
        return parse_catalog(catalog_text(8), source="c.yaml", trusted=True)


def test_second_time_is_read_from_the_cache(tmp_path: Path) -> None:
    """And is the same record, of all four kinds of entry."""
    parse, cache = Counting(), ParsedCache(tmp_path / "new")
    first = cache.get(ParsedCatalog, b"x", "c", parse)
    again = ParsedCache(tmp_path / "new").get(ParsedCatalog, b"x", "c", parse)
    assert parse.count == 1
    assert first == again
    (file,) = (tmp_path / "new").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


def test_other_content_or_context_is_parsed_anew(tmp_path: Path) -> None:
    """The same text from an untrusted source is another record."""
    parse, cache = Counting(), ParsedCache(tmp_path)
    for content, context in [(b"x", "c"), (b"y", "c"), (b"x", "d")]:
        cache.get(ParsedCatalog, content, context, parse)
    assert parse.count == 3


@pytest.mark.parametrize("damage", [b"", b"\x00garbage", b"\x93\x01\x02\x03"])
def test_damaged_file_is_rebuilt(tmp_path: Path, damage: bytes) -> None:
    """Nobody has to delete anything."""
    parse, cache = Counting(), ParsedCache(tmp_path)
    good = cache.get(ParsedCatalog, b"x", "c", parse)
    (file,) = tmp_path.iterdir()
    file.write_bytes(damage)
    assert cache.get(ParsedCatalog, b"x", "c", parse) == good
    assert cache.get(ParsedCatalog, b"x", "c", parse) == good
    assert parse.count == 2


def test_without_a_folder_nothing_is_kept(tmp_path: Path) -> None:
    """A home that cannot be written is served as well."""
    parse = Counting()
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    for cache in (ParsedCache(None), ParsedCache(blocked / "below")):
        assert cache.get(ParsedCatalog, b"x", "c", parse).entries
    assert parse.count == 2


def test_oldest_files_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache does not grow with every edit of a catalog."""
    monkeypatch.setattr(module, "PARSED_FILES_KEPT", 2)
    cache = ParsedCache(tmp_path)
    for number in range(4):
        cache.get(ParsedCatalog, b"%d" % number, "c", lambda: ParsedCatalog(name="x"))
        for file in tmp_path.iterdir():
            os.utime(file, ns=(0, file.stat().st_mtime_ns - 10**9))
    assert len(list(tmp_path.iterdir())) == 2
