"""The starter catalog says what is there."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import yaml

from tests.unit.catalogs.conftest import SERVERS, Server

CATALOG = yaml.safe_load((SERVERS.parent / "starter.yaml").read_text(encoding="utf-8"))
NAMES = sorted(CATALOG["registry"])


def test_every_server_has_its_entry() -> None:
    """No entry without a server, no server without an entry."""
    assert CATALOG["version"] == 3
    assert sorted(path.name for path in SERVERS.iterdir() if path.is_dir()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_an_entry_names_its_image_and_its_process(name: str) -> None:
    """Both forms lead to the same source."""
    entry = CATALOG["registry"][name]
    program, script = entry["process"]["command"]
    assert program == "python3"
    assert SERVERS.parent / script == SERVERS / name / "server.py"
    assert entry["image"] == f"mcpgw/{name}:starter"
    assert entry["disableNetwork"]


@pytest.mark.parametrize("name", NAMES)
def test_an_entry_lists_the_tools_that_its_server_has(
    name: str, shared: Callable[[str], Server]
) -> None:
    """What is shown before a server ever ran is what it then offers."""
    tools = shared(name).request("tools/list")["result"]["tools"]
    listed = CATALOG["registry"][name]["tools"]
    assert [tool["name"] for tool in listed] == [tool["name"] for tool in tools]
