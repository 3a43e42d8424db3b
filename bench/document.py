"""Puts the tables of the reference run between the markers of docs/performance.md. The rest of the page is people's."""

from __future__ import annotations

from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).parent.parent / "docs" / "performance.md"
_BEGIN: Final = "<!-- written by `python -m bench --write-docs`; do not edit -->\n"
_END: Final = "<!-- end of what is written -->\n"


def written(page: str) -> str:
    """What stands between the markers.

    Raises:
        ValueError: the page lacks them.
    """
    _, begin, rest = page.partition(_BEGIN)
    content, end, _ = rest.partition(_END)
    if not (begin and end):
        raise ValueError("the page lacks its markers")
    return content


def with_tables(page: str, tables: str) -> str:
    """The page with other tables between its markers."""
    return page.replace(_BEGIN + written(page) + _END, f"{_BEGIN}\n{tables}\n{_END}")
