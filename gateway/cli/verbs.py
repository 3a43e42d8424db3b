"""What a command is made of: verbs, and the surroundings they run in. Must not know any command."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping

import msgspec

from gateway.cli.grammar import Parser
from gateway.home import Home, in_container, locate_home
from gateway.options import GatewayOptions


class Invocation(msgspec.Struct, frozen=True):
    """What surrounds one run of the program.

    `program` holds the words that start it, as a person types them; `words` the arguments behind them; `script` the
    path of the running file, "" where it is not known.
    """

    environ: Mapping[str, str]
    program: tuple[str, ...] = ("mcpgw",)
    words: tuple[str, ...] = ()
    script: str = ""

    @property
    def name(self) -> str:
        """The program's name as one string, for sentences."""
        return " ".join(self.program)

    def home(self) -> Home:
        """The home folder of this run."""
        return Home(locate_home(self.environ))

    def options(self) -> GatewayOptions:
        """What `gateway run` without flags would be asked: the view that all other commands share."""
        return GatewayOptions(
            home=str(locate_home(self.environ)), in_container=in_container(self.environ)
        )


def _no_flags(_: Parser) -> None:
    """Defines nothing: the verb takes neither flags nor arguments."""


class Verb(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a command does.

    `name` is empty where the command is its own verb (`mcpgw doctor`). `arguments` shows the positional
    arguments in the usage line. `examples` are arguments after the verb, one example each.
    """

    name: str
    summary: str
    run: Callable[[Namespace, Invocation], int]
    define: Callable[[Parser], None] = _no_flags
    aliases: tuple[str, ...] = ()
    arguments: str = ""
    examples: tuple[str, ...] = ()
    notes: str = ""


class Command(msgspec.Struct, frozen=True):
    """A row of the table of commands: where its `VERBS` are, and what it is for."""

    module: str
    summary: str
