"""`python -m tests.soak [--minutes N] [--seed N]`: soaks the built gateway, and says what came of it."""

from __future__ import annotations

import argparse
import socket
import sys
import tempfile
import time
from pathlib import Path

from tests.e2e.places import Place
from tests.engine import NoEngine, client, require_engine
from tests.images.echo import echo_binary, echo_image
from tests.soak.soak import Soak


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    try:
        require_engine()
    except NoEngine as error:
        print(error, file=sys.stderr)
        return 1
    print(f"soak: {arguments.minutes:g} minutes, --seed {arguments.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="mcpgw-soak-") as folder, client() as engine:
        unpacked = Path(folder) / "unpacked"
        network = Place(Path(folder) / "network", unpacked)
        # The first start unpacks the file, which takes a busy machine its time.
        assert network.run("version", deadline_s=120).returncode == 0
        soak = Soak(
            network,
            Place(Path(folder) / "desk", unpacked),
            engine,
            image=echo_image(engine),
            binary=echo_binary(),
            port=_free_port(),
            minutes=arguments.minutes,
            seed=arguments.seed,
        )
        print(soak.run())
    return 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
