"""What the table says that clients lack, they do lack: it is no fault of the gateway, nor of the tests."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.clients import client_venv, node_programs, node_project
from tests.conformance.targets import pipe_command, pipe_environ
from tests.e2e.matrix.cells import CLIENTS, Era
from tests.e2e.published import Inspector, Outcome, Target

pytestmark = pytest.mark.slow

_PYTHON = "import importlib.util as u; print(u.find_spec('mcp.client.websocket') is not None)"


def says(client: str, code: str) -> str:
    """What a line of code prints where the client is installed."""
    package = CLIENTS[client].package
    if package.startswith("@"):
        words = [str(node_programs() / "node"), "--input-type=module", "-e", code]
        folder = node_project([package])
    else:
        words = [str(client_venv(package)), "-I", "-c", code]
        folder = Path.cwd()
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def inspect(era: Era, method: str, params: Mapping[str, str], tmp_path: Path) -> Outcome:
    """One request of the inspector to a server without a gateway."""
    command = tuple(pipe_command("everything"))
    target = Target(transport="stdio", command=command, environ=pipe_environ(tmp_path))
    (outcome,) = Inspector("--protocol-era", era).do(target, [(method, params)])
    return outcome


@pytest.mark.parametrize(
    ("client", "has_it"), [("mcp-1", "True"), ("mcp-2", "False"), ("fastmcp", "False")]
)
def test_python_clients_of_today_have_no_websocket(client: str, has_it: str) -> None:
    """The module was left out of 2.x; fastmcp has the transports of `mcp`."""
    assert says(client, _PYTHON) == has_it


def test_fastmcp_has_no_modern_era_over_sse() -> None:
    """Its transport says so of itself."""
    code = "from fastmcp.client.transports import SSETransport as t; print(t.legacy_only)"
    assert says("fastmcp", code) == "True"


def test_the_typescript_client_of_today_has_no_websocket() -> None:
    """It exports the two over HTTP."""
    for name, has_it in (("WebSocketClientTransport", "false"), ("SSEClientTransport", "true")):
        package = "@modelcontextprotocol/client"
        assert (
            says("client-2", f"import * as all from '{package}'; console.log('{name}' in all)")
            == has_it
        )


def test_the_sdks_of_yesterday_know_the_handshake_only() -> None:
    """No revision after 2025-11-25 is theirs."""
    python = "from mcp.shared.version import SUPPORTED_PROTOCOL_VERSIONS as v; print(max(v))"
    node = "import { SUPPORTED_PROTOCOL_VERSIONS as v } from '@modelcontextprotocol/sdk/types.js'; console.log([...v].sort().at(-1))"
    assert says("mcp-1", python) == "2025-11-25"
    assert says("sdk-1", node) == "2025-11-25"


def test_the_inspector_has_no_method_to_subscribe(tmp_path: Path) -> None:
    """It names those that it has."""
    outcome = inspect("legacy", "resources/subscribe", {"uri": "test://watched-resource"}, tmp_path)
    assert "Unsupported method: resources/subscribe" in outcome["error"]


def test_the_inspector_has_nobody_to_ask(tmp_path: Path) -> None:
    """In one era it gives up in the user's place, in the other it does not declare that it can be asked."""
    tool = {"name": "test_input_required_result_elicitation"}
    answered = inspect("legacy", "tools/call", tool, tmp_path)
    assert answered["result"]["content"][0]["text"] == "Hello, cancel!"
    refused = inspect("modern", "tools/call", tool, tmp_path)
    assert "The client has not declared: elicitation." in refused["error"]


def test_the_inspector_shows_no_progress(tmp_path: Path) -> None:
    """Only the result is printed."""
    outcome = inspect("legacy", "tools/call", {"name": "test_tool_with_progress"}, tmp_path)
    assert set(outcome["result"]) == {"content"}
    assert "Completed step" not in str(outcome)
