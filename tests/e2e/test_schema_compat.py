"""`--schema-compat`: what a client that chokes on JSON Schema 2020-12 is shown, and that others are shown what is there."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from tests.e2e.places import Place

pytestmark = pytest.mark.slow

SCHEMA = (
    '{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",'
    ' "$defs": {"Place": {"type": "object", "properties": {"town": {"type": "string"}}}},'
    ' "properties": {"from": {"$ref": "#/$defs/Place"}, "to": {"$ref": "#/$defs/Place"}},'
    ' "required": ["from"], "unevaluatedProperties": false}'
)
TOWN = {"type": "object", "properties": {"town": {"type": "string"}}}
SIMPLE = {"type": "object", "properties": {"from": TOWN, "to": TOWN}, "required": ["from"]}
SERVER = """
import json, pathlib, sys
schema = pathlib.Path(__file__).with_name("schema.json").read_text()
hello = {
    "protocolVersion": "2025-11-25",
    "capabilities": {"tools": {}},
    "serverInfo": {"name": "s", "version": "1"},
}
for line in sys.stdin:
    asked = json.loads(line)
    match asked.get("method"):
        case "initialize":
            result = json.dumps(hello)
        case "tools/list":
            result = '{"tools": [{"name": "travel", "inputSchema": ' + schema + "}]}"
        case "tools/call":
            said = json.dumps(asked["params"]["arguments"], sort_keys=True)
            result = json.dumps({"content": [{"type": "text", "text": said}]})
        case _:
            continue
    print('{"jsonrpc": "2.0", "id": %s, "result": %s}' % (json.dumps(asked["id"]), result), flush=True)
"""


@pytest.fixture
def traveller(place: Place) -> Place:
    """A home with a server whose tool has such a schema."""
    place.write_text("server.py", SERVER)
    place.write_text("schema.json", SCHEMA)
    command = [sys.executable, str(place.home.root / "server.py")]
    place.write({"traveller": {"process": {"command": command}}})
    return place


def shown(place: Place, *flags: str) -> Any:
    """The schema as a client sees it; the tool takes what it says, either way."""
    with place.stdio(*flags) as client:
        client.initialize()
        (tool,) = client.request("tools/list")["result"]["tools"]
        assert client.call("travel", **{"from": {"town": "Ulm"}}) == '{"from": {"town": "Ulm"}}'
    return tool["inputSchema"]


def test_references_are_written_out_for_those_who_want_it(traveller: Place) -> None:
    """By the flag, and also where the lists come from the cache."""
    for _ in range(2):
        assert shown(traveller, "--schema-compat") == SIMPLE


def test_otherwise_schemas_pass_byte_for_byte(traveller: Place) -> None:
    """Blanks, order and all, whatever another gateway of this home was asked to show."""
    assert shown(traveller, "--schema-compat") == SIMPLE
    with traveller.stdio() as client:
        client.initialize()
        client.ask("tools/list")
        assert SCHEMA.encode() in client.receive_bytes()
