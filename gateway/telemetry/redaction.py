"""Keeps secrets out of what people read. Must not know where secrets come from, nor where texts go."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from gateway.limits import MIN_SECRET_CHARS

_MASK: Final = "***"


class Redaction:
    """The secret values seen so far, and their removal from texts."""

    def __init__(self) -> None:
        self._forms: frozenset[str] = frozenset()

    def add(self, values: Iterable[str]) -> None:
        """From now on masks these as well. Values are only ever added: what was secret stays so.

        What has less than `limits.MIN_SECRET_CHARS` is left alone: masking each "1" hides the text, not the secret.
        """
        forms = {form for value in values for form in _written_forms(value)}
        self._forms |= {form for form in forms if len(form) >= MIN_SECRET_CHARS}

    def __call__(self, text: str) -> str:
        """`text` with every occurrence masked; overlapping ones as one, so that no rest of the longer is left."""
        spans = sorted(span for form in self._forms for span in _occurrences(form, text))
        kept, position = "", 0
        for start, end in spans:
            if start >= position:
                kept += text[position:start] + _MASK
            position = max(position, end)
        return kept + text[position:]


# The one exception to "no globals": logging itself is global, and a secret is one wherever it turns up.
redact: Final = Redaction()


def redact_values(values: Iterable[str]) -> None:
    """Masks these secret values in every log line from now on."""
    redact.add(values)


def _written_forms(secret: str) -> set[str]:
    """How a secret may stand in a text: as it is, line by line, in Python's and JSON's quotes, in a URL."""
    # lazy: most runs log their first lines before there is a secret
    from urllib.parse import quote  # noqa: PLC0415

    return {
        secret,
        *(line.strip() for line in secret.splitlines()),
        repr(secret)[1:-1],
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        quote(secret, safe="", errors="replace"),
    }


def _occurrences(form: str, text: str) -> list[tuple[int, int]]:
    found, start = [], text.find(form)
    while start >= 0:
        found.append((start, start + len(form)))
        start = text.find(form, start + 1)
    return found
