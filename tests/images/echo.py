"""`mcpgw-test/echo`: the small C server of `echo/server.c`, static, alone in its image."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Final

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


def echo_image(client: docker.APIClient) -> str:
    """The image's tag; built if it is not there. Arguments of the server go into `command`."""
    binary = echo_binary().read_bytes()
    tag = f"{_REPOSITORY}:{recipe_hash(binary, 'v1')}"
    with building("echo-image"):
        if not is_present(client, tag):
            say(f"building {tag}")
            archive = io.BytesIO()
            with tarfile.open(fileobj=archive, mode="w") as tar:
                # The engine's own mount points exist, so that read-only containers work.
                for folder in ("data", "tmp"):
                    entry = tarfile.TarInfo(folder)
                    entry.type, entry.mode = tarfile.DIRTYPE, 0o1777
                    tar.addfile(entry)
                entry = tarfile.TarInfo(_COMMAND.lstrip("/"))
                entry.size, entry.mode = len(binary), 0o755
                tar.addfile(entry, io.BytesIO(binary))
            client.import_image_from_data(
                archive.getvalue(),
                repository=_REPOSITORY,
                tag=tag.rpartition(":")[2],
                changes=[f'ENTRYPOINT ["{_COMMAND}"]'],
            )
            remove_older(client, _REPOSITORY, tag)
    return tag
