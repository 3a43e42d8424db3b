"""What the pages say is there: links, files, commands, flags, limits, actors and sentences."""

from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from bench.__main__ import parser as bench_parser
from gateway import limits
from gateway.catalog.parse import parse_catalog
from gateway.cli.commands import ALIASES, COMMANDS
from gateway.cli.main import parser_of, verbs_of
from gateway.cli.verbs import Invocation

TOP = Path(__file__).parents[2]
PAGES = (
    *(TOP / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
    *sorted((TOP / "docs").rglob("*.md")),
)
ABOUT_LIMITS = ("architecture", "supervision", "closing", "backpressure")
SHELLS = {"sh", "console"}
IMAGE = "mcpgw/mcp-gateway"

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(TOP).stem)


class Block(NamedTuple):
    """A fenced block of a page."""

    language: str
    text: str


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    return [Block(language, text) for language, text in found]


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def spans(page: Path) -> list[str]:
    """What stands in backticks in the prose of a page."""
    return re.findall(r"`([^`\n]+)`", prose(page))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}  # fmt: skip


# --- links and files --------------------------------------------------------------------------------------------


@every_page
def test_links_lead_somewhere(page: Path) -> None:
    """A relative link names a file of the repository, and its anchor a heading there."""
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@every_page
def test_files_exist(page: Path) -> None:
    """A path of ours in backticks is a file or folder, after `::` a test in it; `<name>` stands for any."""
    tops = ("gateway/", "actors/", "tests/", "docs/", "release/", "catalogs/servers", "bench/")
    for span in spans(page):
        if span.startswith(tops) and " " not in span:
            path, _, test = span.partition("::")
            known = path.partition("<")[0].rpartition("/")[0] if "<" in path else path
            assert (TOP / known).exists(), span
            assert not test or f"def {test}(" in (TOP / known).read_text(), span


def test_every_invariant_names_its_tests() -> None:
    """Each of the list has a row with tests; that these are there is looked at with all paths."""
    page = (TOP / "docs" / "reliability.md").read_text()
    section = page.partition("## Invariants")[2].partition("\n## ")[0]
    invariants = re.findall(r"^(\d)\. ", section, re.MULTILINE)
    rows = re.findall(r"^\| (\d) \| `tests/\S+::test_", section, re.MULTILINE)
    assert invariants == [str(number) for number in range(1, 7)]
    assert rows == invariants


@every_page
def test_pages_are_of_any_machine(page: Path) -> None:
    """No page holds a token, or the path of a machine on which it was written."""
    text = page.read_text()
    assert not re.search(r"Bearer [\w-]{20,}", text)
    assert not re.search(r"(?<![\w/.])/(tmp/(?!mcpgw\.log)|root/|work/)", text)


# --- commands ---------------------------------------------------------------------------------------------------


def shell_lines(text: str) -> Iterator[str]:
    """The commands of a block; of a console, what stands behind its prompt."""
    joined = text.replace("\\\n", " ")
    for line in joined.splitlines():
        if joined.startswith("$ ") and not line.startswith("$ "):
            continue
        if command := line.removeprefix("$ ").strip():
            yield command


def simple_commands(line: str) -> Iterator[list[str]]:
    """The words of each command between pipes and semicolons."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|;&<>")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if word and set(word) <= set("|;&"):
            yield words
            words = []
        else:
            words.append(word)


def own_words(words: list[str]) -> list[str] | None:
    """The words behind our program's name; None for other programs."""
    if not words:
        return None
    if words[0].rpartition("/")[2] in {"mcpgw", "mcpgw.pyz"}:
        return words[1:]
    if words[:2] == ["docker", "mcp"]:
        return words[2:]
    if words[:2] == ["docker", "run"] and IMAGE in words:
        return words[words.index(IMAGE) + 1 :]
    return None


def check_command(words: list[str]) -> None:
    """Reads a command line as the program does.

    Raises:
        OptionError: it does not fit.
    """
    if not words or words[0].startswith("-"):
        words = ["gateway", "run", *words]
    command = ALIASES.get(words[0], words[0])
    assert command in COMMANDS, words
    verbs = {name: verb for verb in verbs_of(command) for name in (verb.name, *verb.aliases)}
    rest = words[1:]
    if "" in verbs:
        verb = verbs[""]
    else:
        assert rest, words
        assert rest[0] in verbs, words
        verb, rest = verbs[rest[0]], rest[1:]
    parser_of(command, verb, Invocation(environ={})).read(rest)


@every_page
def test_commands_of_blocks_are_understood(page: Path) -> None:
    """Every command line of ours in a block has known verbs and flags, and values that they take."""
    for block in blocks(page):
        if block.language in SHELLS:
            for line in shell_lines(block.text):
                for words in simple_commands(line):
                    if (own := own_words(words)) is not None:
                        check_command(own)


@every_page
def test_commands_of_the_prose_exist(page: Path) -> None:
    """A command in backticks has a known verb; its arguments may be placeholders."""
    for span in spans(page):
        words = span.split()
        if words[0] == "mcpgw" and len(words) > 1 and words[1].islower():
            command = ALIASES.get(words[1], words[1])
            if words[1].startswith("-") or words[1] == "token":
                continue
            assert command in COMMANDS, span
            names = {name for verb in verbs_of(command) for name in (verb.name, *verb.aliases)}
            assert "" in names or words[2:3] == [] or words[2] in names or words[2].isupper(), span


def known_flags() -> set[str]:
    """Every flag of every verb, and of the bench."""
    ours = {
        flag
        for command in COMMANDS
        for verb in verbs_of(command)
        for flag in parser_of(command, verb, Invocation(environ={})).flags()
    }
    of_bench = re.findall(r"--[a-z][a-z-]+", bench_parser().format_help())
    return ours.union(of_bench)


def test_flags_of_the_prose_exist() -> None:
    """A flag in backticks is one of ours, or stands behind the name of another program."""
    others = {"--add-host", "--build-arg", "--cli", "--version", "--json", "--platform"}
    known = known_flags() | others
    for page in PAGES:
        named = {found[0] for span in spans(page) if (found := re.match(r"--[a-z][a-z-]+", span))}
        assert named <= known, (page.name, named - known)


@every_page
def test_data_of_blocks_is_well_formed(page: Path) -> None:
    """JSON, YAML and TOML parse, and entries for clients have arguments that we understand."""
    for block in blocks(page):
        match block.language:
            case "json":
                check_client_entry(json.loads(block.text))
            case "yaml":
                yaml.safe_load(block.text)
            case "toml":
                tomllib.loads(block.text)
            case _:
                pass


def check_client_entry(document: dict[str, dict[str, dict[str, object]]]) -> None:
    """The arguments of an entry in a client's file."""
    for entry in document.get("mcpServers", {}).values():
        given = entry.get("args", [])
        assert isinstance(given, list)
        args = [str(word) for word in given]
        if IMAGE in args:
            check_command(args[args.index(IMAGE) + 1 :])
        elif args:
            check_command(args[args.index("gateway") :])


# --- names of the code ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ABOUT_LIMITS)
def test_limits_exist(name: str) -> None:
    """What is written in capitals on these pages is a number of gateway/limits.py."""
    for span in spans(TOP / "docs" / f"{name}.md"):
        if re.fullmatch(r"[A-Z]+(_[A-Z]+)+", span):
            assert hasattr(limits, span), span


def children() -> set[str]:
    """The names of the actors that actors/supervisor.py starts in every gateway."""
    tree = ast.parse((TOP / "actors" / "supervisor.py").read_text())
    named = [
        keyword.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "ChildSpec"
        for keyword in node.keywords
        if keyword.arg == "name" and isinstance(keyword.value, ast.Constant)
    ]
    return {str(name) for name in named}


def test_every_actor_is_in_the_tree_of_the_page() -> None:
    """docs/supervision.md draws the actors that exist, with files that exist, and says what a restart costs."""
    page = TOP / "docs" / "supervision.md"
    tree = next(block.text for block in blocks(page) if "├──" in block.text)
    drawn = {name: path for name, path in re.findall(r"[├└]── (\S+)\s.*?(actors/\S+)", tree)}  # noqa: C416 - read as a mapping
    assert {name for name in drawn if not name.startswith("pool:")} == children()
    assert all((TOP / path).is_file() for path in drawn.values())
    told = set(
        re.findall(r"^\| `([\w-]+)` \|", prose(page).partition("its crash")[2], re.MULTILINE)
    )
    assert children() <= told


# --- sentences --------------------------------------------------------------------------------------------------


def sentences() -> Iterator[str]:
    """All texts of the code but its docstrings, with a NUL where a value is filled in."""
    for folder in ("gateway", "actors"):
        for path in (TOP / folder).rglob("*.py"):
            nodes = list(ast.walk(ast.parse(path.read_text())))
            docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
            for node in nodes:
                match node:
                    case ast.JoinedStr(values=parts):
                        yield "".join(map(literal, parts))
                    case ast.Constant(value=str(text)) if id(node) not in docstrings:
                        yield text
                    case _:
                        pass


def literal(part: ast.expr) -> str:
    """A part of an f-string: its text, or a NUL for a value."""
    return str(part.value) if isinstance(part, ast.Constant) else "\0"


def quoted_sentences() -> Iterator[str]:
    """The cells of the tables of docs/troubleshooting.md that quote the program."""
    column: int | None = None
    for line in prose(TOP / "docs" / "troubleshooting.md").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|"):
            column = None
        elif column is None:
            titles = [cell in {"it says", "reason", "message"} for cell in cells]
            column = titles.index(True) if True in titles else len(cells)
        elif column < len(cells) and not cells[column].startswith("---"):
            yield cells[column]


def test_sentences_are_those_of_the_code() -> None:
    """What the page quotes, between its gaps, the program can say."""
    corpus = "\n".join(sentences())
    quoted = list(quoted_sentences())
    assert len(quoted) > 60
    for cell in quoted:
        pieces = [piece.strip(" ,:;.") for piece in cell.split("…")]
        missing = [piece for piece in pieces if len(piece) > 7 and piece not in corpus]
        assert not missing, cell


# --- the example ------------------------------------------------------------------------------------------------


def test_the_server_of_the_page_works() -> None:
    """The server of docs/custom-servers.md lists its tool, calls it, and stays silent on notifications."""
    code = next(
        b.text for b in blocks(TOP / "docs" / "custom-servers.md") if b.language == "python"
    )
    messages = [
        {"id": 1, "method": "initialize", "params": {"protocolVersion": "2025-11-25"}},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/list"},
        {"id": 3, "method": "tools/call", "params": {"arguments": {"name": "Ada", "times": 2}}},
    ]
    ran = subprocess.run(
        [sys.executable, "-c", code],
        input="".join(json.dumps({"jsonrpc": "2.0", **message}) + "\n" for message in messages),
        env={"GREET_WORD": "hello", "GREET_KEY": "not-a-real-key"},
        capture_output=True,
        text=True,
        check=True,
    )
    answers = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [answer["id"] for answer in answers] == [1, 2, 3]
    assert answers[1]["result"]["tools"][0]["name"] == "greet"
    text = answers[2]["result"]["content"][0]["text"]
    assert text == "hello Ada, hello Ada (with a key of 14 characters)"


def test_the_entry_of_the_page_is_usable() -> None:
    """The entry of docs/custom-servers.md is a container without a network and with one required secret."""
    text = next(b.text for b in blocks(TOP / "docs" / "custom-servers.md") if b.language == "yaml")
    entry = yaml.safe_load(text)
    document = json.dumps({"version": 3, "registry": {entry.pop("name"): entry}}).encode()
    parsed = parse_catalog(document, source="greet.yaml", trusted=True)
    assert parsed.faults == ()
    (found,) = parsed.entries
    assert (found.image, found.disable_network) == ("greet:1", True)
    assert [(use.name, use.env, use.required) for use in found.secrets] == [
        ("greet.api_key", "GREET_KEY", True)
    ]
