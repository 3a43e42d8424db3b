"""`gateway run`: the composition root. Reads the options, sets up the logs, and hands over to the supervisor.

Must not write to stdout: on stdio it belongs to the protocol.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Collection, Mapping
from functools import partial
from typing import Final, get_args

from gateway import garbage
from gateway.cli.flags import define_run, read_run
from gateway.cli.plain_text import printable
from gateway.cli.verbs import Invocation, Verb
from gateway.errors import OptionError
from gateway.options import GatewayOptions
from gateway.ports import Announcement
from gateway.telemetry.log import Level, configure

_LEVELS: Final[Mapping[str, Level]] = {
    **{level: level for level in get_args(Level)},
    "trace": "debug",
    "warn": "warning",
    "critical": "error",
    "fatal": "error",
}


def set_up_logs(
    options: GatewayOptions,
    environ: Mapping[str, str],
    *,
    default: Level = "info",
    quiet: Collection[str] = (),
) -> None:
    """Sends logs to stderr, and to `--log`, at the level of `--debug`, DEBUG, LOG_LEVEL or `default`, in that order.

    `quiet`: events that the command tells in other words; at the default level they are not shown as well.

    Raises:
        OptionError: LOG_LEVEL or LOG_FORMAT holds an unknown word, or the file cannot be opened.
    """
    named = environ.get("LOG_LEVEL", "").strip().lower()
    if named and named not in _LEVELS:
        raise OptionError(f"LOG_LEVEL must be one of {', '.join(_LEVELS)}, not {named!r}")
    shape = environ.get("LOG_FORMAT", "").strip().lower()
    if shape not in {"", "console", "json"}:
        raise OptionError(f"LOG_FORMAT must be console or json, not {shape!r}")
    level = "debug" if options.debug else _LEVELS.get(named, default)
    told = () if options.debug or named else quiet
    configure(level, json=shape == "json", log_file=options.log_file, quiet=told)


def _run(arguments: Namespace, invocation: Invocation) -> int:
    """Serves until told to stop; the exit status is the supervisor's."""
    options = read_run(arguments, invocation)
    set_up_logs(options, invocation.environ)
    if arguments.starter:
        # lazy: it looks at the engine, which nobody else does before the first call
        from gateway.cli.starter import prepare_starter  # noqa: PLC0415 - see above

        options = prepare_starter(options, invocation.environ)
    if options.dry_run:
        return _dry_run(options, invocation)
    garbage.put_off()
    _greet_person(options, invocation)
    # lazy: a dry run, a wrong flag and --help need neither
    import trio  # noqa: PLC0415 - see above

    from gateway.cli.serve import run_gateway  # noqa: PLC0415 - see above

    announce = partial(_announce, options=options, invocation=invocation)
    serve = partial(
        run_gateway, options, invocation.environ, announce=announce, program=invocation.name
    )
    return trio.run(serve)


def _announce(
    announcement: Announcement, *, options: GatewayOptions, invocation: Invocation
) -> None:
    """Tells the operator what is served, on stderr."""
    # lazy: the first answer on stdio does not wait for it
    from gateway.cli.entries import welcome  # noqa: PLC0415 - see above

    lines = welcome(announcement, options, invocation)
    print(printable("\n".join(lines)), file=sys.stderr, flush=True)


def _dry_run(options: GatewayOptions, invocation: Invocation) -> int:
    """Prints what would be served, on stderr, and starts nothing."""
    # lazy: a serving gateway loads its snapshot in its watcher
    from gateway.cli.rows import enabled_table  # noqa: PLC0415 - see above
    from gateway.configuration import load_snapshot  # noqa: PLC0415 - see above

    snapshot = load_snapshot(options, invocation.environ)
    print(enabled_table(snapshot), file=sys.stderr)
    for sentence in snapshot.notes:
        print(printable(f"mcpgw: {sentence}"), file=sys.stderr)
    where = "stdio" if options.transport == "stdio" else f"{options.transport}, port {options.port}"
    print(f"mcpgw: dry run: this would be served on {where}; nothing was started", file=sys.stderr)
    return 0


def _greet_person(options: GatewayOptions, invocation: Invocation) -> None:
    """Says to a person at a terminal what is waited for: a client would have used a pipe."""
    if options.transport == "stdio" and sys.stdin is not None and sys.stdin.isatty():
        print(
            "mcpgw: waiting for an MCP client on stdin (Ctrl-D ends); for a URL add --transport "
            f"streaming, for all commands see {invocation.name} --help",
            file=sys.stderr,
        )


VERBS: Final = (
    Verb(
        name="run",
        summary="serve all enabled servers to clients, on stdio or on the network",
        run=_run,
        define=define_run,
        examples=(
            "",
            "--transport streaming --port 8811",
            "--servers github,time --tools 'github:*'",
            "--catalog ./my-servers.yaml --enable-all-servers --dry-run",
        ),
        notes="Switches are true when given, false with `=false`. Lists take commas, or the flag again. docs/flags.md has it all.\n",
    ),
)
