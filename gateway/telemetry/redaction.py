"""Keeps secrets out of what people read. Must not know where secrets come from, nor where texts go."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Final

from gateway.limits import MIN_SECRET_CHARS

_MASK: Final = "***"


class Redaction:
    """The secret values seen so far, and their removal from texts."""

    def __init__(self) -> None:
        self.generation = 0
        """Counts the changes: what was masked before one of them is to be masked again."""
        self._forms: frozenset[str] = frozenset()

    def add(self, values: Iterable[str]) -> None:
        """From now on masks these as well. Values are only ever added: what was secret stays so.

        What has less than `limits.MIN_SECRET_CHARS` is left alone: masking each "1" hides the text, not the secret.
        """
        forms = {form for value in values for form in _written_forms(value)}
        self._forms |= {form for form in forms if len(form) >= MIN_SECRET_CHARS}
        self.generation += 1

    def __call__(self, text: str, max_chars: int | None = None) -> str:
        """`text` with every occurrence masked; overlapping ones as one, so that no rest of the longer is left.

        With `max_chars`, only what its first so many characters come to: they are cut after the masking, so that no half
        of a secret is left, and what a stranger wrote behind them costs nothing.
        """
        if not any(form in text for form in self._forms):
            return text if max_chars is None else text[:max_chars]
        end = len(text) if max_chars is None else min(len(text), max_chars)
        longest = max(map(len, self._forms), default=0)
        seen = text[: end + longest]
        kept, position = [], 0
        for start, stop in _merged(span for form in self._forms for span in _runs(form, seen)):
            if start >= end:
                break
            kept += [text[position:start], _MASK]
            position = stop
        kept.append(text[position:end])
        return "".join(kept)


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


def _runs(form: str, text: str) -> Iterator[tuple[int, int]]:
    """Where `form` stands in `text`; occurrences that overlap are one, for there may be as many as characters."""
    start = text.find(form)
    while start >= 0:
        stop = start + len(form)
        following = text.find(form, start + 1)
        while 0 <= following < stop:
            stop = following + len(form)
            following = text.find(form, following + 1)
        yield start, stop
        start = following


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same stretches in their order, those that overlap as one."""
    merged: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], stop))
        else:
            merged.append((start, stop))
    return merged
