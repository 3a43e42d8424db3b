"""`tools ls|count|inspect|call` through a whole gateway in this process, over a real local server."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway import limits
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


def test_ls_waits_for_a_server_that_starts_slowly(
    run: Run, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first start may take longer than clients are made to wait for: packages are fetched, images pulled."""
    monkeypatch.setattr(limits, "UNCACHED_LIST_WAIT_S", 0.1)
    write("server.py", f"import time; time.sleep(1)\n{SERVER}")
    done = run("tools", "ls")
    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines() == ["NAME   DESCRIPTION", "count  Counts.", "fail"]


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
    assert "broken is left out: the secret s is not set" in done.err


BROKEN = """registry:
  dying: {process: {command: [/bin/sh, -c, "echo one >&2; echo two >&2; exit 3"]}}
  absent: {process: {command: [/nowhere/server]}}
  locked: {image: i, secrets: [{name: s, required: true}]}
"""


@pytest.fixture
def broken(write: Write) -> None:
    """Three servers beside the good one, each broken in its way."""
    write("catalogs/b.yaml", BROKEN)
    names = ("local", "dying", "absent", "locked")
    write("registry.yaml", json.dumps({"registry": {name: {"ref": ""} for name in names}}))


REASONS = {
    "dying": "exited with status 3; its last words: one two",
    "absent": "install /nowhere/server, or correct `process` of its entry",
    "locked": "the secret s is not set: run `mcpgw secret set s`",
    "unknown": "no catalog has a server of that name",
}


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize("verb", ["ls", "count"])
def test_servers_that_are_left_out_are_told(run: Run, verb: str) -> None:
    """A line for each, beside what the others have; nobody named them, so that all is well."""
    done = run("tools", verb)
    assert (done.status, "2 tools" in done.out or "count  Counts." in done.out) == (0, True)
    said = done.err.splitlines()
    assert len(said) == 3
    for name in ("dying", "absent", "locked"):
        (line,) = [line for line in said if line.startswith(f"mcpgw: {name} is left out: ")]
        assert REASONS[name] in line


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize("verb", ["ls", "count"])
@pytest.mark.parametrize("name", REASONS)
def test_a_named_server_that_is_left_out_ends_with_1(run: Run, name: str, verb: str) -> None:
    """Alone, and with one that runs and is shown all the same."""
    done = run("tools", verb, "--servers", name)
    assert (done.status, done.out) in {(1, "no tools\n"), (1, "0 tools\n")}
    assert len(done.err.splitlines()) == 1
    assert done.err.startswith(f"mcpgw: {name} is left out: ")
    assert REASONS[name] in done.err
    done = run("tools", verb, "--servers", f"{name},local")
    assert done.status == 1
    assert "2 tools" in done.out or "count  Counts." in done.out


def test_nothing_but_broken_servers_ends_with_1(run: Run, write: Write) -> None:
    """There is nothing to show, and a reason."""
    write("catalogs/b.yaml", BROKEN)
    write("registry.yaml", "registry: {locked: {ref: ''}}\n")
    done = run("tools", "ls", "--format=json")
    assert (done.status, done.out) == (1, "[]\n")
    assert "locked is left out" in done.err


def test_a_catalog_that_cannot_be_read_is_told(run: Run, write: Write) -> None:
    """Its servers are missing, and nobody knows which those are."""
    write("catalogs/b.yaml", "registry: [\n")
    done = run("tools", "ls")
    assert done.status == 0
    assert "mcpgw: b.yaml is left out: " in done.err


def test_nothing_enabled_is_no_failure(run: Run, write: Write) -> None:
    """Nobody has asked for any server."""
    write("registry.yaml", "registry: {}\n")
    done = run("tools", "ls")
    assert (done.status, done.err) == (0, "")
    assert done.out == "no tools: `server ls` shows what is enabled\n"


@pytest.mark.usefixtures("broken")
def test_an_unknown_tool_may_be_of_a_server_that_is_left_out(run: Run) -> None:
    """It is told which."""
    done = run("tools", "inspect", "say")
    assert done.status == 1
    for name in ("dying", "absent", "locked"):
        assert f"mcpgw: {name} is left out: " in done.err
    assert "there is no tool 'say'" in done.err
