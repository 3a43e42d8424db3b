"""npm where a wheel brings it: its environment, and the locks that say what it installs. Must not know where it installs to.

A lock holds every package with its version and hash, so that a run is the same everywhere and later on; it has no addresses,
for packages come from whatever registry the machine has configured. `python -m tests.npm NAME PACKAGE...` makes one anew.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

LOCKS: Final = Path(__file__).parent / "npm_locks"
_CERTIFICATES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
_LOCK_TIMEOUT_S: Final = 300.0


def npm_environ(programs: Path) -> dict[str, str]:
    """Our environment with the folder of `node` first, and the machine's certificates trusted."""
    environ = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    if _CERTIFICATES.exists():
        environ.setdefault("NODE_EXTRA_CA_CERTS", str(_CERTIFICATES))
    return environ


def lock_of(packages: Sequence[str]) -> str:
    """The lock of these packages, each `name@version`.

    Raises:
        LookupError: nobody has made one.
    """
    wanted = _versions(packages)
    for path in sorted(LOCKS.glob("*.json")):
        text = path.read_text(encoding="utf-8")
        if json.loads(text)["packages"][""]["dependencies"] == wanted:
            return text
    raise LookupError(f"no lock of {' '.join(packages)}: run python -m tests.npm NAME PACKAGE...")


def project(packages: Sequence[str]) -> str:
    """The `package.json` that belongs to that lock."""
    return json.dumps(
        {
            "name": "tests",
            "private": True,
            "type": "module",
            "dependencies": _versions(packages),
        }
    )


def without_addresses(lock: Mapping[str, Any]) -> str:
    """The text of a lock that holds for every registry."""
    kept = {
        name: {key: value for key, value in entry.items() if key not in {"resolved", "funding"}}
        for name, entry in lock["packages"].items()
    }
    return json.dumps({**lock, "packages": kept}, indent=1) + "\n"


def _versions(packages: Sequence[str]) -> dict[str, str]:
    split = [one.rpartition("@") for one in packages]
    return {name: version for name, _, version in split}


def _make(name: str, packages: Sequence[str]) -> None:
    from tests.clients import node_programs  # it needs the locks itself

    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "package.json").write_text(project(packages), encoding="utf-8")
        subprocess.run(
            ["npm", "install", "--silent", "--package-lock-only"],
            cwd=folder,
            env=npm_environ(node_programs()),
            check=True,
            timeout=_LOCK_TIMEOUT_S,
        )
        lock = json.loads((folder / "package-lock.json").read_text(encoding="utf-8"))
    (LOCKS / f"{name}.json").write_text(without_addresses(lock), encoding="utf-8")


if __name__ == "__main__":
    _make(sys.argv[1], sys.argv[2:])
