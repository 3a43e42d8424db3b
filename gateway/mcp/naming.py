"""Under which names clients see the tools and prompts of many servers. Must not know what is behind a name.

Names are given in rounds, best first, and independently of the order in which servers arrive: a name is given only to
the one who alone asks for it in its round, so that a collision moves *all* of its parties to the next. Bare names are
reserved for their owners: no prefixed or sanitised name ever takes one.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final, Literal

import msgspec

NameMode = Literal["auto", "prefix", "bare"]
"""`auto`: bare unless names collide; `prefix`: all as `server__name`; `bare`: never, the first server wins."""

SEPARATOR: Final = "__"
"""Between a prefix and a name."""
MAX_NAME_CHARS: Final = 64
"""Longest name that every client takes."""
_SAFE_NAME: Final = re.compile(rf"[a-zA-Z0-9_-]{{1,{MAX_NAME_CHARS}}}")
_UNSAFE: Final = re.compile(r"[^a-zA-Z0-9_-]")
_DIGEST_CHARS: Final = 6
"""Hex digits that tell names apart whose readable parts are equal."""


class Offer(msgspec.Struct, frozen=True):
    """The names (or URIs) of one server. `prefix`, where set, goes before each of them in every mode."""

    server: str
    names: tuple[str, ...]
    prefix: str = ""


class Exposure(msgspec.Struct, frozen=True):
    """Exposed names, each with the server and the name there; `notes` say what is not exposed, and why."""

    names: dict[str, tuple[str, str]]
    notes: tuple[str, ...] = ()


class _Claim(msgspec.Struct, frozen=True, order=True):
    """One name of one server that is to be exposed. `bare`: it may be shown without a prefix."""

    server: str
    name: str
    prefix: str
    bare: bool


def is_safe(name: str) -> bool:
    """Whether every client takes a tool of that name."""
    return _SAFE_NAME.fullmatch(name) is not None


def sanitise(name: str) -> str:
    """A safe name close to `name`, which need not be unique; safe names are left alone."""
    safe = _UNSAFE.sub("_", name)
    if not is_safe(safe):
        return _with_digest(safe, name)
    return safe


def expose(offers: Sequence[Offer], mode: NameMode) -> Exposure:
    """Gives every name of every server an exposed name; in `bare` mode only the first server of a name gets one."""
    claims, notes = _claims(offers, mode)
    if mode == "bare":
        claims, dropped = _first_of_each(claims)
        notes += dropped
    given = _give(claims)
    names = {given[claim]: (claim.server, claim.name) for claim in claims}
    return Exposure(names, tuple(notes))


def first_wins(offers: Sequence[Offer]) -> Exposure:
    """Exposes URIs, which are never rewritten: where several servers have the same one, the first is asked."""
    bare = [Offer(offer.server, offer.names) for offer in offers]
    claims, notes = _claims(bare, "bare")
    claims, dropped = _first_of_each(claims)
    names = {claim.name: (claim.server, claim.name) for claim in claims}
    return Exposure(names, (*notes, *dropped))


def _claims(offers: Sequence[Offer], mode: NameMode) -> tuple[list[_Claim], list[str]]:
    claims: dict[_Claim, None] = {}
    notes: list[str] = []
    for offer in offers:
        bare = mode != "prefix" and not offer.prefix
        for name in offer.names:
            claim = _Claim(offer.server, name, offer.prefix, bare)
            if claim in claims:
                notes.append(f"Server {offer.server} lists {name!r} twice; the first is shown.")
            claims.setdefault(claim)
    return list(claims), notes


def _first_of_each(claims: Iterable[_Claim]) -> tuple[list[_Claim], list[str]]:
    """Of claims to the same name under the same prefix, the first; and a note on each of the others."""
    first: dict[tuple[str, str], _Claim] = {}
    notes: list[str] = []
    for claim in claims:
        winner = first.setdefault((claim.prefix, claim.name), claim)
        if winner is not claim:
            notes.append(
                f"{claim.name!r} of server {claim.server} is hidden by that of {winner.server}."
            )
    return list(first.values()), notes


def _give(claims: Sequence[_Claim]) -> dict[_Claim, str]:
    """An exposed name for each claim, all of them different."""
    reserved = {claim.name for claim in claims if claim.bare}
    given: dict[_Claim, str] = {}
    taken: set[str] = set()
    for wish in _ROUNDS:
        waiting = [claim for claim in claims if claim not in given]
        wishes = [(claim, name) for claim in waiting if (name := wish(claim)) is not None]
        asked = Counter(name for _, name in wishes)
        off_limits = taken if wish is _bare else taken | reserved
        won = {c: name for c, name in wishes if asked[name] == 1 and name not in off_limits}
        given |= won
        taken |= set(won.values())
    for claim in sorted(claim for claim in claims if claim not in given):
        given[claim] = _unlike(taken | reserved, claim)
        taken.add(given[claim])
    return given


def _bare(claim: _Claim) -> str | None:
    return claim.name if claim.bare and is_safe(claim.name) else None


def _bare_sanitised(claim: _Claim) -> str | None:
    return sanitise(claim.name) if claim.bare else None


def _own_prefix(claim: _Claim) -> str | None:
    return _if_safe(_join(claim.prefix, claim.name)) if claim.prefix else None


def _own_prefix_sanitised(claim: _Claim) -> str | None:
    return sanitise(_join(claim.prefix, claim.name)) if claim.prefix else None


def _server_prefix(claim: _Claim) -> str | None:
    return _if_safe(_join(claim.server, claim.name))


def _server_prefix_sanitised(claim: _Claim) -> str | None:
    return sanitise(_join(claim.server, claim.name))


_ROUNDS: Final[tuple[Callable[[_Claim], str | None], ...]] = (
    _bare,
    _bare_sanitised,
    _own_prefix,
    _own_prefix_sanitised,
    _server_prefix,
    _server_prefix_sanitised,
)
"""What a claim asks for in each round, None where it sits the round out."""


def _join(prefix: str, name: str) -> str:
    return f"{prefix}{SEPARATOR}{name}"


def _if_safe(name: str) -> str | None:
    return name if is_safe(name) else None


def _unlike(others: Collection[str], claim: _Claim) -> str:
    """A name that is not among `others`: a readable part and as many digits of a digest as that takes."""
    wish = _join(claim.prefix or claim.server, claim.name)
    seed = f"{claim.server}\0{claim.name}"
    chars = _DIGEST_CHARS
    while (name := _with_digest(wish, seed, chars)) in others:
        chars += 1
    return name


def _with_digest(name: str, seed: str, chars: int = _DIGEST_CHARS) -> str:
    digest = hashlib.sha256(seed.encode()).hexdigest()[:chars]
    return f"{_UNSAFE.sub('_', name)[: MAX_NAME_CHARS - chars - 1]}_{digest}"
