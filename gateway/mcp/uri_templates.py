"""Whether a URI may come from a resource template. Must not know who owns the template.

A gateway only has to find the server to ask, so that this matches rather too much: what the variables mean, and
whether there is such a resource, is for the server to say. Regular expressions are not used, for the templates are
strangers': two variables in a row would cost the square of the URI's length, five its fifth power.

Source: RFC 6570 (all operators, without checks of names and modifiers); MCP 2025-11-25, resources, "Resource Templates".
"""

from __future__ import annotations

import re
from typing import Final, Literal

import msgspec

from gateway.limits import MAX_TEMPLATE_URI_CHARS


class _Part(msgspec.Struct, frozen=True):
    """A piece of a template: text as it stands, or what an expression may become.

    `segment` is one or more characters other than "/", `path` one or more of any kind, `optional` any number of any
    kind (or nothing) that begins with `text`.
    """

    kind: Literal["text", "segment", "path", "optional"]
    text: str = ""


class UriTemplate(msgspec.Struct, frozen=True):
    """A template, ready to be matched. The more `literal_chars`, the more specific it is."""

    parts: tuple[_Part, ...]
    literal_chars: int

    def matches(self, uri: str) -> bool:
        """Whether the URI may come from this template."""
        if len(uri) > MAX_TEMPLATE_URI_CHARS:
            return False
        reached = {0}
        for part in self.parts:
            reached = _advance(part, uri, reached)
        return len(uri) in reached


_EXPRESSION: Final = re.compile(r"\{([^{}]*)\}")
_OPTIONAL: Final = frozenset("#./;?&")
"""Operators whose expansion begins with the operator itself, and is empty where no variable is set."""


def parse_template(template: str) -> UriTemplate:
    """Reads a template. Every text is one: braces that do not belong to an expression stand for themselves."""
    parts: list[_Part] = []
    for position, piece in enumerate(_EXPRESSION.split(template)):
        if position % 2:
            parts.append(_expression(piece))
        elif piece:
            parts.append(_Part("text", piece))
    literal_chars = sum(len(part.text) for part in parts if part.kind == "text")
    return UriTemplate(tuple(parts), literal_chars)


def _expression(inside: str) -> _Part:
    operator = inside[:1]
    if operator in _OPTIONAL:
        return _Part("optional", operator)
    return _Part("path" if operator == "+" else "segment")


def _advance(part: _Part, uri: str, reached: set[int]) -> set[int]:
    """The positions up to which the URI is matched with `part`, from those up to which it was without."""
    if part.kind == "segment":
        return _through_segments(uri, reached)
    if part.kind == "path":
        return _through_all(uri, reached)
    starts = {at for at in reached if uri.startswith(part.text, at)}
    if part.kind == "optional":
        return reached | _through_all(uri, starts)
    return {at + len(part.text) for at in starts}


def _through_all(uri: str, reached: set[int]) -> set[int]:
    return set(range(min(reached) + 1, len(uri) + 1)) if reached else set()


def _through_segments(uri: str, reached: set[int]) -> set[int]:
    ends: set[int] = set()
    covered = 0
    for at in sorted(reached):
        slash = uri.find("/", at)
        end = len(uri) if slash < 0 else slash
        # Starts within one segment lead to the same ends: only the first of them is followed.
        if end > covered:
            ends.update(range(at + 1, end + 1))
            covered = end
    return ends
