"""`mcpgw-test/conformance`: the root file system of `tests.images.real`, with PyPI `mcp` 2.x and the fixture in it."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Final

import docker

from tests.images.cache import building, cache_folder, is_present, recipe_hash, remove_older, say
from tests.images.real import real_image

SERVERS_FOLDER: Final = "fixture"
"""The package in the image; on its path."""

_REPOSITORY: Final = "mcpgw-test/conformance"
_REQUIREMENT: Final = "mcp==2.3.0"
_FOLDER: Final = "/opt/conformance"
_FIXTURE: Final = Path(__file__).parent / SERVERS_FOLDER
_PLATFORMS: Final = ("manylinux_2_28", "manylinux_2_17", "manylinux2014")
_ASK_VERSION: Final = "import sys; print('%d.%d' % sys.version_info[:2])"


def fixture_image(client: docker.APIClient) -> str:
    """The image's tag; built if it is not there.

    Raises:
        RuntimeError: the base would have to be built, and this is not root.
    """
    base = real_image(client)
    sources = [file.read_bytes() for file in sorted(_FIXTURE.glob("*.py"))]
    tag = f"{_REPOSITORY}:{recipe_hash('v1', base, _REQUIREMENT, *sources)}"
    with building("conformance-image"):
        if not is_present(client, tag):
            say(f"building {tag}")
            _build(client, base, tag)
            remove_older(client, _REPOSITORY, tag)
    return tag


def _build(client: docker.APIClient, base: str, tag: str) -> None:
    with tempfile.TemporaryDirectory(dir=cache_folder(), prefix="conformance-") as name:
        folder = Path(name)
        _install(folder / "python", _python_version(client, base))
        shutil.copytree(_FIXTURE, folder / SERVERS_FOLDER, ignore=shutil.ignore_patterns("__*__"))
        (folder / SERVERS_FOLDER / "__init__.py").touch()
        (folder / "Dockerfile").write_text(
            f"FROM {base}\n"
            f"COPY python {_FOLDER}/python\n"
            f"COPY {SERVERS_FOLDER} {_FOLDER}/{SERVERS_FOLDER}\n"
            f"ENV PYTHONPATH={_FOLDER}/python:{_FOLDER}\n",
            encoding="utf-8",
        )
        archive = folder.with_suffix(".tar")
        try:
            with tarfile.open(archive, "w") as context:
                context.add(folder, ".")
            with archive.open("rb") as file:
                lines = client.build(
                    fileobj=file, custom_context=True, tag=tag, rm=True, forcerm=True, decode=True
                )
                faults = [line["error"] for line in lines if "error" in line]
        finally:
            archive.unlink(missing_ok=True)
    if faults:
        raise RuntimeError(f"{tag} cannot be built: {faults[0]}")


def _python_version(client: docker.APIClient, image: str) -> str:
    """`3.x` of the python inside."""
    made = client.create_container(
        image,
        ["python3", "-c", _ASK_VERSION],
        host_config=client.create_host_config(network_mode="none"),
    )
    try:
        client.start(made)
        client.wait(made)
        return str(client.logs(made, stderr=False).decode().strip())
    finally:
        client.remove_container(made, force=True)


def _install(target: Path, version: str) -> None:
    """Installs from outside, for the python inside: so the machine's own pip configuration counts."""
    machine = platform.machine()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "-q", "--no-compile"),
            *("--disable-pip-version-check", "--only-binary=:all:", "--implementation=cp"),
            f"--python-version={version}",
            *(f"--platform={tag}_{machine}" for tag in _PLATFORMS),
            *(f"--target={target}", _REQUIREMENT),
        ],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(
            f"pip cannot install {_REQUIREMENT} for the image:\n{done.stderr[-2000:]}"
        )
