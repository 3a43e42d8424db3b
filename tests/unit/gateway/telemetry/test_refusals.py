"""gateway/telemetry/refusals.py: its names are those of the limits, of the code, of the page, and of tests."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from gateway import limits
from gateway.telemetry.refusals import REFUSALS, refusal_counts, refused

TOP = Path(__file__).parents[4]


def texts(*folders: str) -> Iterator[tuple[Path, ast.AST]]:
    """Every node of every module in these folders."""
    for folder in folders:
        for path in (TOP / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                yield path, node


def named_in_calls(nodes: Iterator[tuple[Path, ast.AST]], name: str) -> set[str]:
    """The names of refusals in the arguments of calls of that function."""
    found = set()
    for _, node in nodes:
        if not isinstance(node, ast.Call):
            continue
        called = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if called == name:
            constants = (part for arg in node.args for part in ast.walk(arg))
            found |= {str(part.value) for part in constants if isinstance(part, ast.Constant)}
    return found


def test_each_is_a_bound() -> None:
    """What was hit can be looked up, with its reason."""
    for name in REFUSALS:
        assert hasattr(limits, name.partition(".")[2]), name


def test_each_is_counted_somewhere() -> None:
    """And nothing else is."""
    assert named_in_calls(texts("gateway", "actors"), "refused") == set(REFUSALS)


def test_each_has_a_test_that_hits_it() -> None:
    """Marked so; the mark fails where the bound was not counted."""
    assert named_in_calls(texts("tests"), "refuses") == set(REFUSALS)


def test_the_page_names_them() -> None:
    """docs/backpressure.md, in the column "counted as" of the table of their side."""
    told, side = set(), ""
    for line in (TOP / "docs" / "backpressure.md").read_text().splitlines():
        if line.startswith("## "):
            side = line.removeprefix("## ").lower().replace(" ", "_")
        elif line.startswith("|") and line.count(" | ") >= 3:
            column = line.rstrip(" |").rpartition(" | ")[2] if not line.endswith("| |") else ""
            told |= {f"{side}.{name}" for name in re.findall(r"`([A-Z_]+)`", column)}
    assert told == set(REFUSALS)


def test_what_never_happened_is_left_out() -> None:
    """A gateway that refused nothing has nothing to show."""
    before = refusal_counts()
    refused("inside.MAX_WIDE_BYTES")
    after = refusal_counts()
    assert 0 not in after.values()
    assert after["inside.MAX_WIDE_BYTES"] == before.get("inside.MAX_WIDE_BYTES", 0) + 1
