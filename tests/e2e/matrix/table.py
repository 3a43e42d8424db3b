"""The matrix as people read it. Must not know how it is run: what it says is what the tests hold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.e2e.matrix.cells import (
    CLIENTS,
    REVISIONS,
    SERVERS,
    SLICE,
    STEPS,
    TRANSPORTS,
    Client,
    Era,
)

PAGE: Final = Path(__file__).parents[3] / "docs" / "protocol.md"
BEGIN: Final = "<!-- from here on written by `python -m tests.e2e.matrix` -->"
END: Final = "<!-- to here -->"


def table() -> str:
    """What stands between the marks."""
    return "\n".join(("", *_steps(), "", *_clients(), "", *_lacks(), "", *_slice(), ""))


def replaced(page: str) -> str:
    """The page with the table of today.

    Raises:
        ValueError: the page has no place for it.
    """
    before, _, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError("the page has no place for the table")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def _steps() -> Iterator[str]:
    yield from _row("step", "what is seen")
    yield from _rule(2)
    for step, meaning in STEPS.items():
        yield from _row(step, meaning)


def _clients() -> Iterator[str]:
    yield from _row("client", "speaks", *TRANSPORTS.values())
    yield from _rule(2 + len(TRANSPORTS))
    for client in CLIENTS.values():
        for era, transports in client.transports.items():
            cells = (_cell(client) if one in transports else "none" for one in TRANSPORTS)
            yield from _row(client.title, REVISIONS[era], *cells)


def _cell(client: Client) -> str:
    return "all" if len(client.steps) == len(STEPS) else ", ".join(client.steps)


def _lacks() -> Iterator[str]:
    """Why a cell is not `all`: a line per client."""
    yield "What a client lacks, whatever it is connected to:"
    yield ""
    for client in CLIENTS.values():
        reasons = [
            f"{TRANSPORTS.get(what, what)}: {why}"  # type: ignore[call-overload]
            for what, why in client.lacks.items()
        ]
        reasons += [
            f"{REVISIONS['modern']} over {TRANSPORTS[transport]}: {why}"
            for transport, why in client.old_only.items()
        ]
        if client.may_miss_late_reports:
            reasons.append("progress: may miss reports that come in one go with the answer")
        if len(client.transports) == 1:
            reasons.append(f"{REVISIONS['modern']}: speaks the handshake's revisions only")
        yield f"- {client.title}. {'; '.join(reasons)}."


def _slice() -> Iterator[str]:
    servers = ", ".join(SERVERS.values())
    yield (
        f"Each cell is three sessions, with a server of each kind ({servers}), which runs as a process."
        " With the three in containers, and over Streamable HTTP, the same is done by these:"
    )
    yield ""
    for row in SLICE:
        client = CLIENTS[row.client]
        yield f"- {client.title}, {REVISIONS[row.era]}, {TRANSPORTS[row.transport]}"


def _row(*cells: str) -> Iterator[str]:
    yield f"| {' | '.join(cells)} |"


def _rule(columns: int) -> Iterator[str]:
    yield "|" + "---|" * columns


def eras_of(client: Client) -> tuple[Era, ...]:
    """Which it speaks."""
    return tuple(client.transports)
