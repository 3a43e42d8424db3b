"""Reads everything that configures the gateway, in one place, into one frozen snapshot. Synchronous.

What the command line names and cannot be found is an error; whatever else is wrong is a fault or a note of the
snapshot, and the rest runs. Must not know who asks: the watcher and every command read the same way.
"""

from __future__ import annotations

import functools
import os
import posixpath
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from gateway import limits
from gateway.catalog import sources
from gateway.catalog.fields import parse_memory
from gateway.catalog.launch import Surroundings
from gateway.catalog.model import EntryFault, Snapshot
from gateway.catalog.reading import Reading
from gateway.catalog.selection import Selection
from gateway.catalog.settings import (
    join_configs,
    join_registries,
    join_tools,
)
from gateway.catalog.snapshot import Ingredients, PoolDefaults, build_snapshot
from gateway.errors import SecretError
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
    reading = Reading(options)
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
                isolation=options.isolation or "session",
                long_lived=options.long_lived,
                retry=options.retry,
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
    if named and paths and not read and not faults:
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
    paths = (*Reading(options).paths(), *_secret_paths(options), home.secrets)
    return tuple(dict.fromkeys(paths))


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
