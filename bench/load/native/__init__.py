"""The compiled load generators: C sources, built on demand, kept by the hash of what they are made from."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

from bench.errors import NotHere
from tests.images.cache import building, cache_folder, recipe_hash

_SOURCES: Final = Path(__file__).parent
_SHARED: Final = _SOURCES / "load.h"
_FLAGS: Final = ("-O2", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE")


def generator(name: str) -> Path:
    """The program of `NAME.c`, for this machine.

    Raises:
        NotHere: there is no C compiler, or it does not take the source.
    """
    source = _SOURCES / f"{name}.c"
    recipe = recipe_hash(source.read_bytes(), _SHARED.read_bytes(), *_FLAGS)
    target = cache_folder() / f"bench-{name}-{recipe}"
    with building(f"bench-{name}"):
        if not target.exists():
            _compile(source, target)
    return target


def _compile(source: Path, target: Path) -> None:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise NotHere("the load generators need a C compiler: apt-get install gcc libc6-dev")
    partial = target.with_suffix(".partial")
    command = [compiler, *_FLAGS, "-o", str(partial), str(source)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    if built.returncode:
        raise NotHere(f"{source.name} does not compile: {built.stderr.strip()}")
    partial.rename(target)
