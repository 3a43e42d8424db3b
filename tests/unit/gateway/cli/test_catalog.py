"""`catalog ls|show`."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.gateway.cli.conftest import Run

Write = Callable[[str, str], Path]
MINE = "displayName: My servers\nregistry:\n  a: {image: i, title: A}\n  b: {image: [1]}\n"


def test_empty_home_has_the_starter_catalog(run: Run) -> None:
    """What is used without any file is what is listed."""
    rows = json.loads(run("catalog", "ls", "--json").out)
    assert [(row["name"], row["servers"]) for row in rows] == [("starter", 3)]


def test_ls_counts_servers_and_faults(run: Run, write: Write) -> None:
    """Each file is a row; docker-mcp comes first, as when serving."""
    write("catalogs/alpha.yaml", MINE)
    write("catalogs/docker-mcp.yaml", "registry: {}\n")
    rows = json.loads(run("catalog", "list", "--json").out)
    assert [(row["name"], row["title"], row["servers"], row["broken"]) for row in rows][1] == (
        "alpha", "My servers", 1, 1,
    )  # fmt: skip
    assert rows[0]["name"] == "docker-mcp"
    assert run("catalog", "ls").out.splitlines()[0].split()[0] == "NAME"


@pytest.mark.parametrize("name", ["alpha", "alpha.yaml"])
def test_show_names_servers_and_faults(run: Run, write: Write, name: str) -> None:
    """One catalog with its servers; what is broken in it has its line."""
    write("catalogs/alpha.yaml", MINE)
    view = json.loads(run("catalog", "show", name, "--format=json").out)
    assert [row["name"] for row in view["servers"]] == ["a"]
    assert "alpha.yaml:" in view["broken"][0]
    assert "My servers" in run("catalog", "show", name).out


def test_show_all_and_by_path(run: Run, tmp_path: Path) -> None:
    """Without a name all are shown; a path need not lie in the home."""
    file = tmp_path / "other.yaml"
    file.write_text("registry: {z: {image: i}}\n")
    assert json.loads(run("catalog", "show", str(file), "--json").out)["servers"][0]["name"] == "z"
    assert [view["name"] for view in json.loads(run("catalog", "show", "--json").out)] == [
        "starter"
    ]


def test_unknown_catalog_is_refused(run: Run) -> None:
    """A misspelt catalog is named with the right one."""
    done = run("catalog", "show", "startr")
    assert (done.status, "(did you mean starter?)" in done.err) == (2, True)
