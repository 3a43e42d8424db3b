"""Reads the catalog and settings files that one run's options name. Must not know what is done with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from gateway.catalog import sources
from gateway.catalog.cache import ParsedCache
from gateway.catalog.model import EntryFault, ParsedCatalog
from gateway.catalog.settings import (
    Registry,
    ServerConfig,
    ToolLists,
    parse_config,
    parse_registry,
    parse_tools,
)
from gateway.errors import CatalogError
from gateway.home import Home
from gateway.options import GatewayOptions

_Settings = TypeVar("_Settings", Registry, ServerConfig, ToolLists)


class Reading:
    """Reads the files of one run; collects faults and notes."""

    def __init__(self, options: GatewayOptions) -> None:
        self._options = options
        self._home = Home(Path(options.home))
        self._cache = ParsedCache(self._home.cache / "parsed")
        self.faults: list[EntryFault] = []
        self.notes: list[str] = []

    def catalogs(self) -> tuple[tuple[ParsedCatalog, ...], bool]:
        """All catalogs, lowest precedence first, and whether they are the built-in one for want of any."""
        options = self._options
        named = [self._named_catalog(name, "--catalog") for name in options.catalogs]
        more = options.additional_catalogs
        extra = [self._named_catalog(name, "--additional-catalog") for name in more]
        if named:
            return (*named, *extra), False
        files = sources.home_catalogs(self._home)
        builtin = not files and not extra
        found = [self._own_catalog(file) for file in files or ((sources.starter_path(),) * builtin)]
        return (*filter(None, found), *extra), builtin

    def paths(self) -> tuple[Path, ...]:
        """Every file and folder that is read, whether it exists or not."""
        options = self._options
        named = [
            sources.locate_catalog(name, self._home)
            for name in (*options.catalogs, *options.additional_catalogs)
            if not sources.is_url(name)
        ]
        folders = () if options.catalogs else (self._home.catalogs,)
        settings = (*self.registry_paths(), *self.config_paths(), *self.tools_paths())
        return (*named, *folders, *settings)

    def registry_paths(self) -> tuple[Path, ...]:
        """Files with enabled servers."""
        options = self._options
        return self._paths(options.registries, self._home.registry, options.additional_registries)

    def config_paths(self) -> tuple[Path, ...]:
        """Files with config values."""
        options = self._options
        return self._paths(options.configs, self._home.config, options.additional_configs)

    def tools_paths(self) -> tuple[Path, ...]:
        """Files with tool allow-lists."""
        options = self._options
        return self._paths(
            options.tools_configs, self._home.tools, options.additional_tools_configs
        )

    def has_registry(self) -> bool:
        """Whether anybody ever wrote down which servers are enabled."""
        return any(sources.is_there(path) for path in self.registry_paths())

    def registries(self) -> list[Registry]:
        """The contents of all registry files."""
        more = len(self._options.additional_registries)
        return self._settings("registry", self.registry_paths(), more, Registry, parse_registry)

    def configs(self) -> list[ServerConfig]:
        """The contents of all config files."""
        more = len(self._options.additional_configs)
        return self._settings("config", self.config_paths(), more, ServerConfig, parse_config)

    def tool_lists(self) -> list[ToolLists]:
        """The contents of all tools files."""
        more = len(self._options.additional_tools_configs)
        return self._settings("tools-config", self.tools_paths(), more, ToolLists, parse_tools)

    def _named_catalog(self, named: str, flag: str) -> ParsedCatalog:
        """A catalog that a flag names: it must be there."""
        if sources.is_url(named):
            parsed, note = sources.fetch_catalog(named, self._home, self._cache)
            self.notes.extend([note] if note else [])
            return parsed
        path = sources.locate_catalog(named, self._home)
        try:
            return sources.read_catalog(path, self._cache)
        except FileNotFoundError as error:
            raise sources.missing(named, path, flag) from error
        except OSError as error:
            raise CatalogError(f"{flag} {named}: {path}: {error.strerror}") from error

    def _own_catalog(self, path: Path) -> ParsedCatalog | None:
        """A catalog of the home; it may have gone, or be unreadable."""
        try:
            sources.require_file(path)
            return sources.read_catalog(path, self._cache)
        except OSError as error:
            self.faults.append(sources.file_fault(path, error))
            return None

    def _paths(
        self, named: tuple[str, ...], own: Path, additional: tuple[str, ...]
    ) -> tuple[Path, ...]:
        """The files that flags name instead of, and beside, the home's own."""
        main = [sources.locate(name, self._home, self._home.root) for name in named] or [own]
        more = [sources.locate(name, self._home, self._home.root) for name in additional]
        return (*main, *more)

    def _settings(
        self,
        what: str,
        paths: tuple[Path, ...],
        more: int,
        kind: type[_Settings],
        parse: Callable[..., _Settings],
    ) -> list[_Settings]:
        """Reads settings files; the home's own may be missing, even where a flag names it.

        The last `more` of them are those of the flag `--additional-…`.
        """
        own = {self._home.registry, self._home.config, self._home.tools}
        found: list[_Settings] = []
        for index, path in enumerate(paths):
            flag = f"--{what}" if index < len(paths) - more else f"--additional-{what}"
            try:
                if path in own:
                    sources.require_file(path)
                found.append(
                    sources.read_settings(
                        path,
                        kind,
                        lambda content, source: parse(content, source=source),
                        self._cache,
                    )
                )
            except FileNotFoundError as error:
                if path not in own:
                    raise sources.missing(str(path), path, flag) from error
            except OSError as error:
                self.faults.append(sources.file_fault(path, error))
        return found
