"""Servers not written here, all behind one gateway: each does what it is for, and names that collide stay apart."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Containers
from tests.e2e.gateways import ANSWER_S, Pipe
from tests.e2e.places import Place

pytestmark = pytest.mark.slow

Entry = Callable[..., dict[str, Any]]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository with one commit and one change."""
    folder = tmp_path / "repository"
    git = ["git", "-C", str(folder), "-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    subprocess.run(["git", "init", "-q", "-b", "main", str(folder)], check=True)
    (folder / "poem.txt").write_text("one line\n")
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "Begin the poem"], check=True)
    (folder / "poem.txt").write_text("one line\nand another\n")
    return folder


@pytest.fixture
def five(place: Place, real: Entry, repository: Path) -> Place:
    """A home with all five servers, and a second `memory`, so that its tools collide."""
    shared = place.folder / "shared"
    shared.mkdir()
    (shared / "hello.txt").write_text("good morning")
    place.write(
        {
            "time": real("time"),
            "git": real("git", volumes=[f"{repository}:/work/repository"]),
            "everything": real("everything"),
            "filesystem": real("filesystem", volumes=[f"{shared}:/work/shared"]),
            "memory": real("memory", env=[{"name": "MEMORY_FILE_PATH", "value": "/tmp/m.jsonl"}]),
            "memory2": real("memory", env=[{"name": "MEMORY_FILE_PATH", "value": "/tmp/m.jsonl"}]),
        }
    )
    return place


def test_five_servers_behind_one_gateway(five: Place, containers: Containers) -> None:
    """Each answers a call that only it can answer; after the list nothing runs, after the calls all of them do."""
    with five.stdio() as client:
        client.initialize()
        names = all_tools(client)
        check_names(names)
        # Nothing that ran for the lists alone is still there.
        check_time(client)
        check_git(client)
        check_everything(client)
        check_filesystem(client, five.folder / "shared")
        check_memories(client)
        assert len(containers(five)) == 6


def all_tools(client: Pipe) -> set[str]:
    """The names of all tools; what came too late for the first list is announced."""
    names: set[str] = set()
    while not {"get_current_time", "git_log", "echo", "read_text_file"} <= names:
        answer = client.request("tools/list")
        names = {tool["name"] for tool in answer["result"]["tools"]}
        if not any(name.endswith("__read_graph") for name in names):
            client.receive(ANSWER_S)
            names = set()
    return names


def check_names(names: set[str]) -> None:
    """Colliding names carry their server's, the rest are as their servers made them."""
    assert {"memory__read_graph", "memory2__read_graph", "memory__create_entities"} <= names
    assert "read_graph" not in names
    assert {"convert_time", "git_log", "git_diff_unstaged", "get-sum", "write_file"} <= names


def check_time(client: Pipe) -> None:
    """A time zone's offset."""
    now = json.loads(client.call("get_current_time", timezone="Asia/Kathmandu"))
    assert now["datetime"].endswith("+05:45")


def check_git(client: Pipe) -> None:
    """The log and the change of a bind-mounted repository."""
    assert "Begin the poem" in client.call("git_log", repo_path="/work/repository")
    assert "+and another" in client.call("git_diff_unstaged", repo_path="/work/repository")


def check_everything(client: Pipe) -> None:
    """Text as it is, and a structured result beside the text."""
    odd = 'ünï \U0001f40d "quoted" \\ \u2028 end'
    assert client.call("echo", message=odd) == f"Echo: {odd}"
    params = {"name": "get-structured-content", "arguments": {"location": "Chicago"}}
    result = client.request("tools/call", params)["result"]
    assert result["structuredContent"] == json.loads(result["content"][0]["text"])


def check_filesystem(client: Pipe, shared: Path) -> None:
    """What is on the host is read, what is written is on the host, and elsewhere is refused."""
    assert client.call("read_text_file", path="/work/shared/hello.txt") == "good morning"
    client.call("write_file", path="/work/shared/new.txt", content="a\nb")
    assert (shared / "new.txt").read_text() == "a\nb"
    assert "denied" in client.call("read_text_file", path="/etc/passwd")


def check_memories(client: Pipe) -> None:
    """Two servers of one image keep what they are told apart."""
    ada = {"name": "Ada", "entityType": "person", "observations": ["writes programs"]}
    client.call("memory__create_entities", entities=[ada])
    assert "writes programs" in client.call("memory__read_graph")
    assert "writes programs" not in client.call("memory2__read_graph")
