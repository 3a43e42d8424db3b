"""What a running gateway tells of itself: to its user's commands, and over HTTP to who has the token."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.gateways import call_over
from tests.e2e.places import Place
from tests.e2e.processes import echo_processes, process_entry

pytestmark = pytest.mark.slow


def test_ps_and_status_say_the_same(place: Place, echo_binary: Path) -> None:
    """The tree with what runs, whose it is cut short; strangers learn nothing."""
    place.write({"one": process_entry(place, echo_binary, longLived=True)})
    with place.network() as gateway, gateway.session() as client:
        assert call_over(client, "echo", text="a") == "a"
        (server,) = echo_processes(place)
        told: dict[str, Any] = client.get("/status").json()
        (shown,) = json.loads(place.run("ps", "--json").stdout)
        for report in (told, shown):
            assert report["pid"] == gateway.process.pid
            assert report["sessions"] == 1
            assert client.headers["Mcp-Session-Id"] not in json.dumps(report)
            assert gateway.token not in json.dumps(report)
            (pool,) = (one for one in report["tree"]["children"] if "pool:" in one["name"])
            (container,) = pool["children"]
            assert (container["name"], container["state"]) == (f"process {server}", "idle")
            assert container["owner"].startswith("session:")
            assert report["refusals"] == {}
        table = place.run("ps").stdout
        assert "├─ pool:one" in table
        assert f"│ ├─ process {server}" in table
        assert httpx.get(f"{gateway.url}/status").status_code == httpx.codes.UNAUTHORIZED
        refused = client.get("/status", headers={"X-Long": "x" * 20_000})
        assert refused.status_code == httpx.codes.REQUEST_HEADER_FIELDS_TOO_LARGE
        assert client.get("/status").json()["refusals"] == {"from_clients.HEAD_BYTES": 1}
