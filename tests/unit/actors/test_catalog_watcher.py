"""The catalog-watcher, over real files: what it publishes, and what it keeps to itself."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from actors import catalog_watcher as module
from actors.catalog_watcher import CatalogWatcher, fingerprint, watch_folders
from gateway.catalog.model import Snapshot
from gateway.catalog.snapshot import SnapshotDiff
from gateway.configuration import load_snapshot, watched_paths
from gateway.errors import CatalogError
from gateway.secrets.store import SecretStore
from tests.fakes.catalogs import HomeFolder

ONE = "registry: {a: {image: a, secrets: [{name: s, env: S}]}, b: {image: b}}"


class Watched:
    """A home under watch; what was published arrives at `published`."""

    def __init__(
        self, house: HomeFolder, *, watch_files: bool = True, initial: bool = True
    ) -> None:
        self.house = house
        self.loads = 0
        self.publishing, self.published = trio.open_memory_channel[tuple[Snapshot, SnapshotDiff]](9)
        self.watcher = CatalogWatcher(
            self.load,
            lambda: watched_paths(house.options(), {}),
            lambda snapshot, diff: self.publishing.send_nowait((snapshot, diff)),
            initial=house.load(enable_all_servers=True) if initial else None,
            watch_files=watch_files,
        )

    def load(self) -> Snapshot:
        """Loads the home, and counts."""
        self.loads += 1
        return load_snapshot(self.house.options(enable_all_servers=True), {})

    async def next(self) -> SnapshotDiff:
        """The next published difference."""
        with trio.fail_after(10):
            _, diff = await self.published.receive()
        return diff

    async def loaded(self, count: int) -> None:
        """Returns once there were so many loads."""
        with trio.fail_after(10):
            while self.loads < count:  # noqa: ASYNC110 - loads happen in a thread
                await trio.sleep(0.01)

    def quiet(self) -> bool:
        """Whether nothing was published."""
        return self.published.statistics().current_buffer_used == 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Runs the watcher around the block; once cancelled, it must be gone within 0.3 s."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.watcher.run)
            await trio.sleep(0.05)
            yield
            before = trio.current_time()
            nursery.cancel_scope.cancel()
        assert trio.current_time() - before < 0.3
        self.publishing.close()
        self.published.close()

    def replace(self, name: str, text: str) -> None:
        """Replaces a file as editors do: a new file, renamed over the old one."""
        path = self.house.root / name
        temporary = self.house.write(f"{name}.new", text)
        temporary.rename(path)


@pytest.fixture
def house(tmp_path: Path) -> HomeFolder:
    """A home with one catalog."""
    folder = HomeFolder(tmp_path / "home")
    folder.write("catalogs/one.yaml", ONE)
    return folder


@pytest.fixture
def warnings() -> Iterator[list[logging.LogRecord]]:
    """Warnings of the watcher."""
    records: list[logging.LogRecord] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    handler = Keep(logging.WARNING)
    logger = logging.getLogger("mcpgw.catalog")
    logger.addHandler(handler)
    yield records
    logger.removeHandler(handler)


@pytest.mark.slow
async def test_real_changes_are_published_once(house: HomeFolder) -> None:
    """Atomic renames, new files, removals, secrets."""
    watched = Watched(house)
    async with watched.running():
        watched.replace("catalogs/one.yaml", ONE.replace("image: b", "image: b2"))
        assert await watched.next() == SnapshotDiff(changed=("b",))
        house.write("catalogs/two.yaml", "registry: {c: {image: c}}")
        assert await watched.next() == SnapshotDiff(added=("c",))
        SecretStore(house.root / "secrets.env").set("s", "value")
        assert await watched.next() == SnapshotDiff(changed=("a",))
        house.write("tools.yaml", "a: [x]")
        assert await watched.next() == SnapshotDiff(relisted=("a",))
        (house.root / "catalogs" / "two.yaml").unlink()
        assert await watched.next() == SnapshotDiff(removed=("c",))
        assert watched.quiet()


@pytest.mark.slow
async def test_changes_that_change_nothing_are_not_published(house: HomeFolder) -> None:
    """A comment, a description, a touched file."""
    watched = Watched(house)
    async with watched.running():
        await watched.loaded(1)
        watched.replace("catalogs/one.yaml", f"# hello\n{ONE}")
        await watched.loaded(2)
        watched.replace("catalogs/one.yaml", ONE.replace("image: b", "image: b, title: B"))
        await watched.loaded(3)
        house.write("catalogs/two.yaml", "registry: {c: {image: c}}")
        assert await watched.next() == SnapshotDiff(added=("c",))
        assert watched.quiet()


@pytest.mark.slow
async def test_broken_file_keeps_the_last_good_snapshot(
    house: HomeFolder, warnings: list[logging.LogRecord]
) -> None:
    """Said once, and mended without a restart; another broken entry costs only itself."""
    watched = Watched(house)
    async with watched.running():
        await watched.loaded(1)
        watched.replace("catalogs/one.yaml", "registry: {a: {")
        await watched.loaded(2)
        house.write("catalogs/two.yaml", "registry: {c: {image: c}}")
        await watched.loaded(3)
        watched.watcher.reload()
        await watched.loaded(4)
        assert watched.quiet()
        assert watched.watcher.current is not None
        assert list(watched.watcher.current.servers) == ["a", "b"]
        watched.replace("catalogs/one.yaml", ONE.replace("image: b", "image: [b]"))
        assert await watched.next() == SnapshotDiff(added=("c",), removed=("b",))
    assert len(warnings) == 2


@pytest.mark.slow
async def test_home_that_comes_into_being_is_seen(tmp_path: Path) -> None:
    """Not even its parent exists at the start."""
    watched = Watched(HomeFolder(tmp_path / "not" / "yet" / "home"))
    async with watched.running():
        await watched.loaded(1)
        watched.house.write("catalogs/one.yaml", ONE)
        diff = await watched.next()
        assert set(diff.added) >= {"a", "b"}


@pytest.mark.slow
async def test_where_the_kernel_is_blind_files_are_polled(
    house: HomeFolder, monkeypatch: pytest.MonkeyPatch, warnings: list[logging.LogRecord]
) -> None:
    """As in shared folders, and past the limit of kernel watches. Said once."""

    def refuse(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(module, "_open_watch", refuse)
    monkeypatch.setattr(module, "WATCH_POLL_S", 0.05)
    watched = Watched(house)
    async with watched.running():
        for image in ("b2", "b3"):
            watched.replace("catalogs/one.yaml", ONE.replace("image: b", f"image: {image}"))
            assert await watched.next() == SnapshotDiff(changed=("b",))
    assert len(warnings) == 1


@pytest.mark.slow
async def test_reload_reads_without_watching(house: HomeFolder) -> None:
    """SIGHUP works with `--watch=false`, too; many are one."""
    watched = Watched(house, watch_files=False)
    async with watched.running():
        house.write("catalogs/two.yaml", "registry: {c: {image: c}}")
        for _ in range(5):
            watched.watcher.reload()
        assert await watched.next() == SnapshotDiff(added=("c",))
        assert watched.loads == 1


async def test_first_snapshot_is_loaded_where_none_is_given(house: HomeFolder) -> None:
    """And published as a whole."""
    watched = Watched(house, watch_files=False, initial=False)
    assert repr(watched.watcher) == "<CatalogWatcher nothing>"
    async with watched.running():
        assert await watched.next() == SnapshotDiff(added=("a", "b"))
    assert repr(watched.watcher) == "<CatalogWatcher 2 servers>"


async def test_failing_first_load_is_the_supervisors_business(tmp_path: Path) -> None:
    """There is nothing to keep in force."""

    def load() -> Snapshot:
        raise CatalogError("nothing there")

    watcher = CatalogWatcher(load, tuple, lambda _snapshot, _diff: None)
    with pytest.raises(CatalogError):
        await watcher.run()


@pytest.mark.slow
async def test_failing_later_load_keeps_the_snapshot(
    house: HomeFolder, warnings: list[logging.LogRecord]
) -> None:
    """A file that the command line names was deleted."""
    watched = Watched(house, watch_files=False)
    broken = True

    def load() -> Snapshot:
        watched.loads += 1
        if broken:
            raise CatalogError("--catalog x: there is no file x")
        return load_snapshot(house.options(enable_all_servers=True), {})

    watched.watcher._load = load
    async with watched.running():
        for count in (1, 2):
            watched.watcher.reload()
            await watched.loaded(count)
        house.write("catalogs/two.yaml", "registry: {c: {image: c}}")
        broken = False
        watched.watcher.reload()
        assert await watched.next() == SnapshotDiff(added=("c",))
    assert len(warnings) == 1


@pytest.mark.slow
async def test_cancelling_is_quick_and_running_again_works(house: HomeFolder) -> None:
    """The watching thread ends with it; a supervisor may start it anew."""
    watched = Watched(house)
    for _ in range(2):
        with trio.move_on_after(0.2):
            await watched.watcher.run()
        before = trio.current_time()
        with trio.move_on_after(0.1):
            await watched.watcher.run()
        assert trio.current_time() - before < 0.4
    async with watched.running():
        watched.replace("catalogs/one.yaml", ONE.replace("image: b", "image: b2"))
        assert await watched.next() == SnapshotDiff(changed=("b",))


def test_folders_are_those_that_exist(tmp_path: Path) -> None:
    """A file's parent, a missing one's nearest ancestor, a link's target."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").touch()
    (tmp_path / "link").symlink_to("real/file")
    assert watch_folders((tmp_path / "a" / "b" / "c",)) == {tmp_path}
    assert watch_folders((tmp_path / "real",)) == {tmp_path, tmp_path / "real"}
    assert watch_folders((tmp_path / "link",)) == {tmp_path, tmp_path / "real"}


def test_fingerprint_sees_files_below_folders(tmp_path: Path) -> None:
    """Changes, new files, removals; but not what lies deeper."""
    seen = [fingerprint((tmp_path, tmp_path / "other"))]
    for act in (
        lambda: (tmp_path / "new").write_text("a"),
        lambda: (tmp_path / "new").write_text("bc"),
        lambda: (tmp_path / "other").write_text(""),
        (tmp_path / "new").unlink,
    ):
        act()
        seen.append(fingerprint((tmp_path, tmp_path / "other")))
    assert len(set(map(repr, seen))) == 5
    assert fingerprint((tmp_path,)) == fingerprint((tmp_path,))
