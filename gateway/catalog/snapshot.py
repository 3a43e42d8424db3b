"""All that is configured, as one frozen record with hashes, and the difference of two. Pure.

The hashes are keyed: they cover secret values, and a hash of a secret without a key can be searched for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

import msgspec

from gateway import limits
from gateway.catalog.launch import Surroundings, prepare
from gateway.catalog.merge import merge_catalogs
from gateway.catalog.model import (
    EnabledServer,
    EntryFault,
    Isolation,
    Launch,
    ParsedCatalog,
    Pooling,
    RemoteLaunch,
    ServerEntry,
    Snapshot,
)
from gateway.catalog.selection import Selection, allowed_tools, is_wanted, select_servers
from gateway.catalog.server_config import overlay
from gateway.catalog.settings import ServerConfig, by_server
from gateway.errors import CatalogError

_HASH_BYTES: Final = 16  # 128 bits: nobody can make two specs collide without the key
_Number = TypeVar("_Number", int, float)
_ENCODER: Final = msgspec.json.Encoder(order="deterministic")


class PoolDefaults(msgspec.Struct, frozen=True, kw_only=True):
    """What holds where an entry's `pool:` says nothing, beyond `gateway.limits`."""

    isolation: Isolation = "session"
    long_lived: bool = False
    retry: bool = False


class Ingredients(msgspec.Struct, frozen=True, kw_only=True):
    """All that a snapshot is made of, read and parsed. `key` is the home's hash key."""

    catalogs: tuple[ParsedCatalog, ...]
    selection: Selection
    around: Surroundings
    key: bytes
    config: ServerConfig = ServerConfig()
    pool: PoolDefaults = PoolDefaults()
    faults: tuple[EntryFault, ...] = ()
    notes: tuple[str, ...] = ()


class SnapshotDiff(msgspec.Struct, frozen=True):
    """What a new snapshot changes, by server name.

    `changed`: another `spec_hash`; `relisted`: the same launch with another tool allow-list or prefix.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    relisted: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything changed at all."""
        return bool(self.added or self.removed or self.changed or self.relisted)


def build_snapshot(given: Ingredients) -> Snapshot:
    """The state of the world. An entry that cannot be launched becomes a fault, its neighbours are untouched."""
    merged = merge_catalogs(given.catalogs)
    broken = frozenset(fault.name for fault in merged.faults)
    selected = select_servers(merged.entries, broken, given.selection)
    faults = [*given.faults, *selected.faults]
    for fault in merged.faults:
        enabled = not fault.whole_file and is_wanted(fault.name, given.selection)
        faults.append(msgspec.structs.replace(fault, enabled=enabled))
    notes = [*given.notes, *merged.notes, *selected.notes]
    servers: dict[str, EnabledServer] = {}
    for entry in selected.entries:
        try:
            servers[entry.name] = _enable(entry, given, notes)
        except CatalogError as error:
            faults.append(EntryFault(entry.name, entry.origin, str(error), enabled=True))
    return Snapshot(
        servers=servers, available=merged.entries, faults=tuple(faults), notes=tuple(notes)
    )


def diff_snapshots(old: Snapshot, new: Snapshot) -> SnapshotDiff:
    """What `new` changes, in catalog order."""
    both = [name for name in new.servers if name in old.servers]
    return SnapshotDiff(
        added=tuple(name for name in new.servers if name not in old.servers),
        removed=tuple(name for name in old.servers if name not in new.servers),
        changed=tuple(
            name for name in both if old.servers[name].spec_hash != new.servers[name].spec_hash
        ),
        relisted=tuple(name for name in both if _is_relisted(old.servers[name], new.servers[name])),
    )


def secret_values(snapshot: Snapshot) -> Iterator[str]:
    """The values that nobody may read in a log: declared secrets, and what remote servers get as headers."""
    for server in snapshot.servers.values():
        launch = server.launch
        if isinstance(launch, RemoteLaunch):
            for value in launch.headers.values():
                # "Bearer <secret>": the scheme is no secret, and its word may stand anywhere.
                yield value.rpartition(" ")[2]
        else:
            for secret in server.entry.secrets:
                yield launch.env.get(secret.env, "")


def pooling_of(entry: ServerEntry, defaults: PoolDefaults) -> Pooling:
    """The pool policy of an entry with every default filled in."""
    policy = entry.pool
    return Pooling(
        isolation=policy.isolation or defaults.isolation,
        warm=_given(policy.warm, limits.POOL_WARM),
        max=_given(policy.max, limits.POOL_MAX),
        idle_s=_given(policy.idle_s, limits.POOL_IDLE_S),
        max_inflight=_given(policy.max_inflight, limits.POOL_MAX_INFLIGHT),
        timeout_s=_given(policy.timeout_s, limits.CALL_TIMEOUT_S),
        init_timeout_s=_given(policy.init_timeout_s, limits.INITIALIZE_TIMEOUT_S),
        long_lived=entry.long_lived or defaults.long_lived,
        retry=defaults.retry if policy.retry is None else policy.retry,
    )


def _enable(entry: ServerEntry, given: Ingredients, notes: list[str]) -> EnabledServer:
    """Fills one entry; appends its notes."""
    inline = by_server(given.selection.registry.servers, entry.name) or {}
    config = overlay(inline, given.config.of(entry.name))
    prepared = prepare(entry, config, given.around, given.config.mounts_of(entry.name))
    notes.extend(prepared.notes)
    pooling = pooling_of(entry, given.pool)
    return EnabledServer(
        name=entry.name,
        entry=entry,
        launch=prepared.launch,
        pooling=pooling,
        spec_hash=_keyed_hash(given.key, entry.name, prepared.launch, (pooling,)),
        list_key=_keyed_hash(given.key, entry.name, prepared.launch, ()),
        tools=allowed_tools(entry, given.selection),
    )


def _keyed_hash(key: bytes, name: str, launch: Launch, more: Iterable[Pooling]) -> str:
    parts = (name, type(launch).__name__, launch, *more)
    return hashlib.blake2b(_ENCODER.encode(parts), key=key, digest_size=_HASH_BYTES).hexdigest()


def _is_relisted(old: EnabledServer, new: EnabledServer) -> bool:
    """Whether running containers stay valid, but clients see other names."""
    same_spec = old.spec_hash == new.spec_hash
    return same_spec and (old.tools, old.entry.prefix) != (new.tools, new.entry.prefix)


def _given(value: _Number | None, default: _Number) -> _Number:
    return default if value is None else value
