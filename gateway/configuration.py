"""Reads everything that configures the gateway, in one place, into one frozen snapshot. Synchronous.

What the command line names and cannot be found is an error; whatever else is wrong is a fault or a note of the
snapshot, and the rest runs. Must not know who asks: the watcher and every command read the same way.
"""

from __future__ import annotations

import functools
import os
import posixpath
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from gateway import limits
from gateway.catalog import sources
from gateway.catalog.cache import ParsedCache
from gateway.catalog.fields import parse_memory
from gateway.catalog.launch import Surroundings
from gateway.catalog.model import EntryFault, ParsedCatalog, Snapshot
from gateway.catalog.selection import Selection
from gateway.catalog.settings import (
    Registry,
    ServerConfig,
    ToolLists,
    join_configs,
    join_registries,
    join_tools,
    parse_config,
    parse_registry,
    parse_tools,
)
from gateway.catalog.snapshot import Ingredients, PoolDefaults, build_snapshot
from gateway.errors import CatalogError, SecretError
from gateway.home import Home
from gateway.options import GatewayOptions
from gateway.secrets.sources import (
    CONTAINER_DOTENV,
    DEFAULT_FOLDER,
    DOCKER_DESKTOP,
    Secrets,
    SecretSource,
    read_source,
    split_sources,
)
from gateway.secrets.store import SecretStore

_HASH_KEY_BYTES: Final = 32
_REMOTE_ENGINE: Final = ("tcp://", "http://", "https://", "ssh://")

_Settings = TypeVar("_Settings", Registry, ServerConfig, ToolLists)


class LoadedSecrets(msgspec.Struct, frozen=True):
    """All secret sources as read, and what is wrong with them."""

    secrets: Secrets
    faults: tuple[EntryFault, ...] = ()
    notes: tuple[str, ...] = ()


def load_snapshot(
    options: GatewayOptions, environ: Mapping[str, str], *, engine_in_reach: bool | None = None
) -> Snapshot:
    """All that is configured, at this moment.

    Args:
        options: what the command line says.
        environ: the environment, for secrets and the user's home.
        engine_in_reach: whether a container engine answers; None where nobody has looked.

    Raises:
        CatalogError: a file or URL that the command line names cannot be found or fetched.
        SecretError: none of the secret sources that the command line names exists.
    """
    reading = _Reading(options)
    catalogs, builtin = reading.catalogs()
    registry = join_registries(reading.registries())
    config = join_configs(reading.configs())
    tool_lists = join_tools(reading.tool_lists())
    loaded = load_secrets(options, environ)
    return build_snapshot(
        Ingredients(
            catalogs=catalogs,
            selection=Selection(
                servers=options.servers,
                everything=options.enable_all_servers or (builtin and not reading.has_registry()),
                registry=registry,
                tools=options.tools,
                tool_lists=tool_lists,
            ),
            around=_surroundings(options, environ, loaded.secrets, engine_in_reach),
            key=_hash_key(options.home),
            config=config,
            pool=PoolDefaults(
                isolation=options.isolation or "session", long_lived=options.long_lived
            ),
            faults=(
                *reading.faults,
                *registry.faults,
                *config.faults,
                *tool_lists.faults,
                *loaded.faults,
            ),
            notes=(*reading.notes, *loaded.notes),
        )
    )


def load_secrets(options: GatewayOptions, environ: Mapping[str, str]) -> LoadedSecrets:
    """All secret sources, in the order in which they are asked.

    Raises:
        SecretError: none of the sources that the command line names exists.
    """
    named = split_sources(options.secrets)
    read: list[SecretSource] = []
    faults: list[EntryFault] = []
    notes: list[str] = []
    paths = _secret_paths(options)
    for path in paths:
        try:
            read.append(read_source(path))
        except FileNotFoundError:
            if named:
                notes.append(f"--secrets: {path} does not exist and is skipped")
        except SecretError as error:
            faults.append(sources.file_fault(path, str(error)))
    if DOCKER_DESKTOP in named:
        notes.append(f"--secrets: {DOCKER_DESKTOP} is skipped; set secrets with `mcpgw secret set`")
    if named and paths and notes and not read and not faults:
        raise SecretError(f"--secrets {options.secrets}: none of these exists")
    store = Home(Path(options.home)).secrets
    try:
        read.append(SecretSource("store", SecretStore(store).values()))
    except SecretError as error:
        faults.append(sources.file_fault(store, str(error)))
    return LoadedSecrets(Secrets(tuple(read), environ), tuple(faults), tuple(notes))


def watched_paths(
    options: GatewayOptions,
    environ: Mapping[str, str],  # noqa: ARG001 - called like load_snapshot, and may come to need it
) -> tuple[Path, ...]:
    """Every file and folder whose change can change the snapshot, whether it exists or not."""
    home = Home(Path(options.home))
    named = [
        sources.locate_catalog(name, home)
        for name in (*options.catalogs, *options.additional_catalogs)
        if not sources.is_url(name)
    ]
    reading = _Reading(options)
    settings = (*reading.registry_paths(), *reading.config_paths(), *reading.tools_paths())
    folders = () if options.catalogs else (home.catalogs,)
    unique = dict.fromkeys((*named, *folders, *settings, *_secret_paths(options), home.secrets))
    return tuple(unique)


class _Reading:
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
        named = [self._named_catalog(name) for name in options.catalogs]
        extra = [self._named_catalog(name) for name in options.additional_catalogs]
        if named:
            return (*named, *extra), False
        files = sources.home_catalogs(self._home)
        builtin = not files and not extra
        found = [self._own_catalog(file) for file in files or ((sources.starter_path(),) * builtin)]
        return (*filter(None, found), *extra), builtin

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
        return any(path.exists() for path in self.registry_paths())

    def registries(self) -> list[Registry]:
        """The contents of all registry files."""
        return self._settings("--registry", self.registry_paths(), Registry, parse_registry)

    def configs(self) -> list[ServerConfig]:
        """The contents of all config files."""
        return self._settings("--config", self.config_paths(), ServerConfig, parse_config)

    def tool_lists(self) -> list[ToolLists]:
        """The contents of all tools files."""
        return self._settings("--tools-config", self.tools_paths(), ToolLists, parse_tools)

    def _named_catalog(self, named: str) -> ParsedCatalog:
        """A catalog that the command line names: it must be there."""
        if sources.is_url(named):
            parsed, note = sources.fetch_catalog(named, self._home, self._cache)
            self.notes.extend([note] if note else [])
            return parsed
        path = sources.locate_catalog(named, self._home)
        try:
            return sources.read_catalog(path, self._cache)
        except FileNotFoundError as error:
            raise sources.missing(named, path, "--catalog") from error
        except OSError as error:
            raise CatalogError(f"--catalog {named}: {path}: {error.strerror}") from error

    def _own_catalog(self, path: Path) -> ParsedCatalog | None:
        """A catalog of the home; it may have gone, or be unreadable."""
        try:
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
        flag: str,
        paths: tuple[Path, ...],
        kind: type[_Settings],
        parse: Callable[..., _Settings],
    ) -> list[_Settings]:
        """Reads settings files; the home's own may be missing, even where a flag names it."""
        own = {self._home.registry, self._home.config, self._home.tools}
        found: list[_Settings] = []
        for path in paths:
            try:
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


def _surroundings(
    options: GatewayOptions,
    environ: Mapping[str, str],
    found: Secrets,
    engine_in_reach: bool | None,  # noqa: FBT001 - private, called once, None is a third value
) -> Surroundings:
    """What holds for every entry. Links are resolved only where the engine sees the same files as we do."""
    elsewhere = options.in_container or environ.get("DOCKER_HOST", "").startswith(_REMOTE_ENGINE)
    return Surroundings(
        secret=found.lookup,
        memory_bytes=options.memory_bytes or parse_memory(limits.CONTAINER_MEMORY),
        cpus=options.cpus or limits.CONTAINER_CPUS,
        pids=limits.CONTAINER_PIDS,
        home="" if options.in_container else environ.get("HOME", "").rstrip("/"),
        resolve=posixpath.normpath if elsewhere else os.path.realpath,
        engine_in_reach=False if options.without_engine else engine_in_reach,
        local_fallback=options.local_fallback,
    )


def _secret_paths(options: GatewayOptions) -> tuple[Path, ...]:
    """The files and folders of secrets that the command line names, or the default ones."""
    home = Home(Path(options.home))
    named = [name for name in split_sources(options.secrets) if name != DOCKER_DESKTOP]
    if options.secrets:
        return tuple(sources.locate(name, home, Path.cwd()) for name in named)
    container = (CONTAINER_DOTENV,) if options.in_container else ()
    return tuple(Path(path) for path in (DEFAULT_FOLDER, *container))


@functools.cache
def _ephemeral_key(_home: str) -> bytes:
    """A key for a home that cannot be written: reloads of this process must agree, the next process need not."""
    return secrets.token_bytes(_HASH_KEY_BYTES)


def _hash_key(home: str) -> bytes:
    try:
        return Home(Path(home)).hash_key()
    except OSError:
        return _ephemeral_key(home)
