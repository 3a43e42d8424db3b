"""Installs the zipapp as Docker CLI plugin: `python -m release.install_plugin mcpgw.pyz`. Never replaces another's."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Final

NAME: Final = "docker-mcp"
METADATA_WORD: Final = "docker-cli-plugin-metadata"
"""As in `gateway.cli.plugin`, which cannot be imported here: the venv that builds lacks what the gateway needs."""
_OUR_START: Final = "_mcpgw/start.py"
"""A file that only our zipapps hold."""


def main() -> None:
    """Installs the file that the command line names, and says what works now."""
    source = Path(sys.argv[1])
    target = plugin_folder() / NAME
    if not is_free(target):
        sys.exit(
            f"install_plugin: {target} is another program, such as Docker Desktop's; "
            "move it away if this one shall take its place"
        )
    install(source, target)
    # The first start unpacks; it shall not be the first `docker --help`, which asks every plugin for its metadata.
    subprocess.run([target, METADATA_WORD], check=True, stdout=subprocess.DEVNULL)
    print(f"installed {target}: try `docker mcp gateway run`")


def plugin_folder() -> Path:
    """Where the Docker CLI of this user looks for plugins."""
    config = os.environ.get("DOCKER_CONFIG")
    return (Path(config) if config else Path.home() / ".docker") / "cli-plugins"


def is_free(target: Path) -> bool:
    """Whether nothing lies there, or an older copy of our own file. A symbolic link is always another's."""
    if target.is_symlink():
        return False
    if not target.exists():
        return True
    if not zipfile.is_zipfile(target):
        return False
    with zipfile.ZipFile(target) as archive:
        return _OUR_START in archive.namelist()


def install(source: Path, target: Path) -> None:
    """Copies the file into place, whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{NAME}.partial")
    shutil.copyfile(source, partial)
    partial.chmod(0o755)
    partial.replace(target)


if __name__ == "__main__":
    main()
