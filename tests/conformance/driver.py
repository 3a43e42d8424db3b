"""The gateway as the suite's client under test: `python -m tests.conformance.driver URL`.

The suite serves URL and watches who comes. This starts a gateway that has URL as its upstream, lets a client do through
it what the scenario wants, and ends with that client's exit status.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.clients import client_venv
from tests.conformance.targets import HERE, SDK, open_place, through_gateway

DOWNSTREAM: Final = HERE / "downstream.py"
_CLIENT_S: Final = 40.0
"""For the client; less than the suite gives the scenario."""


def main(url: str) -> int:
    """The exit status of the client."""
    with tempfile.TemporaryDirectory(prefix="mcpgw-conformance-") as name:
        place = open_place(Path(name) / "place")
        place.write({"suite": {"remote": {"url": url, "transport_type": "streamable-http"}}})
        with through_gateway(place) as gateway:
            command = [str(client_venv(SDK)), str(DOWNSTREAM), gateway]
            status = subprocess.run(command, check=False, timeout=_CLIENT_S).returncode
        print(place.last_log.read_text(errors="replace"), file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
