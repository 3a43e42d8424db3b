"""`doctor`: looks at everything the gateway needs. Each check answers for itself, and a failure names its fix."""

from __future__ import annotations

from argparse import Namespace
from typing import Final

import msgspec

from gateway.cli.checks import Finding, run_checks
from gateway.cli.grammar import Parser
from gateway.cli.leaks import find_leaks
from gateway.cli.output import add_format, note, show, table
from gateway.cli.values import port
from gateway.cli.verbs import Invocation, Verb
from gateway.limits import DEFAULT_PORT


def _define(parser: Parser) -> None:
    parser.value(
        "--port",
        metavar="PORT",
        read=port,
        default=DEFAULT_PORT,
        help=f"the port to look at (default {DEFAULT_PORT})",
    )
    parser.switch(
        "--leaks",
        help="list what gateways have on this engine and in this home; exit status 1 if something was left behind",
    )
    add_format(parser)


def _doctor(arguments: Namespace, invocation: Invocation) -> int:
    if arguments.leaks:
        return _leaks(arguments, invocation)
    findings = run_checks(invocation, port=arguments.port)
    show(findings, arguments, text="\n".join(map(_line, findings)))
    return 0 if all(finding.ok for finding in findings) else 1


def _leaks(arguments: Namespace, invocation: Invocation) -> int:
    leaks = find_leaks(invocation.home(), invocation.environ)
    cells = [
        (
            leak.kind,
            leak.name,
            leak.server,
            leak.state,
            leak.gateway,
            "this home" if leak.own else leak.home,
        )
        for leak in leaks.found
    ]
    header = ("WHAT", "NAME", "SERVER", "STATE", "GATEWAY", "HOME")
    text = table(header, cells) if cells else "nothing of any gateway"
    show(msgspec.to_builtins(leaks.found), arguments, text=text)
    if leaks.unseen:
        note(leaks.unseen)
    return 1 if leaks.left or leaks.unseen else 0


def _line(finding: Finding) -> str:
    mark = "ok  " if finding.ok else "FAIL"
    fix = f"\n      fix: {finding.fix}" if finding.fix else ""
    return f"{mark}  {finding.check}: {finding.text}{fix}"


VERBS: Final = (
    Verb(
        name="",
        summary="check engine, permission, port, home, catalogs, secrets and images; exit status 1 if one fails",
        run=_doctor,
        define=_define,
        examples=("", "--port 9000", "--leaks", "--format json"),
    ),
)
