"""`doctor`: looks at everything the gateway needs. Each check answers for itself, and a failure names its fix."""

from __future__ import annotations

from argparse import Namespace
from typing import Final

import msgspec

from gateway.cli.checks import Finding, run_checks
from gateway.cli.grammar import Parser
from gateway.cli.leaks import find_leaks
from gateway.cli.output import add_format, show, table
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
        help="list the containers of all gateways that this engine has, and change nothing",
    )
    add_format(parser)


def _doctor(arguments: Namespace, invocation: Invocation) -> int:
    if arguments.leaks:
        return _leaks(arguments, invocation)
    findings = run_checks(invocation, port=arguments.port)
    show(findings, arguments, text="\n".join(map(_line, findings)))
    return 0 if all(finding.ok for finding in findings) else 1


def _leaks(arguments: Namespace, invocation: Invocation) -> int:
    found = find_leaks(invocation)
    cells = [
        (leak.container, leak.server, leak.state, "this home" if leak.own else leak.home)
        for leak in found
    ]
    header = ("CONTAINER", "SERVER", "STATE", "HOME")
    text = table(header, cells) if found else "no container of any gateway"
    show(msgspec.to_builtins(found), arguments, text=text)
    return 0


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
