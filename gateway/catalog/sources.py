"""Where catalogs and settings lie, and how their text becomes records. Must not know what is done with them.

A file flag may be a path, or a name in the home. On a host, `/mcp/x` (the home of a container) means the home's
`x` where no such path exists, so that one set of flags fits both.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from gateway.catalog.cache import ParsedCache
from gateway.catalog.model import EntryFault, Origin, ParsedCatalog
from gateway.catalog.parse import parse_catalog
from gateway.errors import CatalogError
from gateway.home import CONTAINER_HOME, Home
from gateway.limits import MAX_DOCUMENT_BYTES

STARTER: Final = "starter"
"""The catalog that is built in; a file of that name in the home replaces it."""
_FIRST: Final = "docker-mcp.yaml"
_SUFFIXES: Final = (".yaml", ".yml", ".json")

_T = TypeVar("_T")


def starter_path() -> Path:
    """The built-in catalog. A real file: the zipapp extracts its packages side by side."""
    return Path(__file__).resolve().parents[2] / "catalogs" / f"{STARTER}.yaml"


def home_catalogs(home: Home) -> tuple[Path, ...]:
    """The catalog files of a home: `docker-mcp.yaml`, then the others by name."""
    try:
        files = [
            file for file in home.catalogs.iterdir() if _is_catalog(file) and not file.is_dir()
        ]
    except OSError:
        return ()
    return tuple(sorted(files, key=lambda file: (file.name != _FIRST, file.name)))


def is_there(path: Path) -> bool:
    """Whether the path leads to something that we may look at (`Path.exists` raises where we may not)."""
    try:
        path.stat()
    except (OSError, ValueError):
        return False
    return True


def is_url(named: str) -> bool:
    """Whether a `--catalog` value is an address."""
    return "://" in named


def locate(named: str, home: Home, folder: Path) -> Path:
    """The file that a flag names: as a path, else below `folder`, else (`/mcp/x`) below the home.

    It need not exist; then it is the place where one would look first.
    """
    path = Path(named).expanduser()
    if is_there(path):
        return path.absolute()
    inside = Path(CONTAINER_HOME)
    if path.is_relative_to(inside):
        return home.root / path.relative_to(inside)
    if path.is_absolute() or named.startswith("."):
        return path.absolute()
    return folder / path


def locate_catalog(named: str, home: Home) -> Path:
    """The file that `--catalog` names; the suffix may be left out, and `starter` is built in."""
    path = locate(named, home, home.catalogs)
    for place in (
        path,
        home.catalogs / named,
    ):  # a folder of that name here hides no catalog of the home
        for suffix in ("", *_SUFFIXES):
            file = Path(f"{place}{suffix}")
            if is_there(file) and file.is_file():
                return file
    return starter_path() if named in {STARTER, starter_path().name} else path


def read_catalog(path: Path, cache: ParsedCache) -> ParsedCatalog:
    """The catalog in a local file, whose entries are trusted.

    Raises:
        OSError: it cannot be read.
    """
    content, source = read_bounded(path), str(path)
    return cache.get(
        ParsedCatalog,
        content,
        f"{source}\0trusted",
        lambda: parse_catalog(content, source=source, trusted=True),
    )


def fetch_catalog(url: str, home: Home, cache: ParsedCache) -> tuple[ParsedCatalog, str]:
    """The catalog at a URL, whose entries are not trusted, and a note ("" for none).

    Raises:
        CatalogError: it cannot be fetched, and no copy is kept.
    """
    from gateway.catalog import fetch as network  # noqa: PLC0415 - lazy: few catalogs need it

    fetched = network.fetch(url, home.cache / "urls")
    source = network.shown_url(url)
    parsed = cache.get(
        ParsedCatalog,
        fetched.content,
        f"{source}\0untrusted",
        lambda: parse_catalog(fetched.content, source=source, trusted=False),
    )
    return parsed, fetched.note


def read_settings(
    path: Path, kind: type[_T], parse: Callable[[bytes, str], _T], cache: ParsedCache
) -> _T:
    """The record of one settings file.

    Raises:
        OSError: it cannot be read.
    """
    content, source = read_bounded(path), str(path)
    return cache.get(kind, content, source, lambda: parse(content, source))


def require_file(path: Path) -> None:
    """Sees to it that one of the home's own names is no pipe or device, which would be waited for without a word.

    What a flag names may be one: shells hand over documents like that.

    Raises:
        OSError: it is.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise OSError(errno.EINVAL, "it is no file")


def read_bounded(path: Path) -> bytes:
    """A file's bytes, cut just past the bound that the parser enforces."""
    with path.open("rb") as file:
        return file.read(MAX_DOCUMENT_BYTES + 1)


def file_fault(path: Path, error: OSError | str) -> EntryFault:
    """The fault of a file that cannot be read."""
    reason = error if isinstance(error, str) else f"cannot be read: {error.strerror}"
    return EntryFault(path.name, Origin(str(path), 0, trusted=True), reason, whole_file=True)


def missing(named: str, path: Path, flag: str) -> CatalogError:
    """The error of a file that the command line names and nobody finds."""
    return CatalogError(f"{flag} {named}: there is no file {path}")


def _is_catalog(file: Path) -> bool:
    return file.suffix in _SUFFIXES and not file.name.startswith(".")
