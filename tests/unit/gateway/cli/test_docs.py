"""The pages about flags and commands say all there is, and nothing that is not."""

import re
from pathlib import Path

import pytest

from gateway.cli.commands import COMMANDS, NOT_BUILT
from gateway.cli.main import parser_of, verbs_of
from gateway.cli.verbs import Invocation

DOCS = Path(__file__).parents[4] / "docs"
RUN = parser_of("gateway", verbs_of("gateway")[0], Invocation(environ={}))


def documented(text: str) -> set[str]:
    """The long flags that begin a cell or stand in code."""
    return set(re.findall(r"`(--[a-z-]+)", text))


def test_every_flag_is_documented() -> None:
    """docs/flags.md has a row for each flag of `gateway run`."""
    rows = re.findall(r"^\| `(--[a-z-]+)", (DOCS / "flags.md").read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(flag for flag in RUN.flags() if flag.startswith("--"))


def test_every_choice_is_documented() -> None:
    """The words of a choice stand in its row as in the help."""
    text = (DOCS / "flags.md").read_text().replace("\\|", "|")
    for action in RUN._actions:
        if action.option_strings and isinstance(action.metavar, str):
            assert f"`{action.option_strings[0]} {action.metavar}`" in text


@pytest.mark.parametrize("command", COMMANDS)
def test_every_verb_is_documented(command: str) -> None:
    """docs/commands.md names each verb, with its aliases and its flags."""
    text = (DOCS / "commands.md").read_text()
    part = re.search(rf"^## `{command}( run)?`\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert part is not None
    for verb in verbs_of(command):
        if command == "gateway":
            continue
        if verb.name:
            assert f"`{command} {verb.name}" in part[2]
            assert all(f"`{alias}`" in part[2] for alias in verb.aliases)
        flags = set(parser_of(command, verb, Invocation(environ={})).flags()) - set(RUN.flags())
        assert flags <= documented(text) | {"-h", "--json"}, flags


def test_no_flag_is_invented() -> None:
    """The pages name only flags that exist."""
    known = {flag for command in COMMANDS for verb in verbs_of(command)
             for flag in parser_of(command, verb, Invocation(environ={})).flags()}  # fmt: skip
    for page in ("flags.md", "commands.md"):
        found = documented((DOCS / page).read_text())
        assert found - known <= {"--version", "--json"}


def test_missing_verbs_are_documented() -> None:
    """What Docker has and this has not is said."""
    text = (DOCS / "commands.md").read_text()
    for words in NOT_BUILT:
        if words[0] != "catalog":
            assert re.search(rf"`[^`]*\b{words[0]}\b[^`]*\b{words[-1]}\b|`{words[-1]}`", text), (
                words
            )
