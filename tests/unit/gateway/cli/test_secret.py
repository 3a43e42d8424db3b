"""`secret set|ls|rm`: values go in and never come out."""

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.gateway.cli.conftest import Run

CATALOG = """\
registry:
  a:
    image: a
    secrets:
      - {name: shared.key, env: KEY, description: For both}
      - {name: only.a, env: A, required: true}
  b:
    image: b
    secrets:
      - {name: shared.key, env: OTHER}
  off:
    image: c
    secrets:
      - {name: off.key, env: OFF}
"""
Write = Callable[[str, str], Path]


@pytest.fixture(autouse=True)
def catalog(write: Write) -> None:
    """A home with three servers, two of them enabled."""
    write("catalogs/c.yaml", CATALOG)
    write("registry.yaml", "registry: {a: {ref: ''}, b: {ref: ''}}\n")


def rows(run: Run, *words: str, **environ: str) -> dict[str, dict[str, object]]:
    """`secret ls` by name."""
    done = run("secret", "ls", "--format=json", *words, **environ)
    assert done.status == 0
    return {row["name"]: row for row in json.loads(done.out)}


@pytest.mark.parametrize(
    ("words", "stdin"),
    [
        (["shared.key=hunter2=x"], ""),
        (["shared.key"], "hunter2=x\n"),
        (["shared.key"], "hunter2=x"),
    ],
)
def test_set_stores_privately_and_prints_nothing_of_it(
    run: Run, home: Path, words: list[str], stdin: str
) -> None:
    """From the command line or from stdin, the value is stored 0600 and never printed."""
    done = run("secret", "set", *words, stdin=stdin)
    assert (done.status, done.out) == (0, "")
    assert done.err == "mcpgw: shared.key is stored; it goes to a, b\n"
    assert stat.S_IMODE((home / "secrets.env").stat().st_mode) == 0o600
    assert "hunter2=x" in (home / "secrets.env").read_text()
    for form in ("table", "json", "yaml"):
        assert "hunter2" not in run("secret", "ls", "--format", form).out


def test_ls_tells_who_asks_and_what_is_missing(run: Run) -> None:
    """Each declared secret is listed once, with its servers and where it comes from."""
    run("secret", "set", "shared.key=v", "stray=v")
    found = rows(run)
    assert found["shared.key"]["servers"] == ["a", "b"]
    assert found["shared.key"]["source"] == "store"
    assert (found["only.a"]["source"], found["only.a"]["required"]) == (None, True)
    assert found["stray"]["servers"] == []
    assert "off.key" not in found
    assert "off.key" in rows(run, "--all")


def test_ls_knows_the_environment(run: Run) -> None:
    """A secret may come from the variable that its entry names."""
    assert rows(run, A="from outside")["only.a"]["source"] == "environment"


def test_ls_for_people(run: Run) -> None:
    """A missing secret that is required stands out."""
    lines = run("secret", "list").out.splitlines()
    assert lines[0].split() == ["NAME", "FROM", "SERVERS"]
    assert lines[1].split() == ["shared.key", "missing", "a,", "b"]
    assert lines[2].split() == ["only.a", "MISSING", "a"]


def test_stored_secret_nobody_asks_for_is_mentioned(run: Run) -> None:
    """A misspelt name is stored, and the right one suggested."""
    done = run("secret", "set", "shared.kay=v")
    assert "no server of the catalogs asks for it (did you mean shared.key?)" in done.err


def test_rm_forgets(run: Run) -> None:
    """A removed secret is missing again."""
    run("secret", "set", "shared.key=v")
    assert run("secret", "rm", "shared.key").status == 0
    assert rows(run)["shared.key"]["source"] is None


def test_rm_all(run: Run, home: Path) -> None:
    """--all empties the store."""
    run("secret", "set", "x=v", "y=v")
    assert run("secret", "rm", "--all").status == 0
    assert "=" not in (home / "secrets.env").read_text().replace("=v", "=") or not rows(
        run
    ).keys() & {"x", "y"}


@pytest.mark.parametrize(
    ("words", "stdin", "part"),
    [
        (["set", "shared.key"], "", "there is no value for shared.key"),
        (["set", "a", "b"], "v", "one secret a time"),
        (["set", "bad name=v"], "", "cannot be the name of a secret"),
        (["rm", "nothing"], "", "the store has no secret 'nothing'"),
        (["rm"], "", "name the secrets to forget, or give --all"),
    ],
)
def test_mistakes_are_named(run: Run, words: list[str], stdin: str, part: str) -> None:
    """Wrong use ends with 2 and a sentence."""
    done = run("secret", *words, stdin=stdin)
    assert (done.status, part in done.err) == (2, True), done.err
