"""gateway/transports/control.py: one JSON text for whoever connects, as long as it is our user."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import trio

from gateway.home import Home
from gateway.running import reports
from gateway.transports.control import serve_control

INSTANCE = "0" * 32


async def tell() -> bytes:
    """A state."""
    await trio.lowlevel.checkpoint()
    return b'{"pid":7}'


async def appears(path: Path) -> None:
    """Waits for a socket."""
    with trio.fail_after(5):
        while not path.exists():  # noqa: ASYNC110, ASYNC240 -- a file system tells nobody
            await trio.sleep(0.01)


@pytest.mark.parametrize("depth", [1, 12], ids=["short", "long"])
async def test_whoever_connects_is_told(tmp_path: Path, depth: int) -> None:
    """The socket is its user's alone, and goes with the gateway; a home may have any path."""
    home = Home(tmp_path.joinpath(*["a-rather-long-name"] * depth))
    home.run.mkdir(parents=True)
    path = home.control(INSTANCE)
    async with trio.open_nursery() as serving:
        serving.start_soon(serve_control, path, tell)
        await appears(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert await trio.to_thread.run_sync(reports, home) == [{"pid": 7}]
        serving.cancel_scope.cancel()
    assert not path.exists()


async def test_a_place_that_takes_no_socket_costs_only_the_socket(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A read-only home, a file system without sockets: the gateway goes on."""
    with trio.move_on_after(0.1) as waiting:
        await serve_control(tmp_path / "none" / "x.sock", tell)
    assert waiting.cancelled_caught
    assert "no_control_socket" in caplog.text
