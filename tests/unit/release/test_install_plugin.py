"""Installing the plugin without touching another's."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from release.install_plugin import install, is_free, plugin_folder


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where the plugin belongs; nothing is there."""
    return tmp_path / "cli-plugins" / "docker-mcp"


def ours(path: Path) -> Path:
    """A file that looks like a zipapp of ours."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("_mcpgw/start.py", "")
    return path


def test_nothing_and_our_own_older_copy_may_be_replaced(target: Path, tmp_path: Path) -> None:
    """`make plugin` twice is an update; the file is executable."""
    assert is_free(target)
    install(ours(tmp_path / "mcpgw.pyz"), target)
    assert is_free(target)
    assert target.stat().st_mode & 0o777 == 0o755
    assert [path.name for path in target.parent.iterdir()] == ["docker-mcp"]


def test_another_program_is_never_replaced(target: Path, tmp_path: Path) -> None:
    """A binary, another zip, and the link that Docker Desktop makes, dangling or not."""
    target.parent.mkdir()
    target.write_bytes(b"\x7fELF")
    assert not is_free(target)
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("__main__.py", "")
    assert not is_free(target)
    target.unlink()
    target.symlink_to(tmp_path / "nowhere")
    assert not is_free(target)


def test_the_folder_follows_dockers_own_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Docker CLI looks there too."""
    monkeypatch.setenv("DOCKER_CONFIG", "/elsewhere")
    assert plugin_folder() == Path("/elsewhere/cli-plugins")
    monkeypatch.delenv("DOCKER_CONFIG")
    monkeypatch.setenv("HOME", "/home/someone")
    assert plugin_folder() == Path("/home/someone/.docker/cli-plugins")
