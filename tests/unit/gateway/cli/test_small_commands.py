"""`token`, `import`, `gateway run --dry-run`, the Docker plugin: commands with little of their own."""

import json
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.gateway.cli.conftest import Run

Write = Callable[[str, str], Path]


def test_token_is_made_once_and_kept(run: Run, home: Path) -> None:
    """The first look makes the token; it stays, in a private file."""
    first = run("token", "show")
    assert first.out == run("token", "show").out
    assert len(first.out.strip()) > 32
    assert stat.S_IMODE((home / "token").stat().st_mode) == 0o600


def test_token_of_the_environment_wins(run: Run, home: Path) -> None:
    """What the operator gave is shown, and nothing is written."""
    done = run("token", "show", "--json", MCP_GATEWAY_AUTH_TOKEN="given")
    assert json.loads(done.out) == {"token": "given", "origin": "environment"}
    assert not home.exists()


def test_import_writes_plain_files_and_names_missing_secrets(
    run: Run, tmp_path: Path, home: Path
) -> None:
    """Docker's database becomes files; the secrets that it does not give away are named."""
    database = tmp_path / "mcp-toolkit.db"
    snapshot = {
        "server": {
            "name": "gh",
            "type": "server",
            "image": "mcp/gh",
            "secrets": [{"name": "gh.token", "env": "TOKEN"}],
        }
    }
    servers = [{"type": "image", "image": "mcp/gh", "snapshot": snapshot}]
    with sqlite3.connect(database) as rows:
        rows.execute("create table working_set (id text, name text, servers text, secrets text)")
        rows.execute(
            "create table catalog (ref text, digest text, title text, source text, last_updated text)"
        )
        rows.execute(
            "create table catalog_server (id integer, server_type text, tools text, source text, image text,"
            " endpoint text, snapshot text, catalog_ref text)"
        )
        rows.execute(
            "insert into working_set values ('default', 'Default', ?, '{}')", (json.dumps(servers),)
        )
    rows.close()
    done = run("import", "docker", "--from", str(database))
    assert done.status == 0, done.err
    assert "run `mcpgw secret set gh.token`" in done.err
    assert (home / "registry.yaml").is_file()
    assert run("import", "docker", "--from", str(database)).status == 2


def test_import_without_database(run: Run) -> None:
    """A machine without that database is told so."""
    done = run("import", "docker")
    assert (done.status, "mcp-toolkit.db" in done.err) == (2, True)


def test_dry_run_says_what_would_be_served_and_keeps_stdout_clean(run: Run, write: Write) -> None:
    """Nothing is started; stdout stays empty, for on stdio it belongs to the protocol."""
    write("catalogs/c.yaml", "registry: {a: {image: i}, b: {image: [1]}}\n")
    done = run("gateway", "run", "--dry-run", "--servers", "a")
    assert (done.status, done.out) == (0, "")
    assert "a     yes      container  i      ok" in done.err
    assert "broken" in done.err
    assert "dry run" in done.err


def test_named_file_that_is_missing(run: Run) -> None:
    """What the command line names must be there."""
    done = run("--dry-run", "--catalog", "/nowhere.yaml")
    assert (done.status, "/nowhere.yaml" in done.err) == (2, True)


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [
        ("LOG_LEVEL", "loud", "LOG_LEVEL must be one of"),
        ("LOG_FORMAT", "xml", "LOG_FORMAT must be"),
    ],
)
def test_variables_with_unknown_words(run: Run, name: str, value: str, part: str) -> None:
    """A misspelt variable is no silent default."""
    done = run("gateway", "run", "--dry-run", **{name: value})
    assert (done.status, part in done.err) == (2, True)


def test_log_file_that_cannot_be_opened(run: Run, tmp_path: Path) -> None:
    """The flag and the path are named."""
    done = run("gateway", "run", "--dry-run", "--log", str(tmp_path / "no" / "log"))
    assert (done.status, "--log" in done.err, "no/log" in done.err) == (2, True, True)


def test_plugin_metadata(run: Run) -> None:
    """Docker's CLI learns who we are."""
    done = run("docker-cli-plugin-metadata")
    assert json.loads(done.out)["SchemaVersion"] == "0.1.0"


def test_plugin_call(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """`docker mcp version` runs `version`, and sentences say `docker mcp`."""
    monkeypatch.setattr("sys.argv", ["/x/docker-mcp"])
    assert run("mcp", "version").out.startswith("mcpgw ")
    assert "docker mcp server needs a verb" in run("mcp", "server").err
    assert run("--context", "x", "mcp", "version").status == 0


@pytest.mark.slow
def test_gateway_run_over_stdio_keeps_stdout_clean(home: Path) -> None:
    """A whole run: one answer on stdout, everything else on stderr, over with the end of stdin."""
    hello = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "t", "version": "1"},
        },
    }
    done = subprocess.run(
        [sys.executable, "-m", "gateway.cli", "gateway", "run", "--debug", "--starter"],
        input=json.dumps(hello) + "\n",
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[4],
        env={**os.environ, "MCPGW_HOME": str(home), "DOCKER_HOST": "unix:///nowhere.sock"},
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["id"], answer["result"]["serverInfo"]["name"]) == (1, "mcpgw")
    assert "mcpgw: serving 3 servers (dice, clock, notes)" in done.stderr
