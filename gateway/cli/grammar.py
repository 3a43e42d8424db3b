"""The grammar of the command line: argparse with the habits of Docker's tools. Must not know any flag.

Three habits differ from argparse's own: a switch takes a value only behind `=` (`--watch=false`, and `--watch false`
is the switch and an argument); a list flag may be repeated and may hold commas; flags and arguments mix freely, and a
flag's value may begin with a dash.
"""

from __future__ import annotations

from argparse import (
    SUPPRESS,
    Action,
    ArgumentParser,
    ArgumentTypeError,
    HelpFormatter,
    Namespace,
    _ArgumentGroup,
)
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NoReturn

from gateway.cli.values import comma_list, truth
from gateway.errors import OptionError

_HELP_COLUMN: Final = 30
"""Where help texts begin: wide enough for the longest flag that people use daily."""


_STRAY: Final = "unrecognized arguments: "
"""How argparse begins its complaint about words that nobody wants; those behind `--` are shown with it."""


def closest(word: str, known: Iterable[str]) -> str:
    """A remark in brackets that names the known word nearest to a misspelt one; "" where none is near."""
    # lazy: only mistakes need it, and start-up time counts on stdio
    import difflib  # noqa: PLC0415 - see above

    near = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {near[0]}?)" if near else ""


class Parser(ArgumentParser):
    """Reads one verb's flags and arguments. Errors are `OptionError`, one sentence each."""

    def __init__(
        self, prog: str, description: str, *, arguments: str = "", epilog: str = ""
    ) -> None:
        super().__init__(
            prog=prog,
            usage=" ".join(filter(None, [prog, "[flags]", arguments])),
            description=description,
            epilog=epilog,
            formatter_class=_Formatter,
            allow_abbrev=False,
            add_help=False,
        )
        self._switches: set[str] = set()
        self._section: _ArgumentGroup | None = None
        self.add_argument("-h", "--help", action="help", help="show this help and exit")
        self._switches |= {"-h", "--help"}
        self.switch("--debug", help="say what happens in detail, on stderr")

    def section(self, title: str) -> None:
        """Puts the flags that follow under a title in the help."""
        self._section = self.add_argument_group(title)

    def switch(self, flag: str, *, help: str | None, default: bool | None = False) -> None:  # noqa: A002 - argparse's word
        """Defines a switch: `--flag`, `--flag=true`, `--flag=false`."""
        self._switches.add(flag)
        self._add(flag, type=truth, default=default, help=help)

    def many(self, flag: str, *, help: str | None, metavar: str) -> None:  # noqa: A002 - argparse's word
        """Defines a list: repeated, or with commas, or both."""
        self._add(flag, type=comma_list, action="extend", default=[], help=help, metavar=metavar)

    def value(
        self,
        flag: str,
        *,
        help: str | None,  # noqa: A002 - argparse's word
        metavar: str,
        read: Callable[[str], Any] = str,
        default: Any = "",
    ) -> None:
        """Defines a flag with one value; the last one wins."""
        self._add(flag, type=read, default=default, help=help, metavar=metavar)

    def choice(
        self,
        flag: str,
        words: Sequence[str],
        *,
        help: str,  # noqa: A002 - argparse's word
        default: str | None,
        also: Sequence[str] = (),
    ) -> None:
        """Defines a flag with one of some words; `also` names accepted ones that the help need not show."""
        read = _one_of((*words, *also), shown=words)
        self._add(flag, type=read, default=default, help=help, metavar="|".join(words))

    def repeat(self, flag: str, *, help: str | None, metavar: str) -> None:  # noqa: A002 - argparse's word
        """Defines a flag that may be repeated, each value taken as it is: commas mean nothing."""
        self._add(flag, action="append", default=[], help=help, metavar=metavar)

    def argument(
        self,
        name: str,
        *,
        help: str,  # noqa: A002 - argparse's word
        count: str | None = None,
        metavar: str | None = None,
    ) -> None:
        """Defines a positional argument; `count` is argparse's `nargs`."""
        # without a default argparse calls what may be absent missing, as soon as something else is
        default: list[str] | None = [] if count == "*" else None
        self.add_argument(
            name, nargs=count, default=default, help=help, metavar=metavar or name.upper()
        )

    def read(self, words: Sequence[str]) -> Namespace:
        """Reads all words.

        Raises:
            OptionError: they do not fit; the sentence says which.
            SystemExit: help was asked for and has been printed.
        """
        return self.parse_args(self._ordered(words))

    def error(self, message: str) -> NoReturn:
        """Turns argparse's complaint into our error."""
        if message.startswith(_STRAY):
            stray = message.removeprefix(_STRAY).removeprefix("-- ")
            hint = " (a switch takes its value behind =, like --flag=false)" * _is_truth(stray)
            message = f"there is no place for {stray!r}{hint}"
        text = message.removeprefix("argument ")
        raise OptionError(f"{text}; see {self.prog} --help")

    def flags(self) -> tuple[str, ...]:
        """All flags that the help shows."""
        return tuple(
            option
            for action in self._actions
            for option in action.option_strings
            if action.help is not SUPPRESS
        )

    def _add(self, flag: str, *, help: str | None, **rest: Any) -> None:  # noqa: A002 - argparse's word
        """Adds a flag to the section in hand; without a help text it is accepted, not shown."""
        target = self._section or self
        target.add_argument(flag, help=SUPPRESS if help is None else help, **rest)

    def _ordered(self, words: Sequence[str]) -> list[str]:
        """Flags as `--flag=value` first, arguments behind `--`: a form that argparse reads in one way only."""
        flags: list[str] = []
        arguments: list[str] = []
        rest = iter(words)
        for word in rest:
            if word == "--":
                arguments.extend(rest)
            elif len(word) > 1 and word.startswith("-"):
                flags.append(self._flag(word, rest))
            else:
                arguments.append(word)
        return [*flags, "--", *arguments] if arguments else flags

    def _flag(self, word: str, rest: Iterable[str]) -> str:
        """One flag with its value, taken from `rest` where it stands apart."""
        name, equals, value = word.partition("=")
        if name not in self._option_string_actions:
            self.error(f"unknown flag {name}{closest(name, self.flags())}")
        if name in {"-h", "--help"}:
            return name
        if equals:
            return f"{name}={value}"
        if name in self._switches:
            return f"{name}=true"
        for following in rest:
            return f"{name}={following}"
        return self.error(f"{name}: needs a value")


class _Formatter(HelpFormatter):
    """One line a flag where it fits; examples keep their lines; switches show no value."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=_HELP_COLUMN)

    def _format_action_invocation(self, action: Action) -> str:
        if action.type is truth:
            return ", ".join(action.option_strings)
        return super()._format_action_invocation(action)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "\n" not in text:
            return super()._fill_text(text, width, indent)
        return "\n".join(indent + line for line in text.splitlines())


def _is_truth(text: str) -> bool:
    """Whether the text could be a switch's value."""
    try:
        truth(text)
    except ArgumentTypeError:
        return False
    return True


def _one_of(words: Sequence[str], *, shown: Sequence[str]) -> Callable[[str], str]:
    """A reader that lets only these words through."""

    def read(text: str) -> str:
        if text not in words:
            raise ArgumentTypeError(f"must be one of {', '.join(shown)}, not {text!r}")
        return text

    return read
