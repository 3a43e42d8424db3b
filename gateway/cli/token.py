"""`token show`: the bearer token of the network transports."""

from __future__ import annotations

from argparse import Namespace
from typing import Final

from gateway.cli.grammar import Parser
from gateway.cli.output import add_format, note, show
from gateway.cli.verbs import Invocation, Verb
from gateway.errors import ConfigError

_ORIGINS: Final = {
    "environment": "from MCP_GATEWAY_AUTH_TOKEN",
    "file": "from the file that MCP_GATEWAY_AUTH_TOKEN_FILE names",
    "home": "kept in the home folder",
}


def _define(parser: Parser) -> None:
    add_format(parser)


def _show(arguments: Namespace, invocation: Invocation) -> int:
    # lazy: it brings hashing and temporary files, which --help does not need
    from gateway.auth.bearer import load_token  # noqa: PLC0415 - see above

    home = invocation.home()
    token = load_token(invocation.environ, home)
    if token.origin == "memory":
        raise ConfigError(
            f"{home.root} cannot be written, so each start makes a token of its own and prints it; "
            "set MCP_GATEWAY_AUTH_TOKEN to have one that stays"
        )
    show({"token": token.value, "origin": token.origin}, arguments, text=token.value)
    note(_ORIGINS[token.origin])
    return 0


VERBS: Final = (
    Verb(
        name="show",
        summary="print the token that network clients send; made and kept at first use",
        run=_show,
        define=_define,
        examples=("", "2>/dev/null"),
        notes="Clients send it as `Authorization: Bearer TOKEN`.\n",
    ),
)
