"""The start of mcpgw.pyz, before shiv's bootstrap. Must not know the gateway, and be cheap: every start pays for it.

A file fits one operating system, architecture and libc, and the CPython versions whose wheels it holds; elsewhere the
imports would fail with riddles, so one sentence says it first. Shiv then finds its files where `cache` found or put
them, and never unpacks by itself.
"""

from __future__ import annotations

import os
import sys
from typing import NamedTuple, NoReturn


class Build(NamedTuple):
    """What the builder knows about the file."""

    build_id: str
    """Names the folder of unpacked files; another content has another id."""
    platform: str
    """As `this_platform` says it where the file may run."""
    pythons: tuple[tuple[int, int], ...]
    """CPython versions whose wheels are inside."""
    glibc: tuple[int, int]
    """The oldest glibc that the wheels run on; means nothing on other platforms."""


def start(build: Build) -> NoReturn:
    """Runs the gateway's command line out of the zipapp, and exits with its code."""
    archive = sys.argv[0]
    if problem := misfit(build):
        sys.exit(f"mcpgw: {problem}")
    # lazy: needs fcntl, which a misfit may lack
    from . import cache  # noqa: PLC0415 - see the line above

    folder = cache.find(build.build_id)
    if folder is None:
        # lazy: only a first start pays for zipfile and tempfile
        from . import unpack  # noqa: PLC0415 - see the line above

        try:
            folder = unpack.unpack(archive, build.build_id)
        except OSError as error:
            sys.exit(f"mcpgw: {error}")
    # The files unpacked are ours: without their bytecode every start would take a second longer.
    sys.dont_write_bytecode = False
    hand_over(folder)


def hand_over(folder: str) -> NoReturn:
    """Lets shiv's bootstrap run the entry point from the unpacked files below `folder`."""
    # lazy: pathlib costs as much as all the rest, and shiv's bootstrap exists only in the zipapp and pays for it
    from pathlib import Path  # noqa: PLC0415 - see the line above

    import _bootstrap  # type: ignore[import-not-found]  # noqa: PLC0415 - see the line above

    sys.path[:] = isolated(sys.path[1:], os.environ.get("PYTHONPATH", ""))
    # Shiv would look below ~/.shiv, and in a folder named after the file, so that a copy unpacks again.
    _bootstrap.cache_path = lambda *_: Path(folder)
    _bootstrap.bootstrap()
    raise SystemExit  # never reached: bootstrap() exits with the entry point's result


def isolated(paths: list[str], pythonpath: str) -> list[str]:
    """The standard library's part of `sys.path`: all else that we import comes with the file.

    Packages that happen to be installed, or that PYTHONPATH names, would otherwise be mixed with ours.
    """
    named = {os.path.abspath(path) for path in pythonpath.split(os.pathsep) if path}
    installed = ("site-packages", "dist-packages")
    return [path for path in paths if path not in named and os.path.basename(path) not in installed]


def misfit(build: Build) -> str | None:
    """One sentence on why the file cannot run here, and what to do; None if it can."""
    here = this_platform()
    if here.startswith("windows"):
        return "Windows is not supported; run me inside WSL 2"
    if here != build.platform:
        return f"this file was built for {build.platform} and this is {here}; build one here with: make pyz"
    if sys.implementation.name != "cpython" or "t" in sys.abiflags:
        return f"this file needs the usual CPython; run it as: {_command(build)}"
    if sys.version_info[:2] not in build.pythons:
        is_version = ".".join(map(str, sys.version_info[:2]))
        return f"this file does not run on Python {is_version}; run it as: {_command(build)}"
    if (glibc := _glibc()) and glibc < build.glibc:
        return "this system's glibc {}.{} is too old, {}.{} is needed; use a newer system or the container image".format(
            *glibc, *build.glibc
        )
    return None


def this_platform() -> str:
    """Operating system, architecture, and on Linux the libc: `linux-x86_64-glibc`, `darwin-arm64`."""
    if os.name == "nt":
        return "windows"
    system, machine = os.uname().sysname.lower(), os.uname().machine
    if system == "linux":
        return f"linux-{machine}-{'glibc' if _glibc() else 'musl'}"
    return f"{system}-{machine}"


def _glibc() -> tuple[int, int] | None:
    """The version of glibc, or None on another libc. Cheaper than `platform.libc_ver`, which reads the executable."""
    try:
        text = os.confstr("CS_GNU_LIBC_VERSION")
    except (ValueError, OSError):
        return None
    if not text:
        return None
    major, minor = text.split()[-1].split(".")[:2]
    return int(major), int(minor)


def _command(build: Build) -> str:
    """The line that starts the file with a Python that fits."""
    newest = ".".join(map(str, max(build.pythons)))
    return f"python{newest} {sys.argv[0]}"
