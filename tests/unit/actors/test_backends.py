"""What a gateway's backends take, they give back."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from actors.backends import open_backends
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
