"""Fills an entry with config and secrets: entry in, launch out. Pure; all it needs is handed in.

A server gets the secrets it declares and nothing else. What templates see is its own part of config.yaml, over the
defaults of the entry's config schema.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any

import msgspec

from gateway.catalog.launch_checks import (
    WEBSOCKET_SCHEMES,
    check_remote,
    check_shared_network,
    checked_user,
)
from gateway.catalog.model import (
    ContainerLaunch,
    Launch,
    Origin,
    PociLaunch,
    PociTool,
    ProcessForm,
    ProcessLaunch,
    Remote,
    RemoteLaunch,
    SecretUse,
    ServerEntry,
)
from gateway.catalog.mounts import MountRules, parse_mounts
from gateway.catalog.server_config import (
    canonical,
    config_with_defaults,
    missing_values,
    schema_names,
)
from gateway.catalog.template import (
    Scope,
    expand_variables,
    is_template,
    render_list,
    render_text,
    variables_of,
)
from gateway.errors import CatalogError

SecretLookup = Callable[[SecretUse, Origin], str | None]
"""The value of a secret for an entry of that origin, None where no source has one."""


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for every entry of one run.

    `engine_in_reach`: None where nobody has looked. `local_fallback`: whether an entry with both forms may then run
    as a process. `home` is the user's home for `~`; `resolve` follows symbolic links of the engine's host.
    """

    secret: SecretLookup
    memory_bytes: int
    cpus: float
    pids: int
    home: str = ""
    resolve: Callable[[str], str] = posixpath.normpath
    engine_in_reach: bool | None = None
    local_fallback: bool = False


class Prepared(msgspec.Struct, frozen=True):
    """A launch, and what its operator should know about it."""

    launch: Launch
    notes: tuple[str, ...] = ()


def prepare(
    entry: ServerEntry,
    config: Mapping[str, Any],
    around: Surroundings,
    allowed_mounts: tuple[str, ...] = (),
) -> Prepared:
    """The launch of an entry.

    Args:
        entry: what the catalog says.
        config: the server's part of config.yaml.
        around: what holds for every entry.
        allowed_mounts: the server's lines of `mounts:` in config.yaml.

    Raises:
        CatalogError: the entry cannot be launched as things are; says what to do.
    """
    preparation = _Preparation(entry, config, around, allowed_mounts)
    launch = preparation.launch()
    return Prepared(launch, tuple(preparation.notes))


def prepare_tool(
    launch: PociLaunch,
    tool: PociTool,
    arguments: Mapping[str, Any],
    *,
    server: str,
    home: str = "",
    resolve: Callable[[str], str] = posixpath.normpath,
) -> ContainerLaunch:
    """The container of one call of a `poci` tool; its templates see the call's arguments.

    Raises:
        CatalogError: a volume is malformed or may not be bound, or the user is no user.
    """
    scope = Scope(arguments, home)
    rules = MountRules(server=server, allowed=launch.allowed_mounts, home=home, resolve=resolve)
    env = launch.env
    return ContainerLaunch(
        image=tool.image,
        command=render_list(tool.command, scope, lambda text: expand_variables(text, env)),
        env=env,
        mounts=parse_mounts(render_list(tool.volumes, scope), rules),
        user=checked_user(render_text(tool.user, scope)),
        disable_network=launch.disable_network,
        memory_bytes=launch.memory_bytes,
        cpus=launch.cpus,
        pids=launch.pids,
    )


class _Preparation:
    """One entry on its way to a launch; collects notes."""

    def __init__(
        self,
        entry: ServerEntry,
        config: Mapping[str, Any],
        around: Surroundings,
        allowed_mounts: tuple[str, ...],
    ) -> None:
        self._entry = entry
        self._around = around
        self._allowed_mounts = allowed_mounts
        self._config = config_with_defaults(entry, config)
        names = (entry.name, canonical(entry.name), *schema_names(entry))
        self._scope = Scope(dict.fromkeys(names, self._config), around.home)
        # Sentences for the operator.
        self.notes: list[str] = [
            f"{entry.name}: a value is missing: run `mcpgw config set {name}=VALUE`"
            for name in missing_values(entry, self._config)
        ]

    def launch(self) -> Launch:
        """Decides the kind and fills it."""
        entry = self._entry
        check_shared_network(entry)
        process = self._usable_process()
        if process is not None and not entry.image and not entry.remote and not entry.poci:
            return self._process(process)
        if entry.image:
            absent = self._around.engine_in_reach is False and self._around.local_fallback
            return self._process(process) if process and absent else self._container()
        if entry.remote:
            return self._remote(entry.remote)
        if entry.poci:
            return self._poci()
        raise CatalogError(
            "runs as a local process, which only files in the home or named on the command line may ask for"
        )

    def _usable_process(self) -> ProcessForm | None:
        """The process form, if the entry's origin may have one."""
        entry = self._entry
        if entry.process and not entry.origin.trusted and entry.image:
            self.notes.append(
                f"{entry.name}: `process` is ignored, {entry.origin.source} is not a local file"
            )
        return entry.process if entry.origin.trusted else None

    def _container(self) -> ContainerLaunch:
        entry, bounds = self._entry, self._entry.resources
        env = self._environment()
        rules = MountRules(
            server=entry.name,
            allowed=self._allowed_mounts,
            home=self._around.home,
            resolve=self._around.resolve,
        )
        return ContainerLaunch(
            image=entry.image,
            command=render_list(entry.command, self._scope, _expander(env)),
            env=env,
            mounts=parse_mounts(render_list(entry.volumes, self._scope, _expander(env)), rules),
            user=checked_user(render_text(entry.user, self._scope, _expander(env))),
            disable_network=entry.disable_network,
            shared_network=entry.pool.shared_network,
            extra_hosts=entry.extra_hosts,
            caps=entry.caps,
            memory_bytes=bounds.memory_bytes or self._around.memory_bytes,
            cpus=bounds.cpus or self._around.cpus,
            pids=bounds.pids or self._around.pids,
        )

    def _process(self, form: ProcessForm) -> ProcessLaunch:
        env = self._environment()
        for name, value in form.env.items():
            if filled := self._value(value, env):
                env[name] = filled
        folder = PurePath(self._entry.origin.source).parent
        program, *rest = render_list(form.command, self._scope, _expander(env)) or ("",)
        if not program:
            raise CatalogError(
                "`process.command` names no program once its templates are filled in"
            )
        if "/" in program:
            program = str(folder / program)
        cwd = folder / render_text(form.cwd, self._scope) if form.cwd else folder
        return ProcessLaunch(command=(program, *rest), env=env, cwd=str(cwd))

    def _remote(self, remote: Remote) -> RemoteLaunch:
        known = self._environment()
        headers: dict[str, str] = {}
        for name, template in remote.headers.items():
            missing = sorted(name for name in variables_of(template) if not known.get(name))
            if missing:
                self.notes.append(
                    f"{self._entry.name}: the header {name} is left out, {', '.join(missing)} is not set"
                )
                continue
            headers[name] = render_text(template, self._scope, _expander(known))
        url = render_text(remote.url, self._scope, _expander(known)).strip()
        # A WebSocket's address says what it is; there is nothing else to speak there.
        transport = "websocket" if url.startswith(WEBSOCKET_SCHEMES) else remote.transport
        check_remote(url, transport, headers)
        return RemoteLaunch(url=url, transport=transport, headers=headers)

    def _poci(self) -> PociLaunch:
        entry, bounds = self._entry, self._entry.resources
        return PociLaunch(
            tools=entry.poci,
            env=self._environment(),
            config=msgspec.json.encode(self._config).decode(),
            allowed_mounts=self._allowed_mounts,
            disable_network=entry.disable_network,
            memory_bytes=bounds.memory_bytes or self._around.memory_bytes,
            cpus=bounds.cpus or self._around.cpus,
            pids=bounds.pids or self._around.pids,
        )

    def _environment(self) -> dict[str, str]:
        """The declared secrets that have a value, then `env`, whose values may refer to what came before."""
        env: dict[str, str] = {}
        for use in self._entry.secrets:
            value = self._around.secret(use, self._entry.origin)
            if value:
                env[use.env] = value
            else:
                self._missing(use)
        for variable in self._entry.env:
            if value := self._value(variable.value, env):
                env[variable.name] = value
        return env

    def _missing(self, use: SecretUse) -> None:
        sentence = f"the secret {use.name} is not set: run `mcpgw secret set {use.name}`"
        if use.required:
            raise CatalogError(sentence)
        self.notes.append(f"{self._entry.name}: {sentence}")

    def _value(self, template: str, known: Mapping[str, str]) -> str:
        """An environment value: a template, or text with `$VAR`; never both (as Docker's gateway reads it)."""
        if is_template(template):
            return render_text(template, self._scope)
        return expand_variables(template, known)


def _expander(env: Mapping[str, str]) -> Callable[[str], str]:
    return lambda text: expand_variables(text, env)
