"""`pool`: how well the running gateways keep servers ready, and what that costs."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from typing import Any, Final

import msgspec

from gateway.cli.grammar import Parser
from gateway.cli.output import add_format, note, plain, show, table
from gateway.cli.verbs import Invocation, Verb
from gateway.limits import MIB
from gateway.running import reports

_HEADER: Final = (
    "GATEWAY",
    "SERVER",
    "HITS",
    "MISSES",
    "AVOIDED",
    "COLD P50",
    "COLD P95",
    "MIB",
    "CONTAINERS",
)


class PoolRow(msgspec.Struct, frozen=True, kw_only=True):
    """One server of one gateway.

    `gateway` is its process id. `hits`: calls that found a server ready; `misses`: calls that waited for a start;
    `avoided`: cold starts that spares have saved a client. `cold_*_ms`: how long starts took. `temperatures`: the
    containers by their state.
    """

    gateway: int
    server: str
    hits: int
    misses: int
    avoided: int
    cold_p50_ms: int | None
    cold_p95_ms: int | None
    held_mib: float
    temperatures: dict[str, int]


def _define(parser: Parser) -> None:
    add_format(parser)


def _pool(arguments: Namespace, invocation: Invocation) -> int:
    found = reports(invocation.home())
    if not found:
        note("no gateway of this home runs; start one with `gateway run`")
    rows = [_row(report["pid"], server) for report in found for server in report["servers"]]
    show(plain(rows), arguments, text=lambda: table(_HEADER, [_cells(row) for row in rows]))
    return 0


def _row(gateway: int, server: dict[str, Any]) -> PoolRow:
    tally = server["tally"]
    return PoolRow(
        gateway=gateway,
        server=server["server"],
        hits=tally["hits"],
        misses=tally["misses"],
        avoided=tally["avoided"],
        cold_p50_ms=_ms(tally["cold_p50_s"]),
        cold_p95_ms=_ms(tally["cold_p95_s"]),
        held_mib=round(server["memory_bytes"] / MIB, 1),
        temperatures=dict(Counter(state for _, state, *_ in server["containers"])),
    )


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


def _cells(row: PoolRow) -> tuple[str, ...]:
    states = ", ".join(f"{count} {state}" for state, count in sorted(row.temperatures.items()))
    return (
        str(row.gateway),
        row.server,
        str(row.hits),
        str(row.misses),
        str(row.avoided),
        "" if row.cold_p50_ms is None else f"{row.cold_p50_ms} ms",
        "" if row.cold_p95_ms is None else f"{row.cold_p95_ms} ms",
        f"{row.held_mib:.1f}",
        states or "cold",
    )


VERBS: Final = (
    Verb(
        name="",
        summary="show how well running gateways keep servers ready, and what that costs",
        run=_pool,
        define=_define,
        examples=("", "--format json"),
        notes="Only gateways of this home are asked, and only what they have done since they started is counted.\n",
    ),
)
