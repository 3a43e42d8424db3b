r"""The template language of catalogs: `{{a.b|filter:argument}}`, and `$VAR` expansion. Pure text in, text out.

Everything outside of `{{…}}` is literal, stray braces included. An expression digs through nested mappings; what is
missing is empty. Filters, from left to right:

    volume          `v` becomes `v:v`; in the second one `C:\x` becomes `/C/x`; over lists item by item
    volume-target   only that second half
    into            a list: in a list of templates its items take the place of the template
    first, last     an item of a list
    or:DEFAULT      DEFAULT where the value is empty; `[a,b]` is a list
    mount_as:/DST   `v:/DST` of the first item (`:ro` may follow); empty stays empty

Unknown filters change nothing. A single expression keeps its value's type; among other text it becomes text, a list
or mapping as JSON.

Source: docker/mcp-gateway, docs/catalog.md; its defects are not taken over (docs/catalogs.md).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

from gateway import limits
from gateway.errors import CatalogError

_EXPRESSION: Final = re.compile(r"\{\{(.*?)\}\}")
_VARIABLE: Final = re.compile(r"\$(?:(\$)|\{([^{}$]*)\}|([A-Za-z_][A-Za-z0-9_]*))")
_WINDOWS_PATH: Final = re.compile(r"([A-Za-z]):([\\/].*)", re.DOTALL)

Expand = Callable[[str], str]
"""Fills `$VAR` in text that stands literally in a template."""


class Scope(msgspec.Struct, frozen=True):
    """What expressions see: values by their first name (a dotted first name is found whole), and `~`."""

    values: Mapping[str, Any]
    home: str = ""

    def dig(self, path: str) -> Any:
        """The value at a dotted path, "" where there is none."""
        names = path.split(".")
        for length in range(len(names), 0, -1):
            root = ".".join(names[:length])
            if root in self.values:
                return _descend(self.values[root], names[length:])
        return ""


def expand_variables(text: str, variables: Mapping[str, str]) -> str:
    """Replaces `$VAR` and `${VAR}`; unknown ones are empty, `$$` is one dollar, a lone dollar stays.

    Raises:
        CatalogError: the values are too long.
    """
    added = 0

    def value(match: re.Match[str]) -> str:
        nonlocal added
        found = "$" if match[1] else variables.get(match[2] or match[3] or "", "")
        added += len(found)
        _check_length(added)
        return found

    return _VARIABLE.sub(value, text)


def variables_of(text: str) -> frozenset[str]:
    """The names that `expand_variables` would look up."""
    return frozenset(
        match[2] or match[3] or "" for match in _VARIABLE.finditer(text) if not match[1]
    )


def render_text(template: str, scope: Scope, expand: Expand = str) -> str:
    """A template whose place is one text.

    Raises:
        CatalogError: the values are too long.
    """
    parts: list[str] = []
    added = 0
    for literal, expression in _pieces(template):
        parts.append(expand(literal))
        if expression is not None:
            parts.append(_text(_evaluate(expression, scope)))
            added += len(parts[-1])
            _check_length(added)
    return "".join(parts)


def render_list(templates: Iterable[str], scope: Scope, expand: Expand = str) -> tuple[str, ...]:
    """Templates whose place is a list; a template that is one list-valued expression gives all its items.

    Raises:
        CatalogError: the values are too long.
    """
    rendered: list[str] = []
    for template in templates:
        single = _EXPRESSION.fullmatch(template)
        value = _evaluate(single[1], scope) if single and "{{" not in single[1] else None
        if isinstance(value, list):
            rendered.extend(_text(item) for item in value)
        else:
            rendered.append(render_text(template, scope, expand))
    return tuple(rendered)


def is_template(text: str) -> bool:
    """Whether the text holds an expression."""
    return _EXPRESSION.search(text) is not None


def volume_target(path: str) -> str:
    r"""The path that a bind of this host path has inside a container: `C:\x` becomes `/C/x`."""
    if match := _WINDOWS_PATH.fullmatch(path):
        return f"/{match[1]}" + match[2].replace("\\", "/")
    return path


# --- expressions ------------------------------------------------------------------------------------------------


def _pieces(template: str) -> Iterable[tuple[str, str | None]]:
    """The template as pairs of literal text and the expression after it; the last has none."""
    position = 0
    for match in _EXPRESSION.finditer(template):
        yield template[position : match.start()], match[1]
        position = match.end()
    yield template[position:], None


def _evaluate(expression: str, scope: Scope) -> Any:
    path, *filters = expression.split("|")
    value = scope.dig(path.strip())
    for written in filters:
        name, _, argument = written.strip().partition(":")
        apply = _FILTERS.get(name.strip())
        if apply is not None:
            value = apply(value, argument.strip(), scope)
    return value


def _descend(value: Any, names: list[str]) -> Any:
    for name in names:
        if not isinstance(value, Mapping) or name not in value:
            return ""
        value = value[name]
    return "" if value is None else value


def _check_length(chars: int) -> None:
    if chars > limits.MAX_FILLED_IN_CHARS:
        raise CatalogError(
            f"a text has more than {limits.MAX_FILLED_IN_CHARS} characters once its values are filled in"
        )


def _text(value: Any) -> str:
    """A value among text: scalars as YAML writes them, lists and mappings as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _is_empty(value: Any) -> bool:
    return value is None or value in ("", [])


def _home_path(value: Any, scope: Scope) -> str:
    """The value as a path; `~` is the user's home, so that both halves of a bind agree."""
    path = _text(value)
    if scope.home and (path == "~" or path.startswith("~/")):
        return scope.home + path[1:]
    return path


# --- filters: (value, argument, scope) -> value -----------------------------------------------------------------


def _volume(value: Any, _argument: str, scope: Scope) -> Any:
    if isinstance(value, list):
        return [_volume(item, "", scope) for item in value if not _is_empty(item)]
    if _is_empty(value):
        return ""
    path = _home_path(value, scope)
    _check_length(len(path))
    return f"{path}:{volume_target(path)}"


def _volume_target(value: Any, _argument: str, scope: Scope) -> Any:
    if isinstance(value, list):
        return [_volume_target(item, "", scope) for item in value if not _is_empty(item)]
    return volume_target(_home_path(value, scope))


def _into(value: Any, _argument: str, _scope: Scope) -> Any:
    if isinstance(value, list):
        return value
    return [] if _is_empty(value) else [value]


def _first(value: Any, _argument: str, _scope: Scope) -> Any:
    return value if not isinstance(value, list) else value[0] if value else ""


def _last(value: Any, _argument: str, _scope: Scope) -> Any:
    return value if not isinstance(value, list) else value[-1] if value else ""


def _or(value: Any, argument: str, _scope: Scope) -> Any:
    if not _is_empty(value):
        return value
    if argument.startswith("[") and argument.endswith("]"):
        return [item for part in argument[1:-1].split(",") if (item := part.strip())]
    return argument


def _mount_as(value: Any, argument: str, scope: Scope) -> Any:
    path = _home_path(_first(value, "", scope), scope)
    return f"{path}:{argument}" if path else ""


_FILTERS: Final[Mapping[str, Callable[[Any, str, Scope], Any]]] = {
    "volume": _volume,
    "volume-target": _volume_target,
    "into": _into,
    "first": _first,
    "last": _last,
    "or": _or,
    "mount_as": _mount_as,
}
