"""Text for a terminal. Must not know what it says; imports nothing, for every start does."""

from __future__ import annotations


def printable(text: str) -> str:
    """The text without what steers a terminal or turns the writing around; line breaks and tabs stay.

    Catalogs, servers and clients write what people read here: an escape sequence can hide, forge and even type text.
    """
    return "".join(mark if mark.isprintable() or mark in "\n\t" else " " for mark in text)
