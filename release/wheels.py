"""Fetches the locked wheels of several Python versions and unites them in one folder. Must not know zipapps.

A wheel is a zip, and what is imported from it lies at its top or in `<name>.data/purelib|platlib`. Extension modules
carry their Python version in their names, so the wheels of several versions fit side by side; where two of them hold
different bytes under one name, the union would be a lie, and the build ends.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

GLIBC_MINIMUM: Final = (2, 28)
"""The oldest glibc the file promises to run on (Debian 10, RHEL 8): no newer wheel is picked."""

WHEEL_TAGS: Final = {
    "linux-{arch}-glibc": (
        "manylinux_2_28_{arch}",
        "manylinux_2_17_{arch}",
        "manylinux2014_{arch}",
        "manylinux_2_12_{arch}",
        "manylinux2010_{arch}",
        "manylinux_2_5_{arch}",
        "manylinux1_{arch}",
    ),
    "linux-{arch}-musl": ("musllinux_1_2_{arch}", "musllinux_1_1_{arch}"),
    # pip itself adds the older releases and universal2.
    "darwin-{arch}": ("macosx_12_0_{arch}",),
}
"""Platform of a zipapp to the wheel tags it takes, best first."""

_PRUNED: Final = re.compile(
    r"""
      \.pyi$ | /py\.typed$                                     # for type checkers
    | (^|/)_tests/ | \.(c|h|pxd|pyx)$                          # for the makers of the packages
    | \.dist-info/(RECORD|WHEEL|INSTALLER|REQUESTED|top_level\.txt)$  # pip's bookkeeping: one wheel's, not the union's
    | \.dist-info/sboms/                                       # differ from wheel to wheel
    """,
    re.VERBOSE,
)
"""What is left out. Every file costs time at each start: Python reads the zip's whole directory. Licences stay."""


class BuildError(Exception):
    """The build cannot go on; the message says why in one sentence."""


def wheel_tags(platform: str) -> list[str]:
    """The wheel tags of a platform such as `linux-x86_64-glibc`.

    Raises:
        BuildError: wheels for that platform are not known here.
    """
    for pattern, tags in WHEEL_TAGS.items():
        head, _, tail = pattern.partition("{arch}")
        if platform.startswith(head) and platform.endswith(tail):
            arch = platform.removeprefix(head).removesuffix(tail)
            if arch and "-" not in arch:
                return [tag.format(arch=arch) for tag in tags]
    raise BuildError(
        f"no wheel tags are known for {platform}: add them to WHEEL_TAGS in {__file__}"
    )


def download(lock: Path, *, python: str, platform: str, into: Path) -> list[Path]:
    """The wheels that the lock pins for one Python version, sorted by name; fetched unless they are there.

    Args:
        lock: a requirements file with hashes; pip checks them.
        python: such as `3.12`.
        platform: a platform of `WHEEL_TAGS`.
        into: a cache folder; holds one folder for each (lock, version, platform).

    Raises:
        BuildError: pip could not fetch one, or a pin has a marker.
    """
    text = lock.read_bytes()
    if re.search(rb"^\S+ *;", text, re.MULTILINE):
        raise BuildError(
            f"{lock} holds markers, which pip judges by the building Python: lock it without"
        )
    key = hashlib.sha256(text + f"{python} {platform}".encode()).hexdigest()[:16]
    folder = into / f"{python}-{platform}-{key}"
    complete = folder / "complete"
    if not complete.exists():
        _pip_download(lock, python, wheel_tags(platform), folder)
        complete.touch()
    return sorted(folder.glob("*.whl"))


def unite(wheels: Iterable[Path], into: Path) -> None:
    """Unpacks the wheels into one folder, leaving out what no running program needs.

    Raises:
        BuildError: two wheels hold different bytes under one name.
    """
    origins: dict[str, Path] = {}
    for wheel in wheels:
        for name, content in _contents(wheel):
            target = into / name
            if name not in origins:
                origins[name] = wheel
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
            elif target.read_bytes() != content:
                raise BuildError(f"{name} differs between {origins[name].name} and {wheel.name}")


def _pip_download(lock: Path, python: str, tags: Sequence[str], folder: Path) -> None:
    """Has pip fetch the wheels; `--no-deps` because a lock is complete."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--require-hashes", "--only-binary=:all:", "--implementation=cp"]
    command += [f"--python-version={python}", *(f"--platform={tag}" for tag in tags)]
    command += [f"--dest={folder}", f"--requirement={lock}"]
    finished = subprocess.run(command, check=False, capture_output=True, text=True)
    if finished.returncode:
        sys.stderr.write(finished.stderr)
        raise BuildError(f"pip could not fetch the wheels of {lock} for Python {python}; see above")


def _contents(wheel: Path) -> Iterator[tuple[str, bytes]]:
    """Name below site-packages and bytes of each file that is kept."""
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            name = re.sub(r"^[^/]+\.data/(purelib|platlib)/", "", entry.filename)
            # What else lies in .data (scripts, headers, data) is for an installed environment.
            if entry.is_dir() or ".data/" in name or _PRUNED.search(name):
                continue
            yield name, archive.read(entry)
