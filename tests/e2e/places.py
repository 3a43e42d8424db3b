"""Starts the gateway as people do: the built file, a home of its own, nothing else of this process.

`MCPGW_E2E_SOURCE=1` starts the source tree instead, which spares the build while one writes tests. `MCPGW_E2E_LANE=off`
and `MCPGW_E2E_LINK=attach` switch off what makes calls fast, in all gateways whose test does not say what it wants. Must
not know what a test asks of the gateway, nor which client asks.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from gateway.home import Home, write_atomic
from tests.e2e.gateways import ANSWER_S, END_S, POLL_S, Network, Pipe

TOP: Final = Path(__file__).parents[2]
PYZ: Final = TOP / "mcpgw.pyz"
SOURCE: Final = bool(os.environ.get("MCPGW_E2E_SOURCE"))
LINK: Final = os.environ.get("MCPGW_E2E_LINK", "auto")
_LANE: Final = ("--no-fast-lane",) if os.environ.get("MCPGW_E2E_LANE") == "off" else ()

_START_S: Final = 20.0
"""Until a network gateway listens; the first start of the file unpacks it."""
_URL: Final = re.compile(r"^ +Streamable HTTP +(\S+)/mcp$", re.MULTILINE)
_PASSED_ON: Final = ("PATH", "LANG", "DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")


class Place:
    """A home folder, and the command lines that use it.

    Args:
        folder: where the home goes.
        cache: where the built file unpacks itself, shared by all tests.
        link: how gateways are told to reach containers.
    """

    def __init__(self, folder: Path, cache: Path, *, link: str = LINK) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._link = link
        self.folder = folder
        self.home = Home(folder / "mcp")
        self.environ: dict[str, str] = {
            **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
            "HOME": str(folder),
            "MCPGW_HOME": str(self.home.root),
            "MCPGW_CACHE": str(cache),
        }
        if SOURCE:
            self.environ["PYTHONPATH"] = str(TOP)
        self._logs = 0

    def write(
        self, servers: Mapping[str, Mapping[str, Any]], *, config: Mapping[str, Any] | None = None
    ) -> None:
        """Writes the catalog with these servers, enables all of them, and writes their config."""
        self.write_text("catalogs/docker-mcp.yaml", json.dumps({"registry": servers}))
        self.write_text(
            "registry.yaml", json.dumps({"registry": {name: {"ref": ""} for name in servers}})
        )
        if config is not None:
            self.write_text("config.yaml", json.dumps(config))

    def write_text(self, name: str, text: str) -> None:
        """Replaces a file of the home, by rename as editors do."""
        write_atomic(self.home.root / name, text.encode())

    def command(self, *words: str) -> list[str]:
        """The words of a command line."""
        program = ["-m", "gateway"] if SOURCE else [str(PYZ)]
        return [sys.executable, *program, *words]

    def run(
        self, *words: str, environ: Mapping[str, str] | None = None, deadline_s: float = ANSWER_S
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end."""
        return subprocess.run(
            self.command(*words),
            env={**self.environ, **(environ or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=deadline_s,
            check=False,
        )

    @contextmanager
    def stdio(self, *flags: str, environ: Mapping[str, str] | None = None) -> Iterator[Pipe]:
        """A gateway on stdio, ended at the end."""
        with self._started("stdio", *flags, environ=environ or {}, piped=True) as process:
            yield Pipe(process, self.last_log)

    @contextmanager
    def network(
        self, *flags: str, transport: str = "streaming", environ: Mapping[str, str] | None = None
    ) -> Iterator[Network]:
        """A gateway on a free port, ended at the end."""
        words = (transport, "--port", "0", *flags)
        with self._started(*words, environ=environ or {}, piped=False) as process:
            url = _await_url(process, self.last_log)
            token = self.home.token.read_text(encoding="ascii").strip()
            yield Network(process, self.last_log, url=url, token=token)

    @property
    def last_log(self) -> Path:
        """What the newest gateway says on stderr."""
        return self.folder / f"gateway-{self._logs}.log"

    @contextmanager
    def _started(
        self, transport: str, *flags: str, environ: Mapping[str, str], piped: bool
    ) -> Iterator[subprocess.Popen[bytes]]:
        self._logs += 1
        pipe = subprocess.PIPE if piped else subprocess.DEVNULL
        with self.last_log.open("wb") as log:
            process = subprocess.Popen(
                self.command(
                    *("gateway", "run", "--transport", transport, "--link", self._link),
                    *_LANE,
                    *flags,
                ),
                env={**self.environ, **environ},
                stdin=pipe,
                stdout=pipe,
                stderr=log,
            )
        try:
            yield process
        finally:
            _end(process)


def _await_url(process: subprocess.Popen[bytes], log: Path) -> str:
    """The base URL that the gateway announced."""
    deadline = time.monotonic() + _START_S
    while (found := _URL.search(log.read_text())) is None:
        assert process.poll() is None, f"the gateway ended:\n{log.read_text()}"
        assert time.monotonic() < deadline, f"the gateway does not listen:\n{log.read_text()}"
        time.sleep(POLL_S)
    return found[1]


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends a gateway in its own way, and otherwise by force."""
    if process.stdin is not None:
        with suppress(BrokenPipeError):
            process.stdin.close()
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise AssertionError(f"the gateway did not end within {END_S:g} s of SIGTERM") from None
    finally:
        if process.stdout is not None:
            process.stdout.close()
