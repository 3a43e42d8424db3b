"""The fixture without the gateway: it passes the suite, and a server of one era refuses the other."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.clients import client_venv
from tests.conformance.driver import DOWNSTREAM
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
ANSWERS = {
    "test_sampling": "LLM response: Sampled.",
    "test_elicitation": "action=accept",
    "test_elicitation_sep1034_defaults": "John Doe",
    "test_input_required_result_elicitation": "Hello, yes!",
    "test_input_required_result_sampling": "The model says: Sampled.",
    "test_input_required_result_list_roots": "file:///test/root",
    "test_input_required_result_request_state": "state-ok",
    "test_input_required_result_multiple_inputs": "Sampled. yes: file:///test/root",
    "test_input_required_result_multi_round": "yes likes yes.",
    "test_input_required_result_tampered_state": "state-ok",
    "test_input_required_result_capabilities": "capital_question, user_name, client_roots",
    "prompt": "accept",
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


@pytest.mark.parametrize(
    ("fixture", "revision"), [("legacy_only", LEGACY), ("modern_only", MODERN)]
)
def test_a_server_of_one_era_asks_everything_in_its_way(
    tmp_path: Path, fixture: Fixture, revision: str
) -> None:
    """Also what the suite only looks for in the other era; that is what crossed runs are about."""
    scenario = {
        "MCP_CONFORMANCE_SCENARIO": "be-asked",
        "MCP_CONFORMANCE_PROTOCOL_VERSION": revision,
    }
    with served(fixture, tmp_path) as url:
        done = subprocess.run(
            [str(client_venv(SDK)), str(DOWNSTREAM), url],
            env={**os.environ, **scenario},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    said = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    for name, words in ANSWERS.items():
        assert words in said[name], f"{name}: {said[name]}"
    assert 'isError":true' not in done.stdout


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
