"""The console script: finds the command, runs it, turns errors into one sentence and an exit status.

Exit statuses: 0 done, 1 failed, 2 wrong usage or a broken file of the operator, 130 interrupted. Must not know what
any command does.
"""

from __future__ import annotations

import errno
import importlib
import io
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from msgspec import structs

from gateway.cli.commands import ALIASES, COMMANDS, NOT_BUILT
from gateway.cli.grammar import Parser, closest
from gateway.cli.plain_text import printable
from gateway.cli.values import debug_set
from gateway.cli.verbs import Invocation, Verb
from gateway.errors import ConfigError, GatewayError, OptionError

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
INTERRUPTED: Final = 130
"""What shells report for a program that SIGINT ended: 128 + 2."""

_HELP: Final = frozenset({"-h", "--help", "help"})
_VERSION: Final = frozenset({"-v", "--version"})
_PLUGIN: Final = "docker-mcp"
_METADATA: Final = "docker-cli-plugin-metadata"
_NAME_COLUMN: Final = 12
"""Width of the names in the two overviews."""


def main(argv: Sequence[str] | None = None, environ: Mapping[str, str] | None = None) -> int:
    """Runs one command line and returns its exit status. Errors are printed, never raised."""
    words = tuple(sys.argv[1:] if argv is None else argv)
    surroundings = dict(os.environ if environ is None else environ)
    invocation = Invocation(environ=surroundings, words=words, script=sys.argv[0])
    _spell_out_what_stdout_lacks()
    try:
        status = _dispatch(_as_plugin(invocation))
        sys.stdout.flush()
    except BrokenPipeError:
        _abandon_stdout()
        return DONE
    except SystemExit as stop:  # argparse, once it has printed a help
        return int(stop.code or DONE)
    except (Exception, KeyboardInterrupt, BaseExceptionGroup) as error:  # noqa: BLE001 - the last stop of every error
        return _report(error, debug=_wants_debug(words, surroundings))
    return status


def parser_of(command: str, verb: Verb, invocation: Invocation) -> Parser:
    """The parser of one verb, complete with its flags and examples."""
    words = [*invocation.program, command, *filter(None, [verb.name])]
    prog = " ".join(words)
    examples = [f"  {prog} {example}".rstrip() for example in verb.examples]
    epilog = "\n".join([verb.notes, "examples:", *examples]).strip() if examples else verb.notes
    parser = Parser(prog, _sentence(verb.summary), arguments=verb.arguments, epilog=epilog)
    verb.define(parser)
    return parser


def verbs_of(command: str) -> tuple[Verb, ...]:
    """The verbs of a command in the table."""
    # lazy: one run needs one command, and each brings its own imports
    module = importlib.import_module(COMMANDS[command].module)
    verbs: tuple[Verb, ...] = module.VERBS
    return verbs


def _dispatch(invocation: Invocation) -> int:
    """Finds the command for the words and runs it."""
    words = invocation.words
    first = words[0] if words else ""
    if first in _VERSION:
        return _run_command("version", (), invocation)
    if first in _HELP:
        return _help(words[1:], invocation)
    if not words or first.startswith("-"):
        return _run_command("gateway", ("run", *words), invocation)
    return _run_command(_known_command(words, invocation), words[1:], invocation)


def _as_plugin(invocation: Invocation) -> Invocation:
    """The invocation as it is meant: the Docker CLI puts words of its own before ours.

    Raises:
        SystemExit: only the plugin's metadata was asked for, and has been printed.
    """
    if _PLUGIN not in Path(invocation.script).name and invocation.words[:1] != (_METADATA,):
        return invocation
    # lazy: the few who come through Docker's CLI need it
    from gateway.cli import plugin  # noqa: PLC0415 - see above

    if invocation.words[:1] == (plugin.METADATA_WORD,):
        print(plugin.metadata())
        raise SystemExit(DONE)
    call = plugin.read_call(invocation.words, invocation.environ)
    plugin.follow_docker(call.environ)
    return structs.replace(
        invocation, environ=call.environ, words=call.words, program=plugin.PROGRAM
    )


def _help(words: Sequence[str], invocation: Invocation) -> int:
    """`help`, or `help COMMAND [VERB]`."""
    if words:
        return _run_command(_known_command(words, invocation), (*words[1:], "--help"), invocation)
    print(f"usage: {invocation.name} COMMAND [flags]\n")
    print("One MCP connection to many MCP servers, each run as a container on demand.\n")
    for name, command in COMMANDS.items():
        print(f"  {name:<{_NAME_COLUMN}}{command.summary}")
    print(
        f"\nFlags without a command mean `{invocation.name} gateway run`, and so does nothing at all."
    )
    print(f"More on a command: {invocation.name} COMMAND --help")
    return DONE


def _known_command(words: Sequence[str], invocation: Invocation) -> str:
    """The name in the table of the command that the words ask for.

    Raises:
        OptionError: there is none of that name, or it is not built yet.
    """
    name = ALIASES.get(words[0], words[0])
    for asked in ((name,), (name, *words[1:2])):
        if hint := NOT_BUILT.get(asked):
            raise OptionError(f"`{' '.join(asked)}` is not built yet; for now, {hint}")
    if name not in COMMANDS:
        near = closest(name, COMMANDS)
        raise OptionError(
            f"there is no command {name!r}{near or f'; see {invocation.name} --help'}"
        )
    return name


def _run_command(command: str, words: Sequence[str], invocation: Invocation) -> int:
    """Finds the verb and runs it; a command without verbs is its own."""
    verbs = verbs_of(command)
    if not verbs[0].name:
        return _run_verb(command, verbs[0], words, invocation)
    if words and words[0] in _HELP:
        return _command_help(command, verbs, invocation)
    by_name = {name: verb for verb in verbs for name in (verb.name, *verb.aliases)}
    if not words or words[0] not in by_name:
        known = ", ".join(verb.name for verb in verbs)
        asked = f"has no verb {words[0]!r}" if words else "needs a verb"
        raise OptionError(f"{invocation.name} {command} {asked}: it knows {known}")
    return _run_verb(command, by_name[words[0]], words[1:], invocation)


def _run_verb(command: str, verb: Verb, words: Sequence[str], invocation: Invocation) -> int:
    """Reads the verb's flags and runs it."""
    return verb.run(parser_of(command, verb, invocation).read(words), invocation)


def _command_help(command: str, verbs: Sequence[Verb], invocation: Invocation) -> int:
    """Prints the verbs of a command."""
    print(f"usage: {invocation.name} {command} VERB [flags]\n")
    print(f"{_sentence(COMMANDS[command].summary)}\n")
    for verb in verbs:
        also = f" (also: {', '.join(verb.aliases)})" if verb.aliases else ""
        print(f"  {verb.name:<{_NAME_COLUMN}}{verb.summary}{also}")
    print(f"\nMore on a verb: {invocation.name} {command} VERB --help")
    return DONE


def _report(error: BaseException, *, debug: bool) -> int:
    """Prints what went wrong, for people; the traceback only where it was asked for."""
    if debug:
        # lazy: only errors need it, and start-up time counts on stdio
        import traceback  # noqa: PLC0415 - see above

        traceback.print_exception(error, file=sys.stderr)
    leaves = tuple(_leaves(error))
    if any(isinstance(leaf, KeyboardInterrupt) for leaf in leaves):
        return INTERRUPTED
    for leaf in leaves:
        if isinstance(leaf, GatewayError):
            _complain(str(leaf))
            return USAGE if isinstance(leaf, ConfigError) else FAILED
        if isinstance(leaf, OSError) and leaf.filename is not None:
            _complain(f"{leaf.filename}: {(leaf.strerror or 'cannot be used').lower()}")
            return FAILED
        if isinstance(leaf, OSError) and leaf.errno == errno.ENOSPC:
            _abandon_stdout()  # mostly it is what could not be written
            _complain("no space left on device: make room where the output goes, and the home is")
            return FAILED
    _complain(_internal(leaves[0]))
    return FAILED


def _internal(error: BaseException) -> str:
    """The sentence for an error that nobody foresaw. Its own text stays out: it may hold anything."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    file = Path(place.tb_frame.f_code.co_filename).name if place else ""
    where = f" at {file}:{place.tb_lineno}" if place else ""
    return (
        f"internal error, {type(error).__name__}{where}: please run it again with --debug "
        "and report what that prints to the project's issue tracker"
    )


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors inside a group, or the error itself."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _complain(sentence: str) -> None:
    """Prints one line on stderr."""
    print(f"mcpgw: {printable(' '.join(sentence.split()))}", file=sys.stderr)


def _sentence(summary: str) -> str:
    """A summary as a sentence of its own."""
    return f"{summary[:1].upper()}{summary[1:]}."


def _wants_debug(words: Sequence[str], environ: Mapping[str, str]) -> bool:
    """Whether tracebacks were asked for; the words may be too broken to be parsed."""
    return "--debug" in words or "--debug=true" in words or debug_set(environ)


def _spell_out_what_stdout_lacks() -> None:
    """Has characters that the locale lacks printed by their numbers, as on stderr: helps and tools have some."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def _abandon_stdout() -> None:
    """Points stdout at nothing, or the interpreter tries once more at exit, and complains in its own words."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)
