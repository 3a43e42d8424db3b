"""Every file that mcpgw writes: written as a whole or not at all, and safe from other versions of itself.

docs/reliability.md, "Files", has the same files in a table; and no module writes any others.
"""

from __future__ import annotations

import ast
import errno
import os
import re
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from actors.last_words import LastWords
from actors.list_files import ListFiles
from actors.session_store import SessionStore
from gateway.auth.bearer import load_token
from gateway.catalog.cache import ParsedCache
from gateway.catalog.edit import add_entry, enable_servers, set_value
from gateway.catalog.fetch import Answer, fetch
from gateway.errors import CatalogError, ConfigError, GatewayError
from gateway.home import Home
from gateway.runtimes.link_notes import LinkNote, read_note, save_note
from gateway.runtimes.process_records import record_process, recorded_process, sweep_processes
from gateway.secrets.store import SecretStore
from gateway.session_records import SessionRecord
from tests.unit.actors.test_listings import NOTHING, enabled

TOP = Path(__file__).parents[2]
URL = "https://example.com/catalog.yaml"
INSTANCE = "0" * 32
SERVER = enabled("one")

Write = Callable[[Home, str], object]
"""Writes the file with content that depends on the text."""


# --- how each is written ----------------------------------------------------------------------------------------


def write_lists(home: Home, text: str) -> None:
    """As the listings do."""
    lists = msgspec.structs.replace(NOTHING, instructions=text)
    trio.run(ListFiles(home).save, SERVER, "legacy", lists)


def write_parsed(home: Home, text: str) -> None:
    """As who reads catalogs does."""
    ParsedCache(home.cache / "parsed").get(str, text.encode(), "", lambda: text)


def write_copy(home: Home, text: str) -> None:
    """As who reads catalogs from URLs does."""
    for kept in (home.cache / "urls").glob("*"):
        # Long ago: or it would not be asked for again.
        record = msgspec.msgpack.decode(kept.read_bytes())
        kept.write_bytes(msgspec.msgpack.encode({**record, "fetched_at": 0.0}))
    fetch(URL, home.cache / "urls", ask=lambda _url, _headers: Answer(200, text.encode()))


def write_words(home: Home, text: str) -> None:
    """As a pool does."""

    async def write() -> None:
        words = LastWords(home)
        words.keep("one", text)
        await cancelled(words.run)

    trio.run(write)


def write_session(home: Home, text: str) -> None:
    """As the sessions do."""

    async def write() -> None:
        store = SessionStore(home.sessions)
        store.keep("id", session(text))
        await cancelled(store.run)

    trio.run(write)


async def cancelled(run: Callable[[], Any]) -> None:
    """What an actor does at its end."""
    with trio.CancelScope() as scope:
        scope.cancel()
        await run()


def session(name: str) -> SessionRecord:
    """A session's record."""
    return SessionRecord(
        principal="p", protocol_version="2025-11-25", client_name=name, capabilities={}
    )


FILES: dict[str, tuple[str, Write]] = {
    "catalogs/*.yaml": (
        "catalogs/*.yaml",
        lambda home, text: add_entry(
            home.catalogs / "custom.yaml", "one", {"image": text}, replace=True
        ),
    ),
    "registry.yaml": (
        "registry.yaml",
        lambda home, text: enable_servers(home.registry, {text: ""}),
    ),
    "config.yaml": (
        "config.yaml",
        lambda home, text: set_value(home.config, "one", ("key",), text),
    ),
    "tools.yaml": ("tools.yaml", lambda home, text: set_value(home.tools, "one", ("key",), text)),
    "secrets.env": (
        "secrets.env",
        lambda home, text: SecretStore(home.secrets).set("name", text),
    ),
    "token": ("token", lambda home, _text: load_token({}, home)),
    "sessions/*.json": ("sessions/*.json", write_session),
    "cache/lists/*.json": ("cache/lists/*.json", write_lists),
    "cache/parsed/*.msgpack": ("cache/parsed/*.msgpack", write_parsed),
    "cache/urls/*.url": ("cache/urls/*.url", write_copy),
    "cache/links/*.json": (
        "cache/links/*.json",
        lambda home, text: save_note(home, "one", LinkNote("attach", text)),
    ),
    "cache/stderr/*.txt": ("cache/stderr/*.txt", write_words),
    "run/id": ("run/id", lambda home, _text: home.identity()),
    "run/key": ("run/key", lambda home, _text: home.hash_key()),
    "run/*.process": (
        "run/*.process",
        lambda home, text: record_process(home, INSTANCE, text, os.getpid()),
    ),
}
EMPTY = {"run/*.lock", "run/*.sock", "run/*.pipes", "secrets.env.lock"}
"""Nothing is written into these: a lock, a socket, pipes."""
OUTSIDE = {"`--log FILE`", "the unpacked code"}
"""Outside of the home."""
MADE_ONCE = {"token", "run/id", "run/key", "cache/parsed/*.msgpack"}
"""Never written again: their content, or their name, is for good."""

every_file = pytest.mark.parametrize("name", FILES)


def written(home: Home, name: str) -> Path:
    """The file of that name, which is there."""
    (path,) = home.root.glob(FILES[name][0])
    return path


def all_files(home: Home) -> set[Path]:
    """All of the home, temporary ones too."""
    return {path for path in home.root.rglob("*") if path.is_file() and path.suffix != ".lock"}


# --- whole or not at all ----------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty home."""
    return Home(tmp_path / "home")


class Disk:
    """A disk that is full at the moment at which bytes must be on it. Counts how often that was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked = 0
        self.full = False
        self._sync = os.fsync
        monkeypatch.setattr(os, "fsync", self.sync)

    def sync(self, descriptor: int) -> None:
        """Stands for `os.fsync`."""
        self.asked += 1
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._sync(descriptor)


@every_file
def test_what_cannot_be_written_leaves_what_was_there(
    home: Home, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither half a file nor a temporary one; whoever comes next finds the old content, or none."""
    write = FILES[name][1]
    disk = Disk(monkeypatch)
    if name not in MADE_ONCE:
        write(home, "old")
        assert disk.asked == 1
        before = written(home, name).read_bytes()
    disk.full = True
    with suppress(OSError, GatewayError):
        write(home, "new")
    assert disk.asked == (1 if name in MADE_ONCE else 2)
    if name in MADE_ONCE:
        assert all_files(home) == set()
    else:
        assert all_files(home) == {written(home, name)}
        assert written(home, name).read_bytes() in {before, aged(name, before)}
    disk.full = False
    write(home, "new")
    assert all_files(home) == {written(home, name)}


def aged(name: str, content: bytes) -> bytes:
    """What `write_copy` makes of a copy before it is fetched again."""
    if name != "cache/urls/*.url":
        return content
    return msgspec.msgpack.encode({**msgspec.msgpack.decode(content), "fetched_at": 0.0})


@every_file
def test_only_its_owner_reads_what_may_be_secret(home: Home, name: str) -> None:
    """Catalogs and their like are for everybody, as Docker's tools write them."""
    FILES[name][1](home, "text")
    public = {"catalogs/*.yaml", "registry.yaml", "config.yaml", "tools.yaml", "cache/lists/*.json"}
    assert written(home, name).stat().st_mode & 0o077 == (0o044 if name in public else 0)


# --- other versions ---------------------------------------------------------------------------------------------


def replaced(home: Home, name: str, change: Callable[[bytes], bytes]) -> Path:
    """The file, written and then changed."""
    FILES[name][1](home, "kept")
    path = written(home, name)
    path.write_bytes(change(path.read_bytes()))
    return path


def with_format(number: int | None, content: bytes, *, codec: Any = msgspec.json) -> bytes:
    """The record with another format; None for one that was written before there was any. A newer one has other fields."""
    record = codec.decode(content)
    record.pop("format")
    if number is None:
        return bytes(codec.encode(record))
    return bytes(codec.encode({"format": number, "other": [1]}))


NEWER = partial(with_format, 999)
EARLY = partial(with_format, None)


def test_lists_of_another_version_are_read_anew(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    """With a sentence; what is written then is of this version."""
    replaced(home, "cache/lists/*.json", NEWER)
    assert ListFiles(home).recall(SERVER) == {}
    assert "newer mcpgw" in str(caplog.records[-1].__dict__)
    write_lists(home, "again")
    assert ListFiles(home).recall(SERVER)["legacy"].instructions == "again"
    replaced(home, "cache/lists/*.json", partial(with_format, 0))
    assert ListFiles(home).recall(SERVER) == {}
    assert "older mcpgw" in str(caplog.records[-1].__dict__)


def test_a_copy_of_a_newer_version_is_fetched_anew(home: Home) -> None:
    """Where the network is away there is none; one from before there were formats is used."""

    def away(_url: str, _headers: object) -> Answer:
        raise CatalogError("no network")

    change = partial(with_format, codec=msgspec.msgpack)
    replaced(home, "cache/urls/*.url", partial(change, None))
    assert fetch(URL, home.cache / "urls", ask=away).content == b"kept"
    replaced(home, "cache/urls/*.url", partial(change, 999))
    with pytest.raises(CatalogError):
        fetch(URL, home.cache / "urls", ask=away)
    fetch(URL, home.cache / "urls", ask=lambda _url, _headers: Answer(200, b"new"))
    assert fetch(URL, home.cache / "urls", ask=away).content == b"new"


def test_parsed_files_of_another_version_are_not_found(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their names hold the version."""
    write_parsed(home, "text")
    monkeypatch.setattr("gateway.__version__", "999.0.0")
    cache = ParsedCache(home.cache / "parsed")
    assert cache.get(str, b"text", "", lambda: "parsed again") == "parsed again"


def test_notes_on_links_of_a_newer_version_are_made_anew(home: Home) -> None:
    """They cost one trial."""
    replaced(home, "cache/links/*.json", EARLY)
    assert read_note(home, "one") == LinkNote("attach", "kept")
    replaced(home, "cache/links/*.json", NEWER)
    assert read_note(home, "one") is None
    newer = msgspec.json.encode({"link": "attach", "why": "", "image": "", "format": 999})
    replaced(home, "cache/links/*.json", lambda _content: newer)
    assert read_note(home, "one") is None


async def test_processes_of_a_newer_version_are_left_to_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Who knows what the record means must find it; `doctor --leaks` shows it as well."""
    home = Home(tmp_path)
    path = record_process(home, INSTANCE, "one", os.getpid())
    content = path.read_bytes()
    path.write_bytes(NEWER(content))
    assert await sweep_processes(home) == []
    assert path.exists()
    assert "newer mcpgw" in str(caplog.records[-1].__dict__)
    assert recorded_process(path) == ("", path.name, True)
    path.write_bytes(EARLY(content))
    assert recorded_process(path)[:2] == ("one", f"process {os.getpid()}")


def test_sessions_of_a_newer_version_stop_the_start(home: Home) -> None:
    """They would be lost otherwise, one by one."""
    path = replaced(home, "sessions/*.json", NEWER)
    kept = path.read_bytes()

    async def load() -> None:
        SessionStore(home.sessions).load()

    with pytest.raises(ConfigError, match="newer mcpgw"):
        trio.run(load)
    assert path.read_bytes() == kept


def test_secrets_of_a_newer_version_are_refused(home: Home) -> None:
    """And not overwritten."""
    path = replaced(home, "secrets.env", lambda text: text.replace(b" v1\n", b" v2\n"))
    kept = path.read_bytes()
    with pytest.raises(ConfigError, match="newer mcpgw"):
        SecretStore(home.secrets).set("other", "value")
    assert path.read_bytes() == kept


@pytest.mark.parametrize("name", ["run/id", "run/key"])
@pytest.mark.parametrize("content", [b"v2 0123", b"", b"\xff\xfe", b"00" * 100])
def test_an_id_or_key_of_another_form_is_refused(home: Home, name: str, content: bytes) -> None:
    """Whoever took it for one of ours would see nothing of what the newer version has made."""
    path = replaced(home, name, lambda _text: content)
    with pytest.raises(ConfigError, match="newer mcpgw, or is damaged"):
        FILES[name][1](home, "")
    assert path.read_bytes() == content


# --- nothing else -----------------------------------------------------------------------------------------------

WRITERS = {
    "gateway/home.py": "the two ways in which all files of the home are written",
    "gateway/auth/bearer.py": "the token, by a link, so that of two creators one wins",
    "gateway/telemetry/log.py": "the file of --log, to which lines are added",
    "gateway/runtimes/ownership.py": "locks",
    "gateway/secrets/store.py": "a lock",
    "gateway/bootstrap/unpack.py": "the unpacked code, and locks",
}
WRITING = {"write_text", "write_bytes", "touch", "mkstemp", "NamedTemporaryFile"}


def writers() -> set[str]:
    """The modules that write files by other means than `write_atomic`."""
    found = set()
    for folder in ("gateway", "actors"):
        for path in (TOP / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and writes(node):
                    found.add(str(path.relative_to(TOP)))
    return found


def writes(call: ast.Call) -> bool:
    """Whether a call writes a file, or opens one for that."""
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    if name in WRITING:
        return True
    if name not in {"open", "fdopen"} or any(word.arg == "fileobj" for word in call.keywords):
        return False
    text = " ".join(map(ast.unparse, [*call.args, *(word.value for word in call.keywords)]))
    return bool(re.search(r"'[rwxab+]*[wxa+][rwxab+]*'|O_CREAT", text))


def test_nothing_else_is_written() -> None:
    """A module that begins to write needs a place in the table, and its files in the tests above."""
    assert writers() == set(WRITERS)


def test_the_page_has_the_same_files() -> None:
    """docs/reliability.md, "Files"."""
    page = (TOP / "docs" / "reliability.md").read_text()
    section = page.partition("## Files\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \|", section, re.MULTILINE)[1:]
    told = {name for row in rows if not row.startswith("--") for name in row.split(", ")}
    known = {f"`{name}`" for name in {*FILES, *EMPTY}} | OUTSIDE
    assert told == known
