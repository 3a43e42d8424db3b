"""`catalog ls|show`: which catalogs are in use, and what they hold."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Final

import msgspec

from gateway.catalog.model import EntryFault, ParsedCatalog, ServerEntry
from gateway.cli.grammar import Parser, closest
from gateway.cli.output import add_format, fields, show, table
from gateway.cli.rows import entry_image, entry_kind
from gateway.cli.verbs import Invocation, Verb
from gateway.errors import CatalogError


class CatalogRow(msgspec.Struct, frozen=True, kw_only=True):
    """One catalog in `catalog ls`."""

    name: str
    title: str
    servers: int
    broken: int
    file: str


class EntryRow(msgspec.Struct, frozen=True, kw_only=True):
    """One server of a catalog."""

    name: str
    kind: str
    image: str
    title: str
    description: str
    secrets: tuple[str, ...]
    tools: tuple[str, ...]


class CatalogView(msgspec.Struct, frozen=True, kw_only=True):
    """One catalog in `catalog show`."""

    name: str
    title: str
    file: str
    servers: tuple[EntryRow, ...]
    broken: tuple[str, ...]


def _define_ls(parser: Parser) -> None:
    add_format(parser)


def _define_show(parser: Parser) -> None:
    parser.argument("name", count="?", help="a name of `catalog ls`, or a file (default: all)")
    add_format(parser)
    # Docker's `catalog show` fetches on demand; ours always shows what is there.
    parser.value("--pull", metavar="WHEN", help=None)
    parser.switch("--no-tools", help=None)


def _ls(arguments: Namespace, invocation: Invocation) -> int:
    rows = [
        CatalogRow(
            name=path.stem,
            title=parsed.display_name or parsed.name,
            servers=len(parsed.entries),
            broken=len(parsed.faults),
            file=str(path),
        )
        for path, parsed in _read_all(invocation)
    ]
    cells = [
        (row.name, row.title or "-", str(row.servers), str(row.broken), row.file) for row in rows
    ]
    show(rows, arguments, text=table(("NAME", "TITLE", "SERVERS", "BROKEN", "FILE"), cells))
    return 0


def _show(arguments: Namespace, invocation: Invocation) -> int:
    views = [_view(path, parsed) for path, parsed in _chosen(arguments.name, invocation)]
    value = views[0] if arguments.name else views
    show(value, arguments, text=lambda: "\n\n".join(map(_for_people, views)))
    return 0


def _read_all(invocation: Invocation) -> list[tuple[Path, ParsedCatalog]]:
    """The catalogs that `gateway run` uses without --catalog; what cannot be read is a catalog of one fault."""
    # lazy: reading catalogs brings YAML
    from gateway.catalog.sources import home_catalogs, starter_path  # noqa: PLC0415 - see above

    paths = home_catalogs(invocation.home()) or (starter_path(),)
    return [(path, _read(path, invocation)) for path in paths]


def _chosen(name: str | None, invocation: Invocation) -> list[tuple[Path, ParsedCatalog]]:
    """The catalog of that name or file, all of them without one.

    Raises:
        CatalogError: there is none.
    """
    catalogs = _read_all(invocation)
    if name is None:
        return catalogs
    for path, parsed in catalogs:
        if name in {path.stem, path.name, str(path), parsed.name}:
            return [(path, parsed)]
    # lazy: reading catalogs brings YAML
    from gateway.catalog.sources import locate_catalog  # noqa: PLC0415 - see above

    path = locate_catalog(name, invocation.home())
    if not path.is_file():
        near = closest(name, [path.stem for path, _ in catalogs]) or "; `catalog ls` shows all"
        raise CatalogError(f"there is no catalog {name!r}{near}")
    return [(path, _read(path, invocation))]


def _read(path: Path, invocation: Invocation) -> ParsedCatalog:
    # lazy: reading catalogs brings YAML
    from gateway.catalog.cache import ParsedCache  # noqa: PLC0415 - see above
    from gateway.catalog.sources import file_fault, read_catalog  # noqa: PLC0415 - see above

    try:
        return read_catalog(path, ParsedCache(invocation.home().cache / "parsed"))
    except OSError as error:
        return ParsedCatalog(name=path.stem, entries=(), faults=(file_fault(path, error),))


def _view(path: Path, parsed: ParsedCatalog) -> CatalogView:
    return CatalogView(
        name=path.stem,
        title=parsed.display_name or parsed.name,
        file=str(path),
        servers=tuple(_entry_row(entry) for entry in parsed.entries),
        broken=tuple(_fault_line(fault) for fault in parsed.faults),
    )


def _entry_row(entry: ServerEntry) -> EntryRow:
    return EntryRow(
        name=entry.name,
        kind=entry_kind(entry),
        image=entry_image(entry),
        title=entry.title,
        description=entry.description,
        secrets=tuple(use.name for use in entry.secrets),
        tools=entry.tool_names,
    )


def _fault_line(fault: EntryFault) -> str:
    return f"{fault.name}: {fault.origin}: {fault.reason}"


def _for_people(view: CatalogView) -> str:
    """A catalog as a heading and a table."""
    head = fields([("catalog", view.name), ("title", view.title), ("file", view.file),
                   ("broken", "\n".join(view.broken))])  # fmt: skip
    cells = [(row.name, row.kind, row.title or "-", row.description) for row in view.servers]
    return f"{head}\n\n{table(('NAME', 'KIND', 'TITLE', 'DESCRIPTION'), cells)}"


VERBS: Final = (
    Verb(
        name="ls",
        aliases=("list",),
        summary="list the catalogs in use, with what is broken in them",
        run=_ls,
        define=_define_ls,
        examples=("", "--format yaml"),
    ),
    Verb(
        name="show",
        summary="show the servers of one catalog, or of all",
        run=_show,
        define=_define_show,
        arguments="[NAME]",
        examples=("", "docker-mcp --format json", "./my-servers.yaml"),
    ),
)
