"""Templates of catalogs: literal text stays, values are put in as they are, and nothing is read twice."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from gateway import limits
from gateway.catalog.template import (
    Scope,
    expand_variables,
    is_template,
    render_list,
    render_text,
    variables_of,
    volume_target,
)
from gateway.errors import CatalogError

_CUNNING: Final = "{{b}}$SECRET${SECRET}|or:x"
_VALUES: Final[dict[str, Any]] = {
    "a": _CUNNING,
    "b": {"c": ["x", 1, None, {"d": True}], "p": "C:\\x", "e": "", "n": None, "f": 1.5},
    "l": ["~/q", "", "/r:ro"],
    "x.y": {"z": 7},
}
_SCOPE: Final = Scope(_VALUES, "/home/u")


def check(data: bytes) -> None:
    """Renders it as text and as a list, and expands it; where values would grow without end, that is said."""
    with suppress(CatalogError):
        _check(data.decode(errors="replace"))


def _check(template: str) -> None:
    _check_variables(template)
    seen: list[str] = []

    def expand(literal: str) -> str:
        seen.append(literal)
        return literal

    text = render_text(template, _SCOPE, expand)
    # Only what stood in the template is expanded, never what a value brought.
    assert all(part in template for part in seen)
    assert sum(map(len, seen)) <= len(template)
    assert len(text) <= len(template) + limits.MAX_FILLED_IN_CHARS
    if not is_template(template):
        assert text == template
    items = render_list([template], _SCOPE)
    assert all(isinstance(item, str) for item in items)
    if len(items) == 1 and not is_template(template):
        assert items == (template,)
    assert (
        render_text("<{{a}}>" + template, _SCOPE) == f"<{_CUNNING}>{render_text(template, _SCOPE)}"
    )
    assert volume_target(volume_target(template)) == volume_target(template)


def _check_variables(text: str) -> None:
    names = variables_of(text)
    marked = expand_variables(text, dict.fromkeys(names, "$$"))
    if "$" not in text:
        assert (names, marked) == (frozenset(), text)
    # What is not named is not looked up.
    assert expand_variables(text, {"not named": "x"}) == expand_variables(text, {}) or (
        "not named" in names
    )
    for name in names:
        assert expand_variables(f"${{{name}}}", {name: "v"}) == "v"
