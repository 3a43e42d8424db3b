"""Homes that cannot be written, or not any more: the gateway serves, says so once, and goes on when there is room.

The disks are real ones: a tmpfs of 64 KiB, or the home bound read-only, in a mount namespace of the gateway's own.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.gateways import Gateway, await_true
from tests.e2e.places import Place
from tests.e2e.processes import process_entry

pytestmark = pytest.mark.slow

Cramp = Callable[[str], "Cramped"]

_TMPFS = 'mount -t tmpfs -o size=64k disk "$0" && cp -r "$0.files/." "$0"'
_BALLAST = '{ cat /dev/zero > "$0/ballast" 2>/dev/null || true; }'
_THEN = 'exec "$@"'
SMALL = f"{_TMPFS} && {_THEN}"
FULL = f"{_TMPFS} && {_BALLAST} && {_THEN}"
READ_ONLY = (
    f'cp -r "$0.files/." "$0" && mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && {_THEN}'
)


class Cramped(Place):
    """A place whose gateways see another disk where its home is; its files are copied there at each start."""

    mounting = ""

    def command(self, *words: str) -> list[str]:
        """The command line, behind what mounts the disk."""
        shell = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", self.mounting]
        return [*shell, str(self.home.root), *super().command(*words)]

    def inside(self, gateway: Gateway) -> Path:
        """The home as that gateway sees it."""
        return Path(f"/proc/{gateway.process.pid}/root{self.home.root}")


@pytest.fixture
def cramped(tmp_path: Path, unpacked: Path, echo_binary: Path, echo: Callable[..., Any]) -> Cramp:
    """Makes such a place, with a server in a container and one that is a local process."""

    def make(mounting: str) -> Cramped:
        place = Cramped(tmp_path / "place", unpacked)
        place.write(
            {
                "boxed": echo("--tools=boxed"),
                "local": process_entry(place, echo_binary, "--tools=local"),
            }
        )
        place.home.root.rename(f"{place.home.root}.files")
        place.home.root.mkdir()
        (tmp_path / "tmp").mkdir()
        place.environ["TMPDIR"] = str(tmp_path / "tmp")
        place.mounting = mounting
        return place

    return make


def fill(folder: Path) -> Path:
    """Takes all the room of a disk; gives the file that holds it."""
    ballast = folder / "ballast"
    with suppress(OSError), ballast.open("ab", buffering=0) as file:
        while True:
            file.write(b"x" * 512)
    return ballast


@pytest.mark.parametrize("mounting", [FULL, READ_ONLY], ids=["full", "read-only"])
def test_a_home_that_cannot_be_written_is_told_once(cramped: Cramp, mounting: str) -> None:
    """Containers, processes and lists are served all the same, and nothing is left in the temporary folder."""
    place = cramped(mounting)
    with place.stdio() as client:
        client.initialize()
        assert client.call("local_echo", text="a") == "a"
        assert client.call("boxed_echo", text="b") == "b"
        client.hang_up()
        assert client.wait() == 0
    assert client.log.count("home_not_writable") == 1
    assert client.log.count("list_cache_unwritable") <= 1
    assert "Traceback" not in client.log
    assert list(Path(place.environ["TMPDIR"]).iterdir()) == []


def test_a_disk_that_fills_up_costs_what_is_kept_and_nothing_else(cramped: Cramp) -> None:
    """A local process is not started while it cannot be written down; all is kept again once there is room."""
    place = cramped(SMALL)
    with place.stdio("--log", str(place.home.root / "log"), "--log-calls") as client:
        client.initialize()
        lists = place.inside(client) / "cache" / "lists"
        ballast = fill(place.inside(client))
        assert client.call("boxed_echo", text="a") == "a"
        refused = client.call("local_echo", text="b")
        assert "No space left on device" in refused
        assert str(place.home.run) in refused
        for _ in range(100):
            # The page of the disk that the log has begun is its own.
            client.call("boxed_echo", text="c")
        await_true(lambda: "log_file_unwritable" in client.log, "the log's trouble is told", 10)
        assert list(lists.glob("*.json")) == []
        ballast.unlink()
        await_true(lambda: client.call("local_echo", text="d") == "d", "it can be started", 10)
        await_true(lambda: len(list(lists.glob("*.json"))) == 2, "lists are kept again", 10)
        log = (place.inside(client) / "log").read_text()
        assert "log_lines_lost" in log
        assert log.count("\n") < client.log.count("\n")
    assert client.log.count("log_file_unwritable") == 1
    assert client.log.count("list_cache_unwritable") == 1
    assert "Traceback" not in client.log


@pytest.mark.parametrize(
    "words",
    [
        ("secret", "set", "a=b"),
        ("config", "set", "local.x=1"),
        ("server", "disable", "local"),
        ("server", "add", "more", "--image", "more:1"),
        ("token", "show"),
    ],
    ids=lambda words: words[0],
)
@pytest.mark.parametrize("mounting", [FULL, READ_ONLY], ids=["full", "read-only"])
def test_commands_that_cannot_write_say_so(
    cramped: Cramp, mounting: str, words: tuple[str, ...]
) -> None:
    """One sentence with the path; never a traceback, and never half a file."""
    place = cramped(mounting)
    done = place.run(*words)
    assert done.returncode in {1, 2}
    assert str(place.home.root) in done.stderr
    assert len(done.stderr.splitlines()) == 1
