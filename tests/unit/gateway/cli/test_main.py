"""The console script: dispatch, errors, exit statuses."""

import os
import shlex
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from gateway.cli import main as console
from gateway.cli.commands import ALIASES, COMMANDS, NOT_BUILT
from gateway.cli.main import main, parser_of, verbs_of
from gateway.cli.verbs import Invocation, Verb
from gateway.errors import CatalogError, EngineUnreachable

ENVIRON = {"HOME": "/nowhere"}


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Replaces the verbs of all commands by one that only notes what it was asked."""
    seen: list[tuple[str, ...]] = []

    def verbs(command: str) -> tuple[Verb, ...]:
        def run(arguments: Namespace, _: Invocation) -> int:
            seen.append((command, *arguments.rest, *(["debug"] if arguments.debug else [])))
            return 0

        verb = Verb(
            name="run",
            aliases=("go",),
            summary="run",
            run=run,
            define=lambda parser: parser.argument("rest", count="*", help="rest"),
        )
        return (verb,)

    monkeypatch.setattr(console, "verbs_of", verbs)
    return seen


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        ([], ("gateway",)),
        (["--debug"], ("gateway", "debug")),
        (["gateway", "run", "x"], ("gateway", "x")),
        (["server", "go", "x"], ("server", "x")),
        (["catalogs", "run"], ("catalog",)),
    ],
)
def test_words_find_their_verb(
    words: list[str], asked: tuple[str, ...], stand_in: list[tuple[str, ...]]
) -> None:
    """Nothing, and leading flags, mean `gateway run`; aliases work for commands and verbs."""
    assert main(words, ENVIRON) == 0
    assert stand_in == [asked]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["srver"], "there is no command 'srver' (did you mean server?)"),
        (["xyzzy"], "there is no command 'xyzzy'; see mcpgw --help"),
        (["server"], "mcpgw server needs a verb: it knows run"),
        (["server", "jump"], "mcpgw server has no verb 'jump': it knows run"),
        (["--nonsense"], "unknown flag --nonsense; see mcpgw gateway run --help"),
        (["profile", "ls"], "`profile` is not built yet; for now, keep one home folder"),
        (["config", "read"], "`config read` is not built yet; for now, use `config get`"),
    ],
)
@pytest.mark.usefixtures("stand_in")
def test_wrong_usage_is_one_sentence_and_status_2(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Mistakes on the command line end with 2, one line on stderr, nothing on stdout."""
    assert main(words, ENVIRON) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith(f"mcpgw: {sentence}")
    assert printed.err.count("\n") == 1
    assert printed.out == ""


def failing(error: BaseException) -> tuple[Verb, ...]:
    """Verbs of which the only one fails."""

    def run(arguments: Namespace, _: Invocation) -> int:
        raise error

    return (Verb(name="", summary="fail", run=run),)


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (CatalogError("the catalog is broken"), 2, "mcpgw: the catalog is broken\n"),
        (EngineUnreachable("no engine\nanswers"), 1, "mcpgw: no engine answers\n"),
        (ExceptionGroup("", [EngineUnreachable("no engine")]), 1, "mcpgw: no engine\n"),
        (PermissionError(13, "Permission denied", "/x"), 1, "mcpgw: /x: permission denied\n"),
        (KeyboardInterrupt(), 130, ""),
        (BaseExceptionGroup("", [KeyboardInterrupt()]), 130, ""),
        (BrokenPipeError(), 0, ""),
    ],
)
def test_errors_become_a_sentence_and_a_status(
    error: BaseException,
    status: int,
    text: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each kind of error has its status; no traceback is shown."""
    monkeypatch.setattr(console, "verbs_of", lambda _: failing(error))
    monkeypatch.setattr(console, "_abandon_stdout", lambda: None)
    assert main(["version"], ENVIRON) == status
    assert capsys.readouterr().err == text


def test_unforeseen_errors_hide_their_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What an unforeseen error says may be a secret: its place is shown, and how to learn more."""
    monkeypatch.setattr(console, "verbs_of", lambda _: failing(ValueError("hunter2")))
    assert main(["version"], ENVIRON) == 1
    text = capsys.readouterr().err
    assert text.startswith("mcpgw: internal error, ValueError at test_main.py:")
    assert "--debug" in text
    assert "hunter2" not in text
    assert text.count("\n") == 1


def test_debug_shows_the_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --debug the traceback comes before the sentence."""
    monkeypatch.setattr(console, "verbs_of", lambda _: failing(ValueError("why")))
    assert main(["version", "--debug"], ENVIRON) == 1
    text = capsys.readouterr().err
    assert "Traceback" in text
    assert "ValueError: why" in text


@pytest.mark.parametrize(
    ("value", "shown"), [("1", True), ("0", False), ("off", False), ("", False)]
)
def test_debug_variable_shows_the_traceback(
    value: str,
    shown: object,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """DEBUG does as --debug does, unless it says no."""
    monkeypatch.setattr(console, "verbs_of", lambda _: failing(ValueError("why")))
    main(["version"], {**ENVIRON, "DEBUG": value})
    assert ("Traceback" in capsys.readouterr().err) is shown


PRINT_HELP = "import sys; from gateway.cli.main import main; sys.exit(main(['--help'], {}))"


def test_closed_pipe_is_silent() -> None:
    """`mcpgw … | head` says nothing when head has had enough."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pipe:
        done = subprocess.run(
            [sys.executable, "-c", PRINT_HELP],
            stdout=pipe,
            stderr=subprocess.PIPE,
            check=False,
            cwd=Path(__file__).parents[4],
        )
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_full_disk_behind_stdout_is_no_internal_error(unbuffered: str) -> None:
    """Whoever writes the output to a file is told to make room, once."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", PRINT_HELP],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            cwd=Path(__file__).parents[4],
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )
    sentence = "no space left on device: make room where the output goes, and the home is"
    assert (done.returncode, done.stderr.decode()) == (1, f"mcpgw: {sentence}\n")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_locale_without_a_character_is_no_internal_error(encoding: str) -> None:
    """What stdout cannot show is spelt out."""
    done = subprocess.run(
        [sys.executable, "-c", PRINT_HELP.replace("'--help'", "'help', 'tools', 'call'")],
        capture_output=True,
        check=False,
        cwd=Path(__file__).parents[4],
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"usage: mcpgw tools call [flags] NAME [KEY=VALUE\\u2026]\n")


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["help"]])
def test_overview_names_every_command(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The first help shows all there is."""
    assert main(words, ENVIRON) == 0
    text = capsys.readouterr().out
    for name, command in COMMANDS.items():
        assert f"  {name:<12}{command.summary}" in text


def every_verb() -> list[tuple[str, Verb]]:
    """All commands with their verbs."""
    return [(command, verb) for command in COMMANDS for verb in verbs_of(command)]


@pytest.mark.parametrize(("command", "verb"), every_verb(), ids=lambda x: getattr(x, "name", x))
def test_every_verb_has_a_help_with_examples_that_parse(
    command: str, verb: Verb, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--help` works everywhere and shows examples, and its examples are right."""
    words = [command, *filter(None, [verb.name])]
    assert main([*words, "--help"], ENVIRON) == 0
    text = capsys.readouterr().out
    assert "examples:" in text
    assert all(len(line) <= 120 for line in text.splitlines())
    for example in verb.examples:
        parser = parser_of(command, verb, Invocation(environ=ENVIRON))
        parser.read(shlex.split(example.partition("<")[0].partition("2>")[0]))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`mcpgw COMMAND --help` and `mcpgw help COMMAND` say the same."""
    assert main([command, "--help"], ENVIRON) == 0
    first = capsys.readouterr().out
    assert main(["help", command], ENVIRON) == 0
    assert capsys.readouterr().out == first


def test_list_verbs_have_both_names() -> None:
    """Wherever something is listed, `ls` and `list` work."""
    for _, verb in every_verb():
        names = {verb.name, *verb.aliases}
        assert ("ls" in names) == ("list" in names)
        assert ("rm" in names) == ("remove" in names)


def test_tables_agree() -> None:
    """No alias or missing command hides one that exists."""
    assert set(ALIASES.values()) <= set(COMMANDS)
    assert not set(ALIASES) & set(COMMANDS)
    for command, *verb in NOT_BUILT:
        known = verbs_of(command) if command in COMMANDS else ()
        names = {name for known_verb in known for name in (known_verb.name, *known_verb.aliases)}
        assert not names & set(verb)
        assert verb or command not in COMMANDS


def test_parsers_carry_the_program_name() -> None:
    """As a plugin the help says `docker mcp …`."""
    invocation = Invocation(environ=ENVIRON, program=("docker", "mcp"))
    assert parser_of("version", verbs_of("version")[0], invocation).prog == "docker mcp version"


@pytest.mark.parametrize(
    "words", [["version"], ["--version"], ["-v"], ["version", "--format=json"]]
)
def test_version_is_printed(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The version is found under all its names."""
    assert main(words, ENVIRON) == 0
    assert "0.1" in capsys.readouterr().out
