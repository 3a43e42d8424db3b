"""The wall clock may jump, by a second or by decades, either way: who reads it, and what becomes of it then.

All times that decide something are on trio's clock, which only goes forward. docs/reliability.md names each module that
looks at the wall clock all the same, and says why a jump does no harm there; the first test holds it to that.
"""

from __future__ import annotations

import ast
import logging
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest
import trio

from actors.session_store import SessionStore
from gateway.catalog.cache import ParsedCache
from gateway.catalog.fetch import Answer, Kept, fetch
from gateway.errors import CatalogError
from gateway.session_records import SessionRecord
from gateway.telemetry.log_lines import ConsoleFormat, Entry, JsonFormat, LineFormat
from gateway.transports.http import JSON, Reply
from gateway.transports.http_writing import reply_bytes

TOP = Path(__file__).parents[2]
WALL_CLOCK = {"time", "time_ns", "gmtime", "localtime", "ctime", "st_mtime", "st_mtime_ns", "now"}
DECADES_S = 40 * 365 * 86_400.0
JUMPS = pytest.mark.parametrize("jump_s", [-DECADES_S, -1.0, 1.0, DECADES_S])


def readers() -> set[str]:
    """The modules that look at the wall clock, or at times of files."""
    found = set()
    for folder in ("gateway", "actors"):
        for path in (TOP / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if not isinstance(node, ast.Attribute) or node.attr not in WALL_CLOCK:
                    continue
                owner = getattr(node.value, "id", "")
                if owner in {"time", "datetime"} or node.attr.startswith("st_"):
                    found.add(str(path.relative_to(TOP)))
    return found


def test_the_page_says_why_a_jump_is_harmless_for_each_reader() -> None:
    """docs/reliability.md, "Clocks"; a module that begins to look at the wall clock needs a reason there."""
    page = (TOP / "docs" / "reliability.md").read_text()
    section = page.partition("## Clocks\n")[2].partition("\n## ")[0]
    told = set(re.findall(r"^\| `((?:gateway|actors)/[\w/]+\.py)`", section, re.MULTILINE))
    assert told == readers()


@pytest.fixture
def jump(monkeypatch: pytest.MonkeyPatch, jump_s: float) -> float:
    """Sets the wall clock of the process, as its code sees it."""
    there = time.time() + jump_s
    monkeypatch.setattr(time, "time", lambda: there)
    return there


@JUMPS
def test_a_fetched_catalog_survives_a_jump(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump_s: float
) -> None:
    """It is asked for again at worst, and its copy serves where the network is away."""
    url = "https://example.com/catalog.yaml"
    fetch(url, tmp_path, ask=lambda _url, _headers: Answer(200, b"old"))
    there = time.time() + jump_s
    monkeypatch.setattr(time, "time", lambda: there)
    asked: list[str] = []

    def ask(_url: str, _headers: Mapping[str, str]) -> Answer:
        asked.append(_url)
        return Answer(200, b"new")

    fetched = fetch(url, tmp_path, ask=ask)
    # Only a copy that is fresh by either clock is taken without asking.
    assert (fetched.content, len(asked)) == ((b"old", 0) if jump_s == 1.0 else (b"new", 1))

    def away(_url: str, _headers: Mapping[str, str]) -> Answer:
        raise CatalogError("no network")

    later = there + DECADES_S
    monkeypatch.setattr(time, "time", lambda: later)
    assert fetch(url, tmp_path, ask=away).content == fetched.content


def test_a_copy_of_no_day_at_all_serves(tmp_path: Path) -> None:
    """The clock of a machine without a battery, or a damaged file, may say anything."""
    url = "https://example.com/catalog.yaml"
    fetch(url, tmp_path, ask=lambda _url, _headers: Answer(200, b"kept"))
    (path,) = tmp_path.iterdir()
    kept = msgspec.msgpack.decode(path.read_bytes(), type=Kept)
    path.write_bytes(msgspec.msgpack.encode(msgspec.structs.replace(kept, fetched_at=1e300)))

    def away(_url: str, _headers: Mapping[str, str]) -> Answer:
        raise CatalogError("no network")

    fetched = fetch(url, tmp_path, ask=away)
    assert fetched.content == b"kept"
    assert "unknown day" in fetched.note


@JUMPS
def test_answers_carry_the_date_that_is_now(jump: float, jump_s: float) -> None:
    """The line of another second is not kept."""
    expected = time.strftime("%d %b %Y", time.gmtime(jump))
    assert expected.encode() in reply_bytes(Reply(200, b"{}", JSON))


@JUMPS
@pytest.mark.parametrize("line_format", [ConsoleFormat(), JsonFormat()])
def test_lines_of_the_log_carry_the_time_that_is_now(
    jump: float, jump_s: float, line_format: LineFormat
) -> None:
    """Whatever the line before had."""
    line_format.line(Entry(jump - jump_s, logging.INFO, "mcpgw.test", "event", {}))
    line = line_format.line(Entry(jump, logging.INFO, "mcpgw.test", "event", {}))
    assert time.strftime(":%M:%S", time.gmtime(jump)) in line


@JUMPS
def test_parsed_files_are_found_whatever_day_they_have(tmp_path: Path, jump_s: float) -> None:
    """They are named after their content; only which of too many go is decided by age."""
    cache = ParsedCache(tmp_path)
    assert cache.get(list[int], b"1", "", lambda: [1]) == [1]
    (path,) = tmp_path.iterdir()
    there = time.time() + jump_s
    os.utime(path, (there, there))
    assert cache.get(list[int], b"1", "", lambda: [2]) == [1]


@JUMPS
def test_sessions_of_an_earlier_gateway_are_found(tmp_path: Path, jump_s: float) -> None:
    """How long they are kept is counted from the start of the gateway; their files' times only sort them."""
    record = SessionRecord(
        principal="somebody", protocol_version="2025-11-25", client_name="c", capabilities={}
    )

    async def keep() -> None:
        store = SessionStore(tmp_path)
        store.keep("id", record)
        with trio.CancelScope() as scope:
            scope.cancel()
            await store.run()

    async def take() -> SessionRecord | None:
        later = SessionStore(tmp_path)
        later.load()
        return later.take("id", "somebody")

    trio.run(keep)
    (path,) = tmp_path.iterdir()
    there = time.time() + jump_s
    os.utime(path, (there, there))
    assert trio.run(take) == record
