"""The fixture without the gateway: it passes the suite, and a server of one era refuses the other."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.clients import client_venv
from tests.conformance.runs import LEGACY, MODERN
from tests.conformance.suite import judge_server
from tests.conformance.targets import HERE, SDK, Fixture, served

pytestmark = pytest.mark.slow

PATIENCE_S = 30
ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
}
HELLO = {
    "protocolVersion": LEGACY,
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "1"},
}
DISCOVER = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "server/discover",
    "params": {"_meta": ENVELOPE},
}
INITIALIZE = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO}


@pytest.mark.parametrize(
    ("fixture", "revision", "scenarios"),
    [
        ("everything", LEGACY, 30),
        ("everything", MODERN, 37),
        ("legacy_only", LEGACY, 30),
        ("modern_only", MODERN, 37),
    ],
)
def test_it_passes_the_suite(
    tmp_path: Path, fixture: Fixture, revision: str, scenarios: int
) -> None:
    """So that what fails behind a gateway is the gateway's."""
    with served(fixture, tmp_path) as url:
        report = judge_server(url, revision, tmp_path / "results")
    assert len(report.required) == scenarios
    assert [scenario.name for scenario in report.failing] == []
    assert [scenario.name for scenario in report.required if not scenario.succeeded] == []


def ask_pipe(fixture: Fixture, message: object) -> dict[str, Any]:
    """The answer to the first message on a pipe."""
    process = subprocess.run(
        [str(client_venv(SDK)), "-m", f"fixture.{fixture}", "stdio"],
        cwd=HERE,
        input=json.dumps(message) + "\n",
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    return dict(json.loads(process.stdout))


def test_on_a_pipe_either_era_opens_the_server_of_both() -> None:
    """The first request says which."""
    assert ask_pipe("everything", DISCOVER)["result"]["supportedVersions"] == [MODERN]
    assert ask_pipe("everything", INITIALIZE)["result"]["protocolVersion"] == LEGACY


def test_on_a_pipe_a_server_of_one_era_refuses_the_other() -> None:
    """As published ones do: one does not know the method, the other says what it has."""
    assert ask_pipe("legacy_only", DISCOVER)["error"]["code"] == -32601
    refused = ask_pipe("modern_only", INITIALIZE)["error"]
    assert refused["code"] == -32022
    assert refused["data"] == {"supported": [MODERN], "requested": LEGACY}


def test_over_http_a_server_of_one_era_refuses_the_other(tmp_path: Path) -> None:
    """Both with 400: only the body tells a modern server from an old one."""
    accept = {"Accept": "application/json, text/event-stream"}
    modern = {**accept, "MCP-Protocol-Version": MODERN, "Mcp-Method": "server/discover"}
    with served("legacy_only", tmp_path) as url:
        refused = httpx.post(url, json=DISCOVER, headers=modern)
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, -32600)
    with served("modern_only", tmp_path) as url:
        refused = httpx.post(url, json=INITIALIZE, headers=accept)
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, -32022)
        assert refused.json()["error"]["data"]["supported"] == [MODERN]
        assert httpx.get(url, headers=accept).status_code == 405
