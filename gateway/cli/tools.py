"""`tools ls|count|inspect|call`: what clients would see, and a call as a client would make it."""

from __future__ import annotations

import math
import sys
from argparse import Namespace
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import partial
from typing import Any, Final, Generic, NamedTuple, TypeVar

import msgspec

from gateway.cli.arguments import build_arguments, read_object
from gateway.cli.client import Client
from gateway.cli.gateway_run import set_up_logs
from gateway.cli.grammar import Parser
from gateway.cli.interrupts import interruptible
from gateway.cli.left_out import TOLD_HERE, left_out, tell_left_out
from gateway.cli.output import add_format, chosen_format, fields, note, show, table
from gateway.cli.plain_text import printable
from gateway.cli.selection import define_selection, read_selection
from gateway.cli.verbs import Invocation, Verb
from gateway.errors import OptionError, UnknownTarget
from gateway.options import GatewayOptions

_T = TypeVar("_T")
_STDIN: Final = "-"


def _define(parser: Parser) -> None:
    add_format(parser)
    define_selection(parser)
    # Docker's `tools` commands start a gateway of their own, which this flag steers; `--version 2` is its default.
    parser.many("--gateway-arg", metavar="FLAG", help=None)
    parser.value("--version", metavar="N", help=None)
    parser.switch("--verbose", help=None)


def _define_inspect(parser: Parser) -> None:
    parser.argument("name", help="the tool's name, as `tools ls` shows it")
    _define(parser)


def _define_call(parser: Parser) -> None:
    parser.argument("name", help="the tool's name, as `tools ls` shows it")
    parser.argument(
        "arguments", count="*", metavar="KEY=VALUE", help="arguments, or one JSON object"
    )
    parser.value(
        "--args", metavar="JSON", help="all arguments as one JSON object; - reads it from stdin"
    )
    _define(parser)


def _ls(arguments: Namespace, invocation: Invocation) -> int:
    tools, status = _listed(arguments, invocation)
    rows = [(str(tool["name"]), _one_line(tool)) for tool in tools]
    nothing = "no tools" if status else "no tools: `server ls` shows what is enabled"
    show(tools, arguments, text=table(("NAME", "DESCRIPTION"), rows) if rows else nothing)
    return status


def _count(arguments: Namespace, invocation: Invocation) -> int:
    tools, status = _listed(arguments, invocation)
    show(
        {"tools": len(tools)}, arguments, text=f"{len(tools)} tool{'' if len(tools) == 1 else 's'}"
    )
    return status


def _listed(arguments: Namespace, invocation: Invocation) -> tuple[list[dict[str, Any]], int]:
    """All tools, and the exit status; says on stderr which servers are left out.

    The status is 1 where one of those was named, or nothing is left.
    """
    answer = _with_client(arguments, invocation, Client.list_tools, quiet=TOLD_HERE)
    tell_left_out(answer.left_out)
    named = not answer.left_out.keys().isdisjoint(answer.options.servers)
    return answer.value, 1 if named or (answer.left_out and not answer.value) else 0


def _inspect(arguments: Namespace, invocation: Invocation) -> int:
    async def find(client: Client) -> dict[str, Any]:
        return await client.tool(arguments.name)

    tool = _with_client(arguments, invocation, find, quiet=TOLD_HERE).value
    show(tool, arguments, text=lambda: _describe(tool))
    return 0


def _call(arguments: Namespace, invocation: Invocation) -> int:
    """Exit status 1 where the tool says that it failed."""
    given = _given_object(arguments)

    async def call(client: Client) -> dict[str, Any]:
        if given is not None:
            return await client.call_tool(arguments.name, given)
        tool = await client.tool(arguments.name)
        built = build_arguments(arguments.arguments, tool.get("inputSchema") or {})
        return await client.call_tool(arguments.name, built)

    result = _with_client(arguments, invocation, call).value
    if chosen_format(arguments) == "table":
        text = _result_text(result)
        # Into a file or pipe it goes as it is.
        print(printable(text) if sys.stdout.isatty() else text)
    else:
        show(result, arguments, text="")
    return 1 if result.get("isError") else 0


def _given_object(arguments: Namespace) -> dict[str, Any] | None:
    """The arguments where they are JSON, so that no schema is needed; None where they are `key=value`.

    Raises:
        OptionError: they are given twice, or are no JSON object.
    """
    text = arguments.args
    if text and arguments.arguments:
        raise OptionError("give the arguments as key=value or with --args, not both")
    if text:
        return read_object(sys.stdin.read() if text == _STDIN else text)
    if len(arguments.arguments) == 1 and arguments.arguments[0].lstrip().startswith("{"):
        return read_object(arguments.arguments[0])
    return None


class _Answer(NamedTuple, Generic[_T]):
    """What a client was answered, the options of its gateway, and what that gateway has left out."""

    value: _T
    options: GatewayOptions
    left_out: dict[str, str]


def _with_client(
    arguments: Namespace,
    invocation: Invocation,
    ask: Callable[[Client], Awaitable[_T]],
    *,
    quiet: Collection[str] = (),
) -> _Answer[_T]:
    """Opens a gateway in this process, asks it as a client, and closes it; events in `quiet` are not logged."""
    # lazy: --help and wrong flags need no loop
    import trio  # noqa: PLC0415 - see above

    from actors.supervisor import open_gateway  # noqa: PLC0415 - see above

    options = read_selection(_with_gateway_flags(arguments), invocation)
    set_up_logs(options, invocation.environ, default="warning", quiet=quiet)
    if options.local_fallback:
        # lazy: it looks at the engine, which nobody else does before the first call
        from gateway.cli.starter import prepare_starter  # noqa: PLC0415 - see above

        options = prepare_starter(options, invocation.environ)

    async def run() -> _Answer[_T]:
        async with open_gateway(options, invocation.environ) as gateway:
            settled = partial(gateway.listings.wait_complete, math.inf)
            client = Client(gateway.sessions, settled=settled, on_notice=_tell)
            try:
                await client.initialize()
                value = await ask(client)
                missing = left_out(gateway.snapshot.faults, gateway.listings.missing())
                return _Answer(value, options, missing)
            except UnknownTarget:
                tell_left_out(left_out(gateway.snapshot.faults, gateway.listings.missing()))
                raise
            finally:
                client.close()

    return trio.run(interruptible, run)


def _with_gateway_flags(arguments: Namespace) -> Namespace:
    """The flags with those that `--gateway-arg` holds; other flags of `gateway run` change no list and no call.

    Raises:
        OptionError: it holds an unknown flag.
    """
    if not arguments.gateway_arg:
        return arguments
    # lazy: few entries have it
    from gateway.cli.flags import define_run  # noqa: PLC0415 - see above

    parser = Parser("--gateway-arg", "Flags of gateway run.")
    define_run(parser)
    return parser.read([*arguments.gateway_arg])


def _tell(method: str, params: Mapping[str, Any]) -> None:
    """Shows progress and log messages while a call runs."""
    if method == "notifications/progress":
        total = f"/{params['total']:g}" if params.get("total") else ""
        note(f"{params.get('progress', 0):g}{total} {params.get('message') or ''}".rstrip())
    elif method == "notifications/message":
        note(f"{params.get('logger') or 'server'}: {params.get('data')}")


def _one_line(tool: Mapping[str, Any]) -> str:
    """The first line of a description, or the title."""
    text = str(tool.get("description") or tool.get("title") or "").strip()
    return text.splitlines()[0] if text else ""


def _describe(tool: Mapping[str, Any]) -> str:
    """A tool for people: what it does, and what it wants."""
    schema = tool.get("inputSchema") or {}
    head = fields([("name", str(tool["name"])), ("title", str(tool.get("title") or "")),
                   ("description", str(tool.get("description") or "").strip())])  # fmt: skip
    properties = schema.get("properties")
    if not isinstance(properties, dict) or not properties:
        return f"{head}\n\nno arguments"
    required = schema.get("required") or ()
    rows = [
        (key, _type_name(value), "yes" if key in required else "no", _about(value))
        for key, value in properties.items()
    ]
    return f"{head}\n\n{table(('ARGUMENT', 'TYPE', 'REQUIRED', 'DESCRIPTION'), rows)}"


def _type_name(described: Any) -> str:
    """A property's type as one word."""
    named = described.get("type") if isinstance(described, dict) else None
    if isinstance(named, list):
        return "|".join(map(str, named))
    return str(named or "any")


def _about(described: Any) -> str:
    """A property's description."""
    return str(described.get("description") or "") if isinstance(described, dict) else ""


def _result_text(result: Mapping[str, Any]) -> str:
    """A call's result for people: its texts; what is no text is named."""
    parts = [_content_text(block) for block in result.get("content") or ()]
    if not parts and "structuredContent" in result:
        encoded = msgspec.json.encode(result["structuredContent"])
        parts = [msgspec.json.format(encoded, indent=2).decode()]
    return "\n".join(parts)


def _content_text(block: Mapping[str, Any]) -> str:
    """One block of content."""
    match block:
        case {"type": "text", "text": str(text)}:
            return text
        case {"type": "resource", "resource": {"text": str(text)}}:
            return text
        case {"type": "resource_link", "uri": str(uri)}:
            return uri
        case {"type": "image" | "audio" as kind, "mimeType": str(mime), "data": str(coded)}:
            return f"({kind}, {mime}, {len(coded)} characters of base64; --format json shows them)"
        case _:
            return f"({block.get('type', 'unknown')} content; --format json shows it)"


VERBS: Final = (
    Verb(
        name="ls",
        aliases=("list",),
        summary="list the tools that clients see",
        run=_ls,
        define=_define,
        examples=("", "--servers time --format json"),
    ),
    Verb(
        name="count",
        summary="count the tools that clients see",
        run=_count,
        define=_define,
        examples=("", "--enable-all-servers"),
    ),
    Verb(
        name="inspect",
        summary="show one tool with its arguments",
        run=_inspect,
        define=_define_inspect,
        arguments="NAME",
        examples=("roll", "roll --format json"),
    ),
    Verb(
        name="call",
        summary="call a tool and print its result; exit status 1 where the tool failed",
        run=_call,
        define=_define_call,
        arguments="NAME [KEY=VALUE…]",
        examples=(
            "roll dice=3d6",
            "search query=trio tags=a tags=b",
            'roll \'{"dice": "3d6"}\'',
            "roll --args - < arguments.json",
        ),
        notes="Values take the type that the tool's schema names; a repeated key makes an array.\n",
    ),
)
