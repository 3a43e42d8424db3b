"""Uniting the wheels of several Python versions."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from release.wheels import BuildError, download, unite, wheel_tags


def wheel(path: Path, files: dict[str, str]) -> Path:
    """A wheel with these files."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_extension_modules_of_several_versions_lie_side_by_side(tmp_path: Path) -> None:
    """And what is the same in all of them is there once."""
    wheels = [
        wheel(
            tmp_path / f"thing-1-{tag}.whl", {f"thing/fast.{tag}.so": tag, "thing/__init__.py": ""}
        )
        for tag in ("cp311", "cp312")
    ]
    unite(wheels, tmp_path / "site")
    found = {path.name for path in (tmp_path / "site/thing").iterdir()}
    assert found == {"__init__.py", "fast.cp311.so", "fast.cp312.so"}


def test_two_contents_for_one_name_end_the_build(tmp_path: Path) -> None:
    """One of the versions would run what was made for another."""
    wheels = [
        wheel(tmp_path / f"thing-1-{tag}.whl", {"thing/__init__.py": f"tag = {tag!r}"})
        for tag in ("cp311", "cp312")
    ]
    with pytest.raises(
        BuildError, match=r"thing/__init__\.py differs between .*cp311.* and .*cp312"
    ):
        unite(wheels, tmp_path / "site")


def test_what_no_running_program_needs_stays_out(tmp_path: Path) -> None:
    """Metadata and licences stay; the parts for installed environments go."""
    files = [
        "thing/__init__.py",
        "thing/__init__.pyi",
        "thing/py.typed",
        "thing/_tests/test_it.py",
        "thing-1.dist-info/METADATA",
        "thing-1.dist-info/licenses/LICENSE",
        "thing-1.dist-info/RECORD",
        "thing-1.dist-info/WHEEL",
        "thing-1.data/purelib/other.py",
        "thing-1.data/scripts/thing",
    ]
    unite([wheel(tmp_path / "thing-1.whl", dict.fromkeys(files, ""))], tmp_path / "site")
    site = tmp_path / "site"
    assert {str(path.relative_to(site)) for path in site.rglob("*") if path.is_file()} == {
        "thing/__init__.py",
        "thing-1.dist-info/METADATA",
        "thing-1.dist-info/licenses/LICENSE",
        "other.py",
    }


def test_wheel_tags_follow_the_platform() -> None:
    """Best first, and none newer than the oldest glibc that is promised."""
    assert wheel_tags("linux-aarch64-glibc")[0] == "manylinux_2_28_aarch64"
    assert wheel_tags("linux-x86_64-musl") == ["musllinux_1_2_x86_64", "musllinux_1_1_x86_64"]
    assert wheel_tags("darwin-arm64") == ["macosx_12_0_arm64"]
    with pytest.raises(BuildError, match="plan9-mips"):
        wheel_tags("plan9-mips")


def test_a_lock_with_markers_ends_the_build(tmp_path: Path) -> None:
    """Pip would judge them by the Python that builds, not by the one that runs."""
    lock = tmp_path / "requirements.txt"
    lock.write_text("thing==1 ; python_version < '3.12' \\\n    --hash=sha256:00\n")
    with pytest.raises(BuildError, match="markers"):
        download(lock, python="3.12", platform="linux-x86_64-glibc", into=tmp_path / "cache")
