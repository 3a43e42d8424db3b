"""Where servers run: what a gateway's backends take they give back, and what servers write is shown where asked for."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

import pytest
import trio

from actors.backends import open_backends, stderr_log
from gateway.home import Home
from gateway.options import GatewayOptions
from gateway.runtimes.named_pipes import NamedPipes
from gateway.runtimes.ownership import InstanceLock


async def test_a_home_that_cannot_be_written_leaves_nothing_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock lies in a temporary folder then, which goes with the gateway."""
    (tmp_path / "file").write_bytes(b"")
    elsewhere = tmp_path / "tmp"
    elsewhere.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(elsewhere))
    options = GatewayOptions(home=str(tmp_path / "file" / "home"))
    backends = open_backends(options, {"DOCKER_HOST": f"unix://{tmp_path}/none.sock"})
    assert len(list(elsewhere.iterdir())) == 1
    await backends.aclose()
    assert list(elsewhere.iterdir()) == []


async def test_what_a_killed_gateway_left_in_the_home_goes_at_the_next_start(home: Home) -> None:
    """Named pipes that no container had opened yet, and the lock; no engine is needed for that."""
    options = GatewayOptions(home=str(home.root))
    killed = InstanceLock.take(home)
    pipes = NamedPipes.make(home, killed.instance_id)
    # What SIGKILL does: descriptors are closed, files stay.
    path = home.run / f"{killed.instance_id}.lock"
    copy = path.with_suffix(".copy")
    copy.hardlink_to(path)
    killed.release()
    copy.rename(path)
    pipes.close()
    backends = open_backends(options, {"DOCKER_HOST": f"unix://{home.root}/none.sock"})
    with trio.move_on_after(0.5):
        await backends.reap_forever()
    assert not pipes.folder.exists()
    await backends.aclose()


@pytest.mark.parametrize(("verbose", "level"), [(True, logging.INFO), (False, logging.DEBUG)])
def test_what_servers_write_to_stderr_is_shown_with_verbose(
    caplog: pytest.LogCaptureFixture, *, verbose: bool, level: int
) -> None:
    """Otherwise only with `--debug`."""
    with caplog.at_level(logging.DEBUG, logger="mcpgw"):
        stderr_log(verbose=verbose)("dice", "rolling")
    (record,) = caplog.records
    assert (record.levelno, record.message) == (level, "server_stderr")
