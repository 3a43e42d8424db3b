"""`version`: what is running."""

from __future__ import annotations

import platform
from argparse import Namespace
from importlib import metadata
from typing import Final

from gateway.cli.grammar import Parser
from gateway.cli.output import add_format, show
from gateway.cli.verbs import Invocation, Verb


def installed_version() -> str:
    """The version of this distribution; "unknown" where it runs from a bare source tree."""
    try:
        return metadata.version("mcpgw")
    except metadata.PackageNotFoundError:
        return "unknown"


def _define(parser: Parser) -> None:
    add_format(parser)


def _version(arguments: Namespace, _: Invocation) -> int:
    facts = {
        "version": installed_version(),
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
