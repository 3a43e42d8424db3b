"""Sessions that outlive their gateway."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.session_store import SessionStore
from gateway import limits
from gateway.session_records import SessionRecord

RECORD = SessionRecord(
    principal="token",
    protocol_version="2025-11-25",
    client_name="cli",
    capabilities={"roots": msgspec.Raw(b"{}")},
    subscriptions={"x://1": "fake"},
)


async def written(store: SessionStore) -> None:
    """Lets the store write what it has to, and end."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(store.run)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()


def kept(folder: Path) -> list[Path]:
    """The files of a store."""
    return list(folder.iterdir())


def loaded(folder: Path) -> SessionStore:
    """The store of the next gateway."""
    store = SessionStore(folder)
    store.load()
    return store


async def test_the_next_gateway_finds_a_session_once(tmp_path: Path) -> None:
    """Its id is needed for it, and is nowhere on the disk; nor may others read the folder."""
    folder = tmp_path / "sessions"
    first = SessionStore(folder)
    first.keep("the-id", RECORD)
    await written(first)
    (path,) = kept(folder)
    assert "the-id" not in path.name
    assert b"the-id" not in path.read_bytes()
    assert (folder.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (0o700, 0o600)
    second = loaded(folder)
    assert second.take("another-id", "token") is None
    assert second.take("the-id", "somebody else") is None
    assert second.take("the-id", "token") == RECORD
    assert second.take("the-id", "token") is None


async def test_an_ended_session_is_forgotten(tmp_path: Path) -> None:
    """Whether it was written already or not."""
    store = SessionStore(tmp_path)
    store.keep("a", RECORD)
    await written(store)
    store.keep("b", RECORD)
    store.forget("a")
    store.forget("b")
    await written(store)
    assert kept(tmp_path) == []
    assert loaded(tmp_path).take("a", "token") is None


async def test_what_nobody_comes_back_to_is_removed(
    tmp_path: Path, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    """In the time after which idle sessions end."""
    first = SessionStore(tmp_path)
    first.keep("a", RECORD)
    await written(first)
    second = loaded(tmp_path)
    nursery.start_soon(second.run)
    await trio.sleep(limits.SESSION_IDLE_S + 1)
    while kept(tmp_path):  # noqa: ASYNC110 -- a thread removes it, and has no event
        await trio.sleep(0.01)
    assert second.take("a", "token") is None


async def test_what_is_no_record_is_removed(tmp_path: Path) -> None:
    """It would be looked at with each start."""
    (tmp_path / "cut.json").write_text("{")
    store = loaded(tmp_path)
    await written(store)
    assert kept(tmp_path) == []


async def test_a_folder_that_cannot_be_written_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Sessions go on; they will not survive, and the operator knows."""
    (tmp_path / "sessions").write_text("a file")
    store = SessionStore(tmp_path / "sessions")
    store.keep("a", RECORD)
    store.keep("b", RECORD)
    await written(store)
    assert [record.message for record in caplog.records] == ["sessions_not_kept"]
