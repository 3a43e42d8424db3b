"""`version`: what is running."""

from __future__ import annotations

import platform
from argparse import Namespace
from typing import Final

from gateway import __version__
from gateway.cli.grammar import Parser
from gateway.cli.output import add_format, show
from gateway.cli.verbs import Invocation, Verb


def _define(parser: Parser) -> None:
    add_format(parser)


def _version(arguments: Namespace, _: Invocation) -> int:
    facts = {
        "version": __version__,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
    }
    line = f"mcpgw {facts['version']} (Python {facts['python']}, {facts['platform']})"
    show(facts, arguments, text=line)
    return 0


VERBS: Final = (
    Verb(
        name="",
        summary="print the version of the gateway and of the Python that runs it",
        run=_version,
        define=_define,
        examples=("", "--format json"),
    ),
)
