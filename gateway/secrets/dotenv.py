r"""The `.env` format: names and values as shells and Docker write them. Must not touch files.

Names may hold dots (`github.personal_access_token`). Single quotes are literal; double quotes know `\n`, `\r`,
`\t`, `\"`, `\\` and `\$`; both may span lines. Unquoted values end at the line or at ` #`. Nothing is expanded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from gateway.errors import SecretError

_LINE: Final = re.compile(
    r"""[^\S\n]*(?:export[^\S\n]+)?(?P<name>[^\s=\#'"]+)[^\S\n]*=[^\S\n]*
    (?:'(?P<single>[^']*)'|"(?P<double>(?:[^"\\]|\\.)*)"|(?P<plain>[^\n]*?))
    [^\S\n]*(?:(?<=[\s'"=])\#[^\n]*)?(?:\n|\Z)""",
    re.VERBOSE | re.DOTALL,
)
_EMPTY_LINE: Final = re.compile(r"[^\S\n]*(?:\#[^\n]*)?(?:\n|\Z)")
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED: Final = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$"}
_WRITTEN: Final = {
    character: f"\\{letter}" for letter, character in _ESCAPED.items() if letter != "$"
}


def parse_dotenv(text: str, source: str) -> dict[str, str]:
    """All pairs of a `.env` text; the last of a name counts.

    Raises:
        SecretError: a line is no assignment; tells its number, never what it holds.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    values: dict[str, str] = {}
    position = 0
    while position < len(text):
        if match := _EMPTY_LINE.match(text, position):
            position = match.end()
            continue
        match = _LINE.match(text, position)
        if match is None:
            line = text.count("\n", 0, position) + 1
            raise SecretError(f"{source}:{line}: is not of the form NAME=value")
        values[match["name"]] = _value(match)
        position = match.end()
    return values


def format_dotenv(values: Mapping[str, str]) -> str:
    """The pairs as lines in double quotes; `parse_dotenv` reads back exactly these."""
    return "".join(f'{name}="{_quoted(value)}"\n' for name, value in values.items())


def _value(match: re.Match[str]) -> str:
    if match["single"] is not None:
        return match["single"]
    if match["double"] is not None:
        return _ESCAPE.sub(lambda escape: _ESCAPED.get(escape[1], escape[0]), match["double"])
    return match["plain"].strip()


def _quoted(value: str) -> str:
    return "".join(_WRITTEN.get(character, character) for character in value)
