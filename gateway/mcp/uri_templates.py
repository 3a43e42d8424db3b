"""Whether a URI may come from a resource template. Must not know who owns the template.

A gateway only has to find the server to ask, so that this matches rather too much: what the variables mean, and
whether there is such a resource, is for the server to say. Regular expressions are not used, for the templates are
strangers': two variables in a row would cost the square of the URI's length, five its fifth power. A template of more
than `limits.MAX_TEMPLATE_PARTS` parts matches nothing.

Source: RFC 6570 (all operators, without checks of names and modifiers); MCP 2025-11-25, resources, "Resource Templates".
"""

from __future__ import annotations

import re
from typing import Final, Literal

import msgspec

from gateway.limits import MAX_TEMPLATE_PARTS, MAX_TEMPLATE_URI_CHARS


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
        if len(uri) > MAX_TEMPLATE_URI_CHARS or len(self.parts) > MAX_TEMPLATE_PARTS:
            return False
        text = _Text(uri)
        reached = 1
        for part in self.parts:
            reached = _advance(part, text, reached)
            if not reached:
                return False
        return bool(reached >> len(uri))


class _Text:
    """A URI, and sets of positions in it as numbers: bit n stands for the position before character n.

    A step over all of them at once is a few operations on one long number, which takes a microsecond.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.all = (1 << (len(uri) + 1)) - 1
        # Where each text of the template begins: templates repeat theirs.
        self._found: dict[str, int] = {}

    def where(self, text: str) -> int:
        """The positions at which `text` begins."""
        if text not in self._found:
            bits = bytearray(len(self.uri) // 8 + 1)
            at = self.uri.find(text)
            while at >= 0:
                bits[at >> 3] |= 1 << (at & 7)
                at = self.uri.find(text, at + 1)
            self._found[text] = int.from_bytes(bits, "little")
        return self._found[text]


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


def _advance(part: _Part, text: _Text, reached: int) -> int:
    """The positions up to which the URI is matched with `part`, from those up to which it was without."""
    match part.kind:
        case "segment":
            return _through_segments(text, reached)
        case "path":
            return _through_all(text, reached)
        case "optional":
            return reached | _through_all(text, reached & text.where(part.text))
        case "text" if reached == 1:  # the usual one, and the end of most attempts
            return int(text.uri.startswith(part.text)) << len(part.text)
        case "text":
            return (reached & text.where(part.text)) << len(part.text)


def _through_all(text: _Text, reached: int) -> int:
    """All positions behind the first one."""
    first = reached & -reached
    return text.all & -(first << 1)


def _through_segments(text: _Text, reached: int) -> int:
    """All positions from one behind each, up to the end of its segment.

    `inside` are the positions that a character other than "/" follows. Adding a start to the run of ones that it stands
    in carries to the run's end, and so changes all of it (Myers 1999, "A fast bit-vector algorithm", `D0`).
    """
    inside = text.all >> 1 & ~text.where("/")
    starts = reached & inside
    passed = ((inside + starts) ^ inside) | starts
    return (passed & inside) << 1
