"""mcpgw.pyz as people get it: on each Python, at its first start, without a home, built twice."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
VERSIONS = ("3.11", "3.12", "3.13")
FIRST_START = "mcpgw: first start, unpacking to "

pytestmark = pytest.mark.slow


def find_python(version: str) -> str | None:
    """An interpreter of that version which really runs; a version manager's shim may not."""
    managed = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    candidates = [f"python{version}", *map(str, managed.glob(f"{version}.*/bin/python"))]
    for candidate in candidates:
        if path := shutil.which(candidate):
            asked = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
            if asked.stdout.startswith(f"Python {version}."):
                return path
    return None


def run(
    *words: str, environ: Mapping[str, str], script: Path, python: str = sys.executable
) -> subprocess.CompletedProcess[str]:
    """Runs the file under a Python, with nothing in its environment but what is given."""
    command = [python, script, *words]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


def test_it_starts_on_each_python(pyz: Path, environ: dict[str, str], tmp_path: Path) -> None:
    """Each that is installed, the one that runs this test at least."""
    pythons = [python for version in VERSIONS if (python := find_python(version)) is not None]
    assert pythons
    for number, python in enumerate(pythons):
        home = tmp_path / f"home-{number}"
        home.mkdir()
        start_on(python, pyz, {**environ, "HOME": str(home)})


def start_on(python: str, pyz: Path, environ: dict[str, str]) -> None:
    """Starts the file twice, and finds the compiled modules that this Python's own wheels brought."""
    first = run("version", environ=environ, python=python, script=pyz)
    assert first.returncode == 0, first.stderr
    assert first.stderr.startswith(FIRST_START)
    assert first.stdout.startswith("mcpgw ")
    again = run("version", environ=environ, python=python, script=pyz)
    assert (again.returncode, again.stderr, again.stdout) == (0, "", first.stdout)
    modules = "trio trio_websocket hypercorn.trio docker msgspec yaml cryptography.x509 httpx watchfiles ruamel.yaml"
    site = next(Path(environ["HOME"]).glob(".cache/mcpgw/mcpgw-*/site-packages"))
    imported = subprocess.run(
        [python, "-S", "-c", f"import {', '.join(modules.split())}"],
        env={**environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert imported.returncode == 0, imported.stderr


def test_the_file_is_executable_and_names_its_interpreter(
    pyz: Path, environ: dict[str, str], tmp_path: Path
) -> None:
    """`./mcpgw.pyz`, from any folder, and through a link."""
    link = tmp_path / "mcpgw"
    link.symlink_to(pyz)
    started = subprocess.run(
        [link, "version"], env=environ, cwd="/", capture_output=True, check=False
    )
    assert started.returncode == 0, started.stderr
    with pyz.open("rb") as file:
        assert file.readline() == b"#!/usr/bin/env python3\n"


def test_other_pythons_get_one_sentence(pyz: Path, environ: dict[str, str]) -> None:
    """It names the version and the way out, instead of a traceback; a Python that says that it is 3.10 stands in."""
    pretend = (
        "import sys, runpy; sys.version_info = (3, 10, 13, 'final', 0); runpy.run_path(sys.argv[1])"
    )
    refused = subprocess.run(
        [sys.executable, "-c", pretend, pyz],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 1
    assert "does not run on Python 3.10; run it as: python3.13 " in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_a_home_that_cannot_be_written_is_no_obstacle(pyz: Path, environ: dict[str, str]) -> None:
    """The files go to the temporary folder, readable for this user only."""
    Path(environ["HOME"], ".cache").write_text("in the way, as a read-only home would be")
    started = run("version", environ=environ, script=pyz)
    assert started.returncode == 0, started.stderr
    root = Path(environ["TMPDIR"], f"mcpgw-{os.geteuid()}")
    assert f"{FIRST_START}{root} " in started.stderr
    assert root.stat().st_mode & 0o777 == 0o700
    assert run("version", environ=environ, script=pyz).stderr == ""


def test_no_home_at_all_is_no_obstacle(pyz: Path, environ: dict[str, str]) -> None:
    """Services are often started without one."""
    started = run(
        "version", environ={"PATH": environ["PATH"], "TMPDIR": environ["TMPDIR"]}, script=pyz
    )
    assert started.returncode == 0, started.stderr


def test_packages_installed_elsewhere_are_not_mixed_in(
    pyz: Path, environ: dict[str, str], tmp_path: Path
) -> None:
    """A module that PYTHONPATH holds under the name of one of ours is not imported."""
    (tmp_path / "msgspec.py").write_text("raise SystemExit('the wrong msgspec')")
    (tmp_path / "gateway.py").write_text("raise SystemExit('the wrong gateway')")
    started = run("version", environ={**environ, "PYTHONPATH": str(tmp_path)}, script=pyz)
    assert started.returncode == 0, started.stderr


def test_bytecode_is_kept_even_where_people_forbid_it(pyz: Path, environ: dict[str, str]) -> None:
    """Their variable is about source trees; without bytecode each start takes a second longer."""
    started = run("version", environ={**environ, "PYTHONDONTWRITEBYTECODE": "1"}, script=pyz)
    assert started.returncode == 0, started.stderr
    assert any(Path(environ["HOME"]).glob(".cache/mcpgw/*/site-packages/gateway/**/*.pyc"))


def test_first_starts_at_once_do_not_disturb_each_other(pyz: Path, environ: dict[str, str]) -> None:
    """A desktop client starts all its entries at the same time."""
    starts = [
        subprocess.Popen(
            [sys.executable, pyz, "version"],
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    outputs = [start.communicate() for start in starts]
    assert [start.returncode for start in starts] == [0] * 4, outputs
    assert all(out.startswith("mcpgw ") for out, _ in outputs)
    assert sum(FIRST_START in err for _, err in outputs) == 1


@pytest.fixture
def other_build(pyz: Path, tmp_path: Path) -> Path:
    """The same program as another build."""
    path = tmp_path / "other.pyz"
    with zipfile.ZipFile(pyz) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "__main__.py":
                old = content.split(b"build_id='")[1][:16]
                content = content.replace(old, b"0" * 16)
            target.writestr(name, content)
    return path


def test_the_files_of_older_builds_are_removed(
    pyz: Path, other_build: Path, environ: dict[str, str]
) -> None:
    """The cache holds one build, however often people update."""
    for script in (other_build, pyz):
        assert run("version", environ=environ, script=script).returncode == 0
    builds = [path.name for path in Path(environ["HOME"], ".cache/mcpgw").glob("mcpgw-*")]
    assert len(builds) == 1
    assert builds != ["mcpgw-" + "0" * 16]


def test_two_builds_have_the_same_bytes(tmp_path: Path) -> None:
    """Whoever builds, whenever: people can check what they were given."""
    builds = {tmp_path / "mine.pyz": 0o022, tmp_path / "yours.pyz": 0o077}
    for path, umask in builds.items():
        command = [sys.executable, "-m", "release.build_pyz", "--output", path]
        subprocess.run(command, cwd=TOP, check=True, umask=umask)
    mine, yours = (hashlib.sha256(path.read_bytes()).hexdigest() for path in builds)
    assert mine == yours
