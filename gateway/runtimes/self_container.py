"""What the engine may call the container that the gateway itself runs in. Must not know the engine."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import Final

_CONTAINER_ID: Final = re.compile(r"[0-9a-f]{64}")


def own_container_names(proc: Path = Path("/proc/self")) -> list[str]:
    """Ids and names to try, the surest first: the mounts know the id even where the host name was chosen by hand."""
    names: list[str] = []
    for file in ("mountinfo", "cgroup"):
        try:
            text = (proc / file).read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        # Only what the engine mounts over /etc/hostname and the like names the container; layers have such ids, too.
        lines = [line for line in text.splitlines() if "/containers/" in line or file == "cgroup"]
        names += [found for line in lines for found in _CONTAINER_ID.findall(line)]
    names.append(socket.gethostname())
    return list(dict.fromkeys(names))
