"""The environment of npm where a wheel brings it: it reads nothing of the machine's own npm, nor knows its certificates."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_CERTIFICATES: Final = Path("/etc/ssl/certs/ca-certificates.crt")


def npm_environ(programs: Path) -> dict[str, str]:
    """Our environment with the folder of `node` first, and the machine's certificates trusted."""
    environ = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    if _CERTIFICATES.exists():
        environ.setdefault("NODE_EXTRA_CA_CERTS", str(_CERTIFICATES))
    return environ
