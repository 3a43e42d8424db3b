"""`mcpgw-test/echo`: the small C server of `echo/server.c`, static, alone in its image, or beside a shell."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

import docker

from tests.images.cache import building, cache_folder, is_present, recipe_hash, remove_older, say

_SOURCE: Final = Path(__file__).parent / "echo" / "server.c"
_FLAGS: Final = ("-O2", "-Wall", "-Wextra", "-Werror", "-static")
_REPOSITORY: Final = "mcpgw-test/echo"
_COMMAND: Final = "/echo-server"


def echo_binary() -> Path:
    """The compiled server, for this machine; it runs as a local process, too."""
    target = cache_folder() / f"echo-{recipe_hash(_SOURCE.read_bytes(), *_FLAGS)}"
    with building("echo"):
        if not target.exists():
            compiler = shutil.which("gcc") or shutil.which("cc")
            if compiler is None:
                raise RuntimeError("the tests need a C compiler: apt-get install gcc libc6-dev")
            partial = target.with_suffix(".partial")
            subprocess.run([compiler, *_FLAGS, "-o", str(partial), str(_SOURCE)], check=True)
            partial.rename(target)
    return target


Shell = Literal["none", "dash", "impostor"]


def echo_image(client: docker.APIClient, shell: Shell = "none") -> str:
    """The image's tag; built if it is not there. Arguments of the server go into `command`.

    Args:
        client: the engine.
        shell: what is at /bin/sh. "dash" is this machine's, with its libraries: the server can be reached over named
            pipes. The "impostor" is the server itself, which runs no script.
    """
    files = {_COMMAND: echo_binary()}
    if shell == "dash":
        files |= _shell_files()
    elif shell == "impostor":
        files["/bin/sh"] = echo_binary()
    contents = {name: path.read_bytes() for name, path in files.items()}
    recipe = recipe_hash("v1", *(part for item in contents.items() for part in item))
    tag = f"{_REPOSITORY}:{recipe}"
    with building("echo-image"):
        if not is_present(client, tag):
            say(f"building {tag}")
            client.import_image_from_data(
                _archive(contents),
                repository=_REPOSITORY,
                tag=recipe,
                changes=[f'ENTRYPOINT ["{_COMMAND}"]'],
            )
            remove_older(client, _REPOSITORY, tag)
    return tag


def _shell_files() -> dict[str, Path]:
    """Where the shell and the libraries that it loads go, and where they are here."""
    shell = Path("/bin/sh").resolve()
    loaded = subprocess.run(["ldd", shell], capture_output=True, text=True, check=True).stdout
    libraries = re.findall(r"(/\S+) \(0x", loaded)
    return {"/bin/sh": shell, **{name: Path(name) for name in libraries}}


def _archive(contents: Mapping[str, bytes]) -> bytes:
    """A root file system of these programs."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        # The engine's own mount points exist, so that read-only containers work.
        for folder in ("data", "tmp"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777
            tar.addfile(entry)
        for name, content in contents.items():
            entry = tarfile.TarInfo(name.lstrip("/"))
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
    return archive.getvalue()
