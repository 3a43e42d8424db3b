"""What commands print: aligned tables for people, JSON and YAML for programs. Must not know what is shown."""

from __future__ import annotations

import shutil
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from gateway.cli.grammar import Parser
from gateway.cli.plain_text import printable

_GAP: Final = "  "
_NARROWEST: Final = 20
"""A last column that would get fewer characters than this is not cut: a terminal that narrow wraps anyway."""

FORMATS: Final = ("table", "json", "yaml")
_DOCKER_WORDS: Final = ("human", "list", "text")
"""What Docker's commands call a table."""


def add_format(parser: Parser) -> None:
    """Defines `--format`, and the `--json` that older commands of Docker have."""
    parser.choice(
        "--format",
        FORMATS,
        help="how to print (default table)",
        default="table",
        also=_DOCKER_WORDS,
    )
    parser.switch("--json", help=None)


def chosen_format(arguments: Namespace) -> str:
    """`table`, `json` or `yaml`."""
    if arguments.json:
        return "json"
    return "table" if arguments.format in _DOCKER_WORDS else str(arguments.format)


def show(value: object, arguments: Namespace, *, text: Callable[[], str] | str) -> None:
    """Prints `value` as the flags ask; `text` is its form for people.

    Args:
        value: Anything that msgspec encodes.
        arguments: What `add_format` was read into.
        text: The lines of the table form, or what makes them; nothing is printed where there are none.
    """
    match chosen_format(arguments):
        case "json":
            print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
        case "yaml":
            print(msgspec.yaml.encode(value).decode(), end="")
        case _:
            if lines := text if isinstance(text, str) else text():
                print(lines)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns. On a terminal the last column is cut at its edge; elsewhere nothing is lost."""
    lines = [header, *[[_plain(cell) for cell in row] for row in rows]]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header) - 1)]
    room = _room(sum(widths) + len(_GAP) * len(widths))
    return "\n".join(_line(line, widths, room) for line in lines)


def fields(pairs: Sequence[tuple[str, str]]) -> str:
    """`name  value` lines, aligned; pairs without a value are left out."""
    shown = [(name, printable(value)) for name, value in pairs if value]
    width = max((len(name) for name, _ in shown), default=0)
    indent = "\n" + " " * (width + len(_GAP))
    return "\n".join(
        f"{name:<{width}}{_GAP}{value.replace(chr(10), indent)}" for name, value in shown
    )


def note(sentence: str) -> None:
    """Says something to the person at the terminal, on stderr."""
    print(f"mcpgw: {printable(sentence)}", file=sys.stderr)


def plain(value: object) -> Any:
    """Structs as plain JSON types."""
    return msgspec.to_builtins(value)


def _line(cells: Sequence[str], widths: Sequence[int], room: int | None) -> str:
    last = cells[-1]
    if room is not None and len(last) > room:
        last = last[: room - 1] + "…"
    padded = [f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=False)]
    return _GAP.join([*padded, last]).rstrip()


def _room(used: int) -> int | None:
    """Characters left for the last column, None for all it needs."""
    if not sys.stdout.isatty():
        return None
    left = shutil.get_terminal_size().columns - used
    return left if left >= _NARROWEST else None


def _plain(cell: str) -> str:
    """One line without control characters: catalogs are written by others."""
    return "".join(mark if mark.isprintable() else " " for mark in " ".join(cell.split()))
