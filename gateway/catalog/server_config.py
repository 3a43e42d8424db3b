"""The config of one server: its part of config.yaml over the defaults of its entry's schema. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from gateway.catalog.model import ServerEntry


def canonical(name: str) -> str:
    """A server's name as config.yaml and templates spell it: dots are underscores."""
    return name.replace(".", "_")


def config_with_defaults(entry: ServerEntry, config: Mapping[str, Any]) -> dict[str, Any]:
    """The server's config over the defaults that the entry's config schema names."""
    merged: dict[str, Any] = {}
    for schema in entry.config:
        merged = overlay(merged, _defaults(msgspec.json.decode(schema)) or {})
    return overlay(merged, config)


def overlay(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Both mappings in one; `above` wins, mappings are merged."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        both = isinstance(under, Mapping) and isinstance(value, Mapping)
        merged[key] = overlay(under, value) if both else value  # type: ignore[arg-type]  # `both` says so
    return merged


def missing_values(entry: ServerEntry, config: Mapping[str, Any]) -> tuple[str, ...]:
    """The keys that the entry's config schema requires and nobody gave, as `server.key`."""
    return tuple(
        f"{canonical(entry.name)}.{key}"
        for schema in entry.config
        for key in _strings(msgspec.json.decode(schema).get("required"))
        if config.get(key) in (None, "", [])
    )


def _strings(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _defaults(schema: Any) -> Any:
    """The default of a schema, or the defaults of its properties; None where there are none."""
    if not isinstance(schema, dict):
        return None
    if schema.get("default") is not None:
        return schema["default"]
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return None
    found = {name: _defaults(part) for name, part in properties.items()}
    return {name: value for name, value in found.items() if value is not None} or None


def schema_names(entry: ServerEntry) -> Iterable[str]:
    """The names that the entry's config schemas give themselves: an entry may have been renamed by its user."""
    for schema in entry.config:
        name = msgspec.json.decode(schema).get("name")
        if isinstance(name, str) and name:
            yield canonical(name)
