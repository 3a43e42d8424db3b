"""Calls whose server dies of them: executed twice only where the operator and the tool allow it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.e2e.places import Place

pytestmark = pytest.mark.slow

DIES_ONCE = """
import json, pathlib, sys
executed = pathlib.Path(sys.argv[1])
tools = [
    {"name": "reads", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": True}},
    {"name": "writes", "inputSchema": {"type": "object"}},
]
for line in sys.stdin:
    message = json.loads(line)
    if message.get("method") == "tools/call":
        with executed.open("a") as file:
            file.write("x")
        if len(executed.read_text()) == 1:
            sys.exit(3)
    result = {
        "initialize": {
            "protocolVersion": "2025-11-25",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "mortal", "version": "1"},
        },
        "tools/list": {"tools": tools},
        "tools/call": {"content": [{"type": "text", "text": "done"}]},
    }.get(message.get("method"))
    if "id" in message:
        answer = {"result": result} if result else {"error": {"code": -32601, "message": "no"}}
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], **answer}), flush=True)
"""


@pytest.mark.parametrize(
    ("flags", "pool", "tool", "times"),
    [
        (("--retry",), {}, "reads", 2),
        ((), {"retry": True}, "writes", 1),
        ((), {}, "reads", 1),
    ],
)
def test_a_call_that_its_server_dies_of(
    place: Place,
    tmp_path: Path,
    flags: tuple[str, ...],
    pool: dict[str, bool],
    tool: str,
    *,
    times: int,
) -> None:
    """The client gets its answer, or is told that the outcome is unknown; a retry is in the log."""
    script, executed = tmp_path / "mortal.py", tmp_path / "executed"
    script.write_text(DIES_ONCE)
    command = [sys.executable, str(script), str(executed)]
    place.write({"mortal": {"process": {"command": command}, "pool": pool}})
    with place.stdio(*flags) as client:
        client.initialize()
        text = client.call(tool)
        assert ("the call's outcome is unknown" in text) if times == 1 else text == "done"
        assert client.log.count("call_retried") == times - 1
    assert executed.read_text() == "x" * times
