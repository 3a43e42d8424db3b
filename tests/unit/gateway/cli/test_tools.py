"""`tools ls|count|inspect|call` through a whole gateway in this process, over a real local server."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.gateway.cli.conftest import Run

SERVER = """
import json, sys
SCHEMA = {"type": "object", "properties": {
    "n": {"type": "integer", "description": "How many"}, "tags": {"type": "array", "items": {"type": "string"}}},
    "required": ["n"]}
TOOLS = [{"name": "count", "description": "Counts.\\nAnd more.", "inputSchema": SCHEMA},
         {"name": "fail", "inputSchema": {"type": "object"}}]
for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    params = asked.get("params") or {}
    if asked["method"] == "initialize":
        result = {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}},
                  "serverInfo": {"name": "s", "version": "1"}}
    elif asked["method"] == "tools/list":
        result = {"tools": TOOLS}
    elif params.get("name") == "fail":
        result = {"isError": True, "content": [{"type": "text", "text": "it failed"}]}
    else:
        result = {"content": [{"type": "text", "text": json.dumps(params["arguments"])},
                              {"type": "image", "mimeType": "image/png", "data": "AAAA"}]}
    print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}), flush=True)
"""
Write = Callable[[str, str], Path]
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def server(write: Write) -> None:
    """A home with one local server."""
    script = write("server.py", SERVER)
    command = json.dumps([sys.executable, str(script)])
    write("catalogs/c.yaml", f"registry:\n  local:\n    process:\n      command: {command}\n")
    write("registry.yaml", "registry: {local: {ref: ''}}\n")


def test_ls_and_count(run: Run) -> None:
    """The tools that clients see, for people and for programs."""
    done = run("tools", "ls")
    assert done.status == 0, done.err
    assert done.out.splitlines() == ["NAME   DESCRIPTION", "count  Counts.", "fail"]
    assert [tool["name"] for tool in json.loads(run("tools", "list", "--format=json").out)] == [
        "count",
        "fail",
    ]
    assert run("tools", "count").out == "2 tools\n"


def test_inspect_shows_the_arguments(run: Run) -> None:
    """One tool with what it wants."""
    lines = run("tools", "inspect", "count").out.splitlines()
    assert "ARGUMENT  TYPE     REQUIRED  DESCRIPTION" in lines
    assert "n         integer  yes       How many" in lines


@pytest.mark.parametrize(
    ("words", "stdin", "arguments"),
    [
        (["n=5", "tags=a", "tags=b"], "", {"n": 5, "tags": ["a", "b"]}),
        (['{"n": 5}'], "", {"n": 5}),
        (["--args", '{"n": 5}'], "", {"n": 5}),
        (["--args", "-"], '{"n": 5}', {"n": 5}),
        (["--gateway-arg", "--servers=local", "n=5"], "", {"n": 5}),
    ],
)
def test_call_types_its_arguments(
    run: Run, words: list[str], stdin: str, arguments: dict[str, object]
) -> None:
    """`key=value` follows the schema, JSON stays as it is; what is no text is named."""
    done = run("tools", "call", "count", *words, stdin=stdin)
    assert done.status == 0, done.err
    first, second = done.out.splitlines()
    assert json.loads(first) == arguments
    assert second.startswith("(image, image/png")


def test_call_as_json_is_the_whole_result(run: Run) -> None:
    """Programs get everything."""
    result = json.loads(run("tools", "call", "count", "n=1", "--format=json").out)
    assert result["content"][1]["data"] == "AAAA"


def test_failed_tool_ends_with_1(run: Run) -> None:
    """A tool that says it failed prints why, and the status says it, too."""
    done = run("tools", "call", "fail")
    assert (done.status, done.out) == (1, "it failed\n")


@pytest.mark.parametrize(
    ("words", "status", "part"),
    [
        ([], 2, "are required: NAME; see mcpgw tools call --help"),
        (["cuont"], 1, "there is no tool 'cuont' (did you mean count?)"),
        (["count", "n=x"], 2, "argument 'n' must be integer, not 'x'"),
        (["count", "n=1", "--args", "{}"], 2, "not both"),
        (["count", "--args", "[1]"], 2, "must be one JSON object"),
        (["count", "--gateway-arg=--nonsense"], 2, "unknown flag --nonsense"),
    ],
)
def test_mistakes_are_named(run: Run, words: list[str], status: int, part: str) -> None:
    """One sentence, nothing on stdout."""
    done = run("tools", "call", *words)
    assert (done.status, part in done.err, done.out) == (status, True, ""), done.err


def test_an_unknown_tool_names_the_servers_that_do_not_run(
    run: Run, write: Callable[[str, str], Path]
) -> None:
    """The tool may be one of theirs."""
    write(
        "catalogs/b.yaml",
        "registry: {broken: {image: i, secrets: [{name: s, required: true}]}}\n",
    )
    write("registry.yaml", "registry: {broken: {ref: ''}}\n")
    done = run("tools", "call", "say", "x=1")
    assert done.status == 1
    assert "broken does not run: the secret s is not set" in done.err
