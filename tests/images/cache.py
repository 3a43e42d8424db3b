"""Where the tests keep what is expensive to build, and how an image is known by the hash of its recipe."""

from __future__ import annotations

import fcntl
import hashlib
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import docker

_KEPT_S: Final = 24 * 3600.0


def cache_folder() -> Path:
    """`$MCPGW_TEST_CACHE`, else `~/.cache/mcpgw-tests`; created."""
    named = os.environ.get("MCPGW_TEST_CACHE")
    folder = Path(named) if named else Path.home() / ".cache" / "mcpgw-tests"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def recipe_hash(*parts: bytes | str) -> str:
    """A short name for everything that an artefact is made from."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part if isinstance(part, bytes) else part.encode())
        digest.update(b"\0")
    return digest.hexdigest()[:12]


def say(text: str) -> None:
    """A progress line, with the time of day: builds take minutes."""
    print(f"[{time.strftime('%H:%M:%S')}] test images: {text}", file=sys.stderr, flush=True)


@contextmanager
def building(name: str) -> Iterator[None]:
    """One builder of `name` at a time, over all test runs of this machine."""
    with (cache_folder() / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def is_present(client: docker.APIClient, tag: str) -> bool:
    """Whether the engine has the image."""
    try:
        client.inspect_image(tag)
    except docker.errors.ImageNotFound:
        return False
    return True


def remove_older(client: docker.APIClient, repository: str, tag: str) -> None:
    """Removes the images of former recipes, as far as nobody uses them.

    Those of the last day stay: another checkout on this machine may be at that recipe.
    """
    for image in client.images(repository):
        if time.time() - image["Created"] < _KEPT_S:
            continue
        for other in image.get("RepoTags") or ():
            if other != tag:
                try:
                    client.remove_image(other)
                except docker.errors.APIError as error:
                    say(f"{other} stays: {error.explanation}")
