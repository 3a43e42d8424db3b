"""The grammar of the command line."""

from argparse import Namespace
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cli.grammar import Parser
from gateway.errors import OptionError


def a_parser() -> Parser:
    """A parser with a flag of each kind."""
    parser = Parser("prog verb", "Does it.", arguments="NAME")
    parser.switch("--watch", default=True, help="watch")
    parser.many("--servers", metavar="NAME", help="servers")
    parser.value("--host", metavar="HOST", help="host")
    parser.choice("--format", ("table", "json"), default="table", help="format", also=("human",))
    parser.repeat("--env", metavar="K=V", help="env")
    parser.value("--hidden", metavar="X", help=None)
    parser.argument("names", count="*", help="names")
    return parser


def read(*words: str) -> Namespace:
    """Reads the words with a fresh parser."""
    return a_parser().read(words)


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ((), True),
        (("--watch",), True),
        (("--watch=true",), True),
        (("--watch=1",), True),
        (("--watch=T",), True),
        (("--watch=false",), False),
        (("--watch=0",), False),
        (("--watch=false", "--watch"), True),
    ],
)
def test_switch_takes_value_only_behind_equals(words: tuple[str, ...], value: object) -> None:
    """A switch is true when given, and what stands behind `=` otherwise; the last one wins."""
    assert read(*words).watch is value


def test_word_behind_switch_is_an_argument() -> None:
    """`--watch false` is the switch and an argument, as with Docker's tools."""
    arguments = read("--watch", "false")
    assert (arguments.watch, arguments.names) == (True, ["false"])


def test_list_flags_take_commas_and_repetition() -> None:
    """`--servers a,b --servers=c` is a list of three; quotes protect a comma."""
    assert read("--servers", "a,b", "--servers=c", '--servers="d,e",f').servers == [
        "a", "b", "c", "d,e", "f",
    ]  # fmt: skip


def test_defaults_of_lists_are_not_shared() -> None:
    """Two readings of one parser do not see each other's items."""
    parser = a_parser()
    parser.read(["--servers", "a"])
    assert parser.read([]).servers == []


def test_flags_and_arguments_mix() -> None:
    """Flags may stand between and behind arguments."""
    arguments = read("one", "--host", "h", "two", "--format=json", "three")
    assert arguments.names == ["one", "two", "three"]
    assert (arguments.host, arguments.format) == ("h", "json")


def test_value_may_begin_with_a_dash() -> None:
    """The word behind a flag that needs a value is its value, whatever it looks like."""
    assert read("--host", "-1").host == "-1"
    assert read("--env", "A=--x", "--env", "-y").env == ["A=--x", "-y"]


def test_double_dash_ends_the_flags() -> None:
    """Behind `--` everything is an argument."""
    assert read("a", "--", "--watch=false").names == ["a", "--watch=false"]


def test_single_dash_is_an_argument() -> None:
    """`-` alone stands for stdin by custom."""
    assert read("-").names == ["-"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--wach"], "unknown flag --wach (did you mean --watch?); see prog verb --help"),
        (["--watch=maybe"], "--watch: must be true or false, not 'maybe'; see prog verb --help"),
        (["--host"], "--host: needs a value; see prog verb --help"),
        (["--format", "xml"], "--format: must be one of table, json, not 'xml'; see prog verb --help"),
        (["-x"], "unknown flag -x; see prog verb --help"),
        (["--serv", "a"], "unknown flag --serv (did you mean --servers?); see prog verb --help"),
    ],
)  # fmt: skip
def test_mistakes_are_one_sentence(words: list[str], sentence: str) -> None:
    """A mistake names the flag, and what to do."""
    with pytest.raises(OptionError) as caught:
        read(*words)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--watch", "false"], "there is no place for 'false' (a switch takes its value behind =, like --flag=false)"),
        (["extra"], "there is no place for 'extra'"),
    ],
)  # fmt: skip
def test_stray_words_are_named(words: list[str], sentence: str) -> None:
    """Where no argument is taken, a word says so, and what was probably meant."""
    parser = Parser("prog verb", "Does something.")
    parser.switch("--watch", help="watch")
    with pytest.raises(OptionError) as caught:
        parser.read(words)
    assert str(caught.value) == f"{sentence}; see prog verb --help"


def test_hidden_words_and_flags_are_accepted_but_not_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What only old entries use works, and stays out of the help."""
    assert read("--format=human", "--hidden", "x").hidden == "x"
    with pytest.raises(SystemExit):
        read("--help")
    text = capsys.readouterr().out
    assert "human" not in text
    assert "--hidden" not in text
    assert "usage: prog verb [flags] NAME" in text
    assert "--watch " in text
    assert "--watch WATCH" not in text


@given(st.lists(st.text(max_size=12), max_size=6))
def test_every_command_line_is_read_or_refused(words: list[str]) -> None:
    """No words end in anything but a reading, a refusal, or the help."""
    with suppress(OptionError, SystemExit):
        read(*words)
