"""Where unpacked files may lie, and the marks of who uses them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.bootstrap import cache

BUILD = "0123456789abcdef"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty root that `MCPGW_CACHE` names."""
    folder = tmp_path / "root"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("MCPGW_CACHE", str(folder))
    return folder


def unpacked(root: Path, build_id: str = BUILD) -> Path:
    """The folder of a build, complete."""
    folder = root / cache.folder_name(build_id)
    folder.mkdir()
    (folder / cache.LOCK).touch()
    return folder


def test_the_roots_come_in_order_of_preference(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a person names, the home's cache, a temporary folder of this user."""
    monkeypatch.setenv("MCPGW_CACHE", "/chosen")
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.setenv("TMPDIR", "/scratch")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert list(cache.roots()) == [
        "/chosen",
        "/home/someone/.cache/mcpgw",
        f"/scratch/mcpgw-{os.geteuid()}",
    ]
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert "/xdg/mcpgw" in cache.roots()


def test_without_a_home_the_temporary_folder_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Services often have no HOME."""
    for name in ("MCPGW_CACHE", "XDG_CACHE_HOME", "HOME", "TMPDIR"):
        monkeypatch.delenv(name, raising=False)
    assert list(cache.roots()) == [f"/tmp/mcpgw-{os.geteuid()}"]


def test_a_complete_build_is_found(root: Path) -> None:
    """The folder that holds the lock is the one."""
    folder = unpacked(root)
    assert cache.find(BUILD) == str(folder)
    assert cache.find("f" * 16) is None


def test_a_build_without_its_lock_is_not_found(root: Path) -> None:
    """The lock is written last: without it the files may be half there."""
    (unpacked(root) / cache.LOCK).unlink()
    assert cache.find(BUILD) is None


@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_a_root_that_others_can_write_is_not_trusted(root: Path, mode: int) -> None:
    """We would import what they put there."""
    unpacked(root)
    root.chmod(mode)
    assert not cache.is_trusted(str(root))
    assert cache.find(BUILD) is None


def test_a_symbolic_link_is_not_trusted(root: Path, tmp_path: Path) -> None:
    """Anyone can put one into a temporary folder."""
    link = tmp_path / "link"
    link.symlink_to(root)
    assert not cache.is_trusted(str(link))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away")
def test_a_folder_below_another_users_home_is_not_trusted(root: Path) -> None:
    """He could put another in its place: `sudo -E` must not run what lies there."""
    os.chown(root.parent, 12345, 12345)
    assert not cache.is_trusted(str(root))


def test_a_build_can_be_in_use_by_many(root: Path) -> None:
    """The lock is shared."""
    folder = str(unpacked(root))
    locks = [cache.enter(folder), cache.enter(folder)]
    assert None not in locks
    for lock in locks:
        os.close(lock or 0)


@pytest.mark.parametrize(
    ("name", "is_build"),
    [
        ("mcpgw-0123456789abcdef", True),
        ("mcpgw-0123456789abcde", False),
        ("mcpgw-0123456789abcdeg", False),
        ("0123456789abcdef", False),
        ("pip", False),
    ],
)
def test_only_our_own_folders_are_taken_for_builds(name: str, is_build: bool) -> None:  # noqa: FBT001 - a column
    """A root may be a folder that others use too."""
    assert cache.is_folder_name(name) is is_build
