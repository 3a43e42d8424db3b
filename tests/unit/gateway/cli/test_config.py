"""`config get|set|unset` over a real config.yaml."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.gateway.cli.conftest import Run

Write = Callable[[str, str], Path]


@pytest.fixture(autouse=True)
def config(write: Write) -> None:
    """A home with two servers and some settings."""
    write("catalogs/c.yaml", "registry:\n  time: {image: t}\n  a.b: {image: x}\n")
    write("config.yaml", "# mine\ntime:\n  zone: UTC # for now\n  nested: {deep: [1, 2]}\n")


def test_get_shows_all_one_server_or_one_value(run: Run) -> None:
    """The whole file, a part, or a leaf; as YAML for people."""
    assert json.loads(run("config", "get", "--json").out)["time"]["zone"] == "UTC"
    assert json.loads(run("config", "get", "time", "--json").out)["nested"] == {"deep": [1, 2]}
    assert run("config", "get", "time.zone").out == "UTC\n"
    assert run("config", "get", "time.nested.deep").out == "- 1\n- 2\n"


def test_set_keeps_comments_and_types(run: Run, home: Path) -> None:
    """Values are typed as YAML and JSON are; everything else in the file stays."""
    done = run(
        "config",
        "set",
        "time.zone=Europe/Berlin",
        "time.count=5",
        'time.list=["a"]',
        "time.on=true",
    )
    assert done.status == 0
    text = (home / "config.yaml").read_text()
    assert text.startswith("# mine\n")
    assert "# for now" in text
    values = json.loads(run("config", "get", "time", "--json").out)
    assert (values["zone"], values["count"], values["list"], values["on"]) == (
        "Europe/Berlin", 5, ["a"], True,
    )  # fmt: skip


def test_server_names_with_dots(run: Run) -> None:
    """A server whose name has a dot is recognised among the known ones."""
    assert run("config", "set", "a.b.key=1").status == 0
    assert run("config", "get", "a.b.key").out == "1\n"
    assert json.loads(run("config", "get", "a.b", "--json").out) == {"key": 1}


def test_unset_value_and_server(run: Run) -> None:
    """A value goes, or all of a server's."""
    assert run("config", "unset", "time.zone").status == 0
    assert "zone" not in run("config", "get").out
    assert run("config", "rm", "time").status == 0
    assert run("config", "get").out == "config.yaml sets nothing\n"


def test_unknown_server_is_mentioned(run: Run) -> None:
    """A setting of a server that no catalog has is kept, and mentioned."""
    done = run("config", "set", "tmie.zone=UTC")
    assert done.status == 0
    assert "no catalog has a server 'tmie' (did you mean time?)" in done.err


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["set", "time.zone"], "'time.zone' is not SERVER.KEY=VALUE"),
        (["set", "time=5"], "server.key"),
        (["set", "time.zone=[oops"], "looks like JSON"),
        (["get", "time.nothing"], "does not set 'time.nothing'"),
        (["get", "nobody"], "does not set 'nobody'"),
        (["unset", "time.nothing"], "does not set 'time.nothing'"),
    ],
)
def test_mistakes_are_named(run: Run, words: list[str], part: str) -> None:
    """Wrong use ends with 2 and a sentence."""
    done = run("config", *words)
    assert (done.status, part in done.err) == (2, True), done.err


def test_broken_file_is_named(run: Run, write: Write) -> None:
    """A file that is not YAML is named with its line."""
    write("config.yaml", "a: [\n")
    done = run("config", "get")
    assert done.status == 2
    assert "config.yaml" in done.err
