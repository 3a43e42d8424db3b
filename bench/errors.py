"""What can go wrong with a measurement; each says it in one sentence."""

from __future__ import annotations


class BenchError(Exception):
    """A measurement cannot be taken."""


class Broken(BenchError):
    """Who is measured does not answer, or answers something else than it should."""


class NotHere(BenchError):
    """This machine lacks what a measurement needs; says what."""


class NotYet(BenchError):
    """The gateway cannot do yet what a row measures; says what it lacks."""
