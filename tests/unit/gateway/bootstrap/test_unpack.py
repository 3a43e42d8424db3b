"""Unpacking at a first start: where, once, and what is removed."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.bootstrap import cache
from gateway.bootstrap.unpack import unpack

OLD, NEW = "0" * 16, "1" * 16


@pytest.fixture
def archive(tmp_path: Path) -> str:
    """A zipapp with one file for site-packages and one of its own."""
    path = tmp_path / "app.pyz"
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr("site-packages/thing/__init__.py", "answer = 42\n")
        opened.writestr("__main__.py", "")
    return str(path)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The root that `MCPGW_CACHE` names; it does not exist yet. The home and TMPDIR are elsewhere."""
    monkeypatch.setenv("MCPGW_CACHE", str(tmp_path / "root"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    return tmp_path / "root"


def leave(root: Path) -> None:
    """Closes what marks builds as in use. A process keeps that until it ends; a test must not."""
    for entry in Path("/dev/fd").iterdir():
        target = os.path.realpath(entry)
        if target.startswith(str(root)) and target.endswith(f"/{cache.LOCK}"):
            os.close(int(entry.name))


@pytest.fixture(autouse=True)
def marks_given_back(tmp_path: Path) -> Iterator[None]:
    """Leaves all builds after each test."""
    yield
    leave(tmp_path)


def names(root: Path) -> set[str]:
    """What lies in the root, but for the lock of those who unpack."""
    return {path.name for path in root.iterdir()} - {".turn"}


def test_the_first_start_unpacks_and_says_so(
    archive: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line on stderr, nothing on stdout; only what is imported is unpacked."""
    folder = Path(unpack(archive, NEW))
    assert folder == root / f"mcpgw-{NEW}"
    assert (folder / "site-packages/thing/__init__.py").read_text() == "answer = 42\n"
    assert names(folder) == {"site-packages", cache.LOCK}
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("mcpgw: first start, unpacking to ")
    assert output.err.count("\n") == 1


def test_who_comes_second_finds_it_done(
    archive: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says nothing either."""
    unpack(archive, NEW)
    capsys.readouterr()
    assert unpack(archive, NEW) == str(root / f"mcpgw-{NEW}")
    assert capsys.readouterr().err == ""


def test_a_closed_stderr_is_no_obstacle(
    archive: str, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And stdout, which carries the protocol, stays clean."""
    monkeypatch.setattr(sys, "stderr", None)
    assert Path(unpack(archive, NEW)).parent == root
    assert capsys.readouterr().out == ""


def test_a_build_that_nobody_runs_is_removed(archive: str, root: Path) -> None:
    """So are the remains of those who died half-way; what is not ours stays."""
    unpack(archive, OLD)
    leave(root)
    (root / ".mcpgw-partial-xyz").mkdir()
    (root / "others").mkdir()
    (root / "others" / cache.LOCK).touch()
    unpack(archive, NEW)
    assert names(root) == {f"mcpgw-{NEW}", "others"}


def test_a_build_that_someone_runs_is_kept(archive: str, root: Path) -> None:
    """A gateway imports some modules only when it needs them."""
    unpack(archive, OLD)
    unpack(archive, NEW)
    assert names(root) == {f"mcpgw-{OLD}", f"mcpgw-{NEW}"}


def test_a_damaged_build_is_unpacked_again(archive: str, root: Path) -> None:
    """Those who tidy temporary folders take files out of it."""
    folder = Path(unpack(archive, NEW))
    leave(root)
    (folder / cache.LOCK).unlink()
    (folder / "site-packages/thing/__init__.py").unlink()
    assert unpack(archive, NEW) == str(folder)
    assert (folder / "site-packages/thing/__init__.py").exists()
    assert names(root) == {folder.name}


def test_a_root_that_cannot_be_used_is_passed_over(
    archive: str, root: Path, tmp_path: Path
) -> None:
    """The next one in order is taken."""
    root.mkdir()
    root.chmod(0o777)
    (tmp_path / "home").write_text("not a folder")
    (tmp_path / "scratch").mkdir()
    assert Path(unpack(archive, NEW)).parent == tmp_path / "scratch" / f"mcpgw-{os.geteuid()}"


def test_without_any_usable_root_one_sentence_names_them_all(
    archive: str, root: Path, tmp_path: Path
) -> None:
    """And says which variable helps."""
    for name in ("root", "home", "scratch"):
        (tmp_path / name).write_text("not a folder")
    with pytest.raises(
        OSError, match=r"no folder to unpack into: .*root .*home.*scratch.*MCPGW_CACHE"
    ):
        unpack(archive, NEW)
    assert root.is_file()


@pytest.mark.slow
def test_many_first_starts_at_once_unpack_once(archive: str, root: Path) -> None:
    """All of them run, and nothing half-done is left."""
    starts = [
        subprocess.Popen(
            [sys.executable, "-c", _UNPACK, archive, NEW],
            stderr=subprocess.PIPE,
            text=True,
            cwd=_TOP,
        )
        for _ in range(6)
    ]
    said = [start.communicate()[1] for start in starts]
    assert [start.returncode for start in starts] == [0] * 6
    assert sum("first start" in text for text in said) == 1
    assert names(root) == {f"mcpgw-{NEW}"}


_TOP = Path(__file__).parents[4]
_UNPACK = "import sys; from gateway.bootstrap.unpack import unpack; unpack(*sys.argv[1:])"
