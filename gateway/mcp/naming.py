"""Under which names clients see the tools and prompts of many servers. Must not know what is behind a name.

Names are given in rounds, best first, and independently of the order in which servers arrive: a name is given only to
the one who alone asks for it in its round, so that a collision moves *all* of its parties to the next. Bare names are
reserved for their owners: no prefixed or sanitised name ever takes one.

Servers choose the names of their tools, operators those of servers. So no server may get a name that stands, or has
stood, for another one's tool: what begins with the prefix of another server is never shown bare, and two servers whose
names become one when they are sanitised have collided.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
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
        claims, dropped = _first_of_each(claims, sanitise)
        notes += dropped
    given = _give(claims)
    names = {given[claim]: (claim.server, claim.name) for claim in claims}
    return Exposure(names, tuple(notes))


def first_wins(offers: Sequence[Offer]) -> Exposure:
    """Exposes URIs, which are never rewritten: where several servers have the same one, the first is asked."""
    bare = [Offer(offer.server, offer.names) for offer in offers]
    claims, notes = _claims(bare, "bare")
    claims, dropped = _first_of_each(claims, str)
    names = {claim.name: (claim.server, claim.name) for claim in claims}
    return Exposure(names, (*notes, *dropped))


def _claims(offers: Sequence[Offer], mode: NameMode) -> tuple[list[_Claim], list[str]]:
    claims: dict[_Claim, None] = {}
    notes: list[str] = []
    owners = _owners_of_prefixes(offers, mode)
    for offer in offers:
        for name in offer.names:
            bare = mode != "prefix" and not offer.prefix
            bare = bare and not _is_anothers(name, offer.server, owners)
            claim = _Claim(offer.server, name, offer.prefix, bare)
            if claim in claims:
                notes.append(f"Server {offer.server} lists {name!r} twice; the first is shown.")
            claims.setdefault(claim)
    return list(claims), notes


def _owners_of_prefixes(offers: Sequence[Offer], mode: NameMode) -> dict[str, set[str]]:
    """The servers behind each prefix that names may have, as it looks when sanitised."""
    owners: dict[str, set[str]] = {}
    for offer in offers:
        for prefix in (offer.prefix, offer.server):
            owners.setdefault(_UNSAFE.sub("_", prefix), set()).add(offer.server)
    used = {_UNSAFE.sub("_", offer.prefix) for offer in offers} if mode == "bare" else owners.keys()
    return {prefix: servers for prefix, servers in owners.items() if prefix and prefix in used}


def _is_anothers(name: str, server: str, owners: Mapping[str, Collection[str]]) -> bool:
    """Whether the name looks like that of a tool of another server."""
    parts = _UNSAFE.sub("_", name).split(SEPARATOR)
    heads = (SEPARATOR.join(parts[:end]) for end in range(1, len(parts)))
    return any(head in owners and server not in owners[head] for head in heads)


def _first_of_each(
    claims: Iterable[_Claim], form: Callable[[str], str]
) -> tuple[list[_Claim], list[str]]:
    """Of claims of several servers to one name (in that form) under one prefix, those of the first; notes on the others."""
    first: dict[tuple[str, str], _Claim] = {}
    kept: list[_Claim] = []
    notes: list[str] = []
    for claim in claims:
        winner = first.setdefault((claim.prefix, form(claim.name)), claim)
        if winner.server == claim.server:
            kept.append(claim)
        else:
            notes.append(
                f"{claim.name!r} of server {claim.server} is hidden by that of {winner.server}."
            )
    return kept, notes


def _give(claims: Sequence[_Claim]) -> dict[_Claim, str]:
    """An exposed name for each claim, all of them different."""
    reserved = {claim.name for claim in claims if claim.bare}
    contested = _contested(claims)
    given: dict[_Claim, str] = {}
    taken: set[str] = set()
    for wish in _ROUNDS:
        waiting = [claim for claim in claims if claim not in given]
        wishes = [(claim, name) for claim in waiting if (name := wish(claim)) is not None]
        asked = Counter(name for _, name in wishes)
        off_limits = taken | (contested if wish is _bare else reserved)
        won = {c: name for c, name in wishes if asked[name] == 1 and name not in off_limits}
        given |= won
        taken |= set(won.values())
    for claim in sorted(claim for claim in claims if claim not in given):
        given[claim] = _unlike(taken | reserved, claim)
        taken.add(given[claim])
    return given


def _contested(claims: Iterable[_Claim]) -> set[str]:
    """The names that several servers would be shown by, as they are or sanitised."""
    servers: dict[str, str] = {}
    contested: set[str] = set()
    for claim in claims:
        if claim.bare:
            name = sanitise(claim.name)
            if servers.setdefault(name, claim.server) != claim.server:
                contested.add(name)
    return contested


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
