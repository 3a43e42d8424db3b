"""What a build of the gateway offers."""

from __future__ import annotations

from typing import cast

import pytest

from bench.engine import Engine
from bench.errors import NotYet
from bench.program import Program
from bench.stage import Stage, offered_flags


def _stage(*flags: str) -> Stage:
    nothing = object()
    return Stage(cast("Engine", nothing), cast("Program", nothing), frozenset(flags))


def test_flags_are_found_in_the_help() -> None:
    """A longer flag is another one."""
    text = "  --link auto|fifo|attach   how to reach\n  --linked, --fast   more\n"
    assert offered_flags(text, ["--link", "--fast", "--lin"]) == {"--link", "--fast"}


def test_a_build_without_the_choice_has_attach_only() -> None:
    """Its rows over named pipes wait; no flag is given that it does not know."""
    stage = _stage()
    assert stage.links == ("attach",)
    assert stage.link_options("attach") == ()
    with pytest.raises(NotYet, match="no `--link`"):
        stage.require("--link")


def test_a_build_with_the_choice_is_told_what_to_take() -> None:
    """Both ways are measured."""
    stage = _stage("--link")
    stage.require("--link")
    assert stage.links == ("fifo", "attach")
    assert stage.link_options("fifo") == ("--link", "fifo")
