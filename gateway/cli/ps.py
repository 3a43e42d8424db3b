"""`ps`: what lives in the running gateways: the supervision tree with states, ages, restarts, mail and calls."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from typing import Any, Final

from gateway.cli.grammar import Parser
from gateway.cli.output import add_format, note, show, table
from gateway.cli.verbs import Invocation, Verb
from gateway.running import reports

_HEADER: Final = ("ACTOR", "STATE", "AGE", "RESTARTS", "MAIL", "CALLS", "NOTE")
_BRANCHES: Final = ("", "├─ ", "│ ├─ ")
"""Before a name, by its depth. No blanks first: tables strip them."""
_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_DAY_S: Final = 86_400


def _define(parser: Parser) -> None:
    add_format(parser)


def _ps(arguments: Namespace, invocation: Invocation) -> int:
    found = reports(invocation.home())
    if not found:
        note("no gateway of this home runs; start one with `gateway run`")
    show(found, arguments, text=lambda: "\n\n".join(map(_drawn, found)))
    return 0


def _drawn(report: dict[str, Any]) -> str:
    """One gateway for people."""
    rows = [_cells(node, depth, report) for node, depth in _walk(report["tree"])]
    lines = [f"refused: {count} × {name}" for name, count in report["refusals"].items()]
    return "\n".join([table(_HEADER, rows), *lines])


def _walk(node: dict[str, Any], depth: int = 0) -> Iterator[tuple[dict[str, Any], int]]:
    """A node and all below it, each with its depth."""
    yield node, depth
    for child in node["children"]:
        yield from _walk(child, depth + 1)


def _cells(node: dict[str, Any], depth: int, report: dict[str, Any]) -> tuple[str, ...]:
    is_container = depth == len(_BRANCHES) - 1
    # a container has its name from the engine, once it is made
    name = (node["name"] or "…") if is_container else _without_address(node["name"])
    return (
        _BRANCHES[depth] + (name if depth else f"{name} {report['pid']}"),
        node["state"],
        shown_age(node["age_s"]),
        "" if is_container else str(node["restarts"]),
        "" if is_container else str(node["mail"]),
        _calls(node),
        _note(node, depth, report),
    )


def _without_address(name: str) -> str:
    """`pool:echo` of `pool:echo:7f2c9a`: the rest tells programs two pools of one server apart."""
    return name.rpartition(":")[0] if "pool:" in name else name


def _calls(node: dict[str, Any]) -> str:
    """Calls in a container, and calls that wait for one."""
    if node["waiting"]:
        return f"{node['waiting']} waiting"
    return str(node["inflight"] or "")


def _note(node: dict[str, Any], depth: int, report: dict[str, Any]) -> str:
    if node["trouble"] or depth:
        return str(node["trouble"] or node["owner"])
    sessions = report["sessions"]
    return f"{sessions} session{'' if sessions == 1 else 's'}, version {report['version']}"


def shown_age(age_s: float) -> str:
    """A duration in its largest two units: `8 s`, `3 min`, `2 h 5 min`, `4 d 1 h`."""
    seconds = int(age_s)
    if seconds < _MINUTE_S:
        return f"{seconds} s"
    if seconds < _HOUR_S:
        return f"{seconds // _MINUTE_S} min"
    if seconds < _DAY_S:
        return f"{seconds // _HOUR_S} h {seconds % _HOUR_S // _MINUTE_S} min"
    return f"{seconds // _DAY_S} d {seconds % _DAY_S // _HOUR_S} h"


VERBS: Final = (
    Verb(
        name="",
        summary="show what lives in running gateways: actors, servers, containers",
        run=_ps,
        define=_define,
        examples=("", "--format json"),
        notes="Only gateways of this home are asked. Gateways on the network tell the same at /status, with their token.\n",
    ),
)
