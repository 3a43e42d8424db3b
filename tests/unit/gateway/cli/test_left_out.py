"""Who is missing from a list, in a line each."""

from __future__ import annotations

import pytest

from gateway.catalog.model import EntryFault, Origin
from gateway.cli.left_out import left_out, tell_left_out

AT = Origin("c.yaml")


def test_only_what_clients_would_see_is_missing() -> None:
    """A broken entry that nobody enabled is not; a file may hold anything."""
    faults = (
        EntryFault("off", AT, "broken"),
        EntryFault("on", AT, "broken"),
        EntryFault("on", AT, "no image", enabled=True),
        EntryFault("c.yaml", AT, "no YAML", whole_file=True),
    )
    reasons = left_out(faults, {"dead": "exited"})
    assert reasons == {"on": "no image", "c.yaml": "no YAML", "dead": "exited"}


def test_each_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever a server said last."""
    tell_left_out({"a": "its last words:\n  one\n\ttwo \x1b[31m", "b": "c"})
    assert capsys.readouterr().err.splitlines() == [
        "mcpgw: a is left out: its last words: one two  [31m",
        "mcpgw: b is left out: c",
    ]
