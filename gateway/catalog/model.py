"""What catalogs say, as frozen records. Must not know files, YAML, or how a server is started.

Field names follow the catalog format (v2 and v3), in snake case; docs/catalogs.md lists them with their sources.
Three steps: a `ServerEntry` is what a catalog says; a launch (`ContainerLaunch`, `ProcessLaunch`, `RemoteLaunch`,
`PociLaunch`) is that entry with its templates, config and secrets filled in; a `Snapshot` is all of it at one moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

Isolation = Literal["session", "principal", "call", "shared"]
"""Who shares a running server: one client session, one principal, nobody, everybody."""
RemoteTransport = Literal["streamable-http", "sse", "websocket"]
"""How a remote server is spoken to."""


class Origin(msgspec.Struct, frozen=True):
    """Where an entry was read. `line` is 1-based, 0 where unknown.

    `trusted` is true for files in the home or named on the command line: only those may name local processes.
    """

    source: str
    line: int = 0
    trusted: bool = False

    def __str__(self) -> str:
        """`file:line`, as editors and people read it."""
        return f"{self.source}:{self.line}" if self.line else self.source


class SecretUse(msgspec.Struct, frozen=True):
    """A secret that an entry declares. `env` is the variable it arrives in (its own name where none is given)."""

    name: str
    env: str
    description: str = ""
    example: str = ""
    required: bool = False


class EnvVar(msgspec.Struct, frozen=True):
    """An environment variable; `value` may hold a template or `$VAR`."""

    name: str
    value: str = ""


class Remote(msgspec.Struct, frozen=True):
    """A server reached over the network. Header values may hold `${VAR}` of the entry's secrets."""

    url: str
    transport: RemoteTransport = "streamable-http"
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)


class ResourceLimits(msgspec.Struct, frozen=True):
    """Bounds of one container. None means the default of the command line or of `gateway.limits`."""

    memory_bytes: int | None = None
    cpus: float | None = None
    pids: int | None = None


class PoolPolicy(msgspec.Struct, frozen=True):
    """How running servers are shared and kept (`pool:` of an entry). None means the default.

    `warm`: spares kept; `max`: containers at most; `idle_s`: stopped after so long without a call; `max_inflight`:
    calls in one container at a time; `timeout_s`: until a call is answered; `init_timeout_s`: until `initialize` is;
    `shared_network`: all containers of the server are in one network namespace; `retry`: a call that may have been
    executed is sent once more where its tool is annotated as read-only or idempotent.
    """

    isolation: Isolation | None = None
    warm: int | None = None
    max: int | None = None
    idle_s: float | None = None
    max_inflight: int | None = None
    timeout_s: float | None = None
    init_timeout_s: float | None = None
    shared_network: bool = False
    retry: bool | None = None


class ProcessForm(msgspec.Struct, frozen=True):
    """A server run as a local process. `command` is argv; relative paths and `cwd` count from the catalog's folder."""

    command: tuple[str, ...]
    env: Mapping[str, str] = msgspec.field(default_factory=dict)
    cwd: str | None = None


class PociTool(msgspec.Struct, frozen=True):
    """A tool that is one container run per call; its templates see the call's arguments.

    `input_schema` is a JSON Schema object as JSON text.
    """

    name: str
    description: str
    input_schema: str
    image: str
    command: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    user: str = ""
    annotations: str = ""
    """A ToolAnnotations object as JSON text, or empty."""


class ServerEntry(msgspec.Struct, frozen=True):
    """One server as its catalog describes it.

    Exactly one of `image`, `remote`, `poci`, or `process` decides its kind,
    in that order; an entry with both `image` and `process` runs as a container where an engine is in reach.
    """

    name: str
    origin: Origin
    kind: Literal["server", "remote", "poci"] = "server"
    title: str = ""
    description: str = ""
    icon: str = ""
    readme: str = ""
    image: str = ""
    command: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    user: str = ""
    env: tuple[EnvVar, ...] = ()
    secrets: tuple[SecretUse, ...] = ()
    disable_network: bool = False
    allow_hosts: tuple[str, ...] = ()
    extra_hosts: tuple[str, ...] = ()
    long_lived: bool = False
    prefix: str = ""
    remote: Remote | None = None
    poci: tuple[PociTool, ...] = ()
    process: ProcessForm | None = None
    caps: tuple[str, ...] = ()
    resources: ResourceLimits = ResourceLimits()
    pool: PoolPolicy = PoolPolicy()
    config: tuple[str, ...] = ()
    """JSON Schema-like objects of `config:`, each as JSON text: shown, and used for the defaults of templates."""
    tool_names: tuple[str, ...] = ()
    """Names in the entry's `tools:`, for display before the server was ever listed."""
    oauth_providers: tuple[str, ...] = ()
    metadata: str = "{}"
    """`metadata:` as JSON text, for display."""


class EntryFault(msgspec.Struct, frozen=True):
    """An entry, or a file, that cannot be used. It costs only itself.

    `whole_file`: the file as such could not be read; `name` is then its base name. `enabled`: clients would see the
    entry if it were whole.
    """

    name: str
    origin: Origin
    reason: str
    whole_file: bool = False
    enabled: bool = False

    def __str__(self) -> str:
        """One sentence with the place."""
        return f"{self.name} ({self.origin}): {self.reason}"


class ParsedCatalog(msgspec.Struct, frozen=True, kw_only=True):
    """One catalog file: its usable entries in order, and what is broken in it."""

    name: str
    display_name: str = ""
    entries: tuple[ServerEntry, ...] = ()
    faults: tuple[EntryFault, ...] = ()


class Mount(msgspec.Struct, frozen=True):
    """One volume. `source` is an absolute host path for a bind, else the name of a volume ("" for anonymous)."""

    source: str
    target: str
    read_only: bool = False
    bind: bool = False


class ContainerLaunch(msgspec.Struct, frozen=True, kw_only=True):
    """All that an engine must know to start one server's container. `env` holds secret values: never log it.

    `shared_network`: it has its network together with the server's other containers.
    """

    image: str
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = msgspec.field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    user: str = ""
    disable_network: bool = False
    shared_network: bool = False
    extra_hosts: tuple[str, ...] = ()
    caps: tuple[str, ...] = ()
    memory_bytes: int
    cpus: float
    pids: int


class ProcessLaunch(msgspec.Struct, frozen=True, kw_only=True):
    """A local process: argv, the environment it gets (nothing else is inherited but PATH, HOME, LANG, TMPDIR)."""

    command: tuple[str, ...]
    env: Mapping[str, str] = msgspec.field(default_factory=dict)
    cwd: str | None = None


class RemoteLaunch(msgspec.Struct, frozen=True, kw_only=True):
    """A remote endpoint with its headers filled in. `headers` holds secret values: never log it."""

    url: str
    transport: RemoteTransport
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)


class PociLaunch(msgspec.Struct, frozen=True, kw_only=True):
    """The tools of a `poci` entry with the bounds of their containers; templates are filled at the call.

    `env` holds secret values: never log it. `config` is the server's config value as JSON text.
    """

    tools: tuple[PociTool, ...]
    env: Mapping[str, str] = msgspec.field(default_factory=dict)
    config: str = "{}"
    allowed_mounts: tuple[str, ...] = ()
    """Lines of `mounts:` for this server: guarded paths that the operator lets it bind."""
    disable_network: bool = False
    memory_bytes: int
    cpus: float
    pids: int


Launch = ContainerLaunch | ProcessLaunch | RemoteLaunch | PociLaunch


class Pooling(msgspec.Struct, frozen=True, kw_only=True):
    """A `PoolPolicy` with every default filled in. `long_lived`: a lease lasts as long as its owner's session."""

    isolation: Isolation
    warm: int
    max: int
    idle_s: float
    max_inflight: int
    timeout_s: float
    init_timeout_s: float
    long_lived: bool
    retry: bool = False


class EnabledServer(msgspec.Struct, frozen=True, kw_only=True):
    """A server that clients see.

    `spec_hash` is a keyed hash of the launch and the pooling: equal hashes mean that running containers stay valid.
    `list_key` is a keyed hash of what decides the server's lists (launch without pooling).
    `tools` is the allow-list of upstream tool names, casefolded, None for all.
    `prefix` is set where the entry forces one on its exposed names.
    """

    name: str
    entry: ServerEntry
    launch: Launch
    pooling: Pooling
    spec_hash: str
    list_key: str
    tools: frozenset[str] | None = None

    def allows_tool(self, name: str) -> bool:
        """Whether the operator's tool lists let this upstream tool through."""
        return self.tools is None or name.casefold() in self.tools


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that catalogs, registry, config, tools and secrets say, at one moment.

    `servers`: the enabled ones, by name, in catalog order. `available`: every usable entry. `faults`: what is broken,
    and why. `notes`: sentences for the operator (an entry overridden, a secret source skipped).
    """

    servers: Mapping[str, EnabledServer]
    available: Mapping[str, ServerEntry] = msgspec.field(default_factory=dict)
    faults: tuple[EntryFault, ...] = ()
    notes: tuple[str, ...] = ()
