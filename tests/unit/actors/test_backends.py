"""Where servers run: what a gateway's backends take they give back, and what servers write is shown where asked for."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

import pytest

from actors.backends import open_backends, stderr_log
from gateway.options import GatewayOptions


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


@pytest.mark.parametrize(("verbose", "level"), [(True, logging.INFO), (False, logging.DEBUG)])
def test_what_servers_write_to_stderr_is_shown_with_verbose(
    caplog: pytest.LogCaptureFixture, *, verbose: bool, level: int
) -> None:
    """Otherwise only with `--debug`."""
    with caplog.at_level(logging.DEBUG, logger="mcpgw"):
        stderr_log(verbose=verbose)("dice", "rolling")
    (record,) = caplog.records
    assert (record.levelno, record.message) == (level, "server_stderr")
