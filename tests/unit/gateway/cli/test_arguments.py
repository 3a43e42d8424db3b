"""Tool arguments from the command line."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cli.arguments import build_arguments, read_object
from gateway.errors import OptionError

SCHEMA = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "count": {"type": "integer"},
        "ratio": {"type": "number"},
        "loud": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "sizes": {"type": "array", "items": {"type": "integer"}},
        "maybe": {"type": ["null", "integer", "string"]},
        "either": {"anyOf": [{"type": "string"}, {"type": "boolean"}]},
        "shape": {"type": "object"},
        "any": {},
    },
}


@pytest.mark.parametrize(
    ("words", "value"),
    [
        (["text=5"], {"text": "5"}),
        (["text=a=b"], {"text": "a=b"}),
        (["text="], {"text": ""}),
        (["count=5"], {"count": 5}),
        (["count=-5"], {"count": -5}),
        (["count=5.0"], {"count": 5}),
        (["ratio=5"], {"ratio": 5}),
        (["ratio=0.5"], {"ratio": 0.5}),
        (["loud=true"], {"loud": True}),
        (["loud=no"], {"loud": False}),
        (["tags=a"], {"tags": ["a"]}),
        (["tags=a", "tags=b"], {"tags": ["a", "b"]}),
        (['tags=["a","b"]'], {"tags": ["a", "b"]}),
        (["sizes=1", "sizes=2"], {"sizes": [1, 2]}),
        (["maybe=null"], {"maybe": None}),
        (["maybe=3"], {"maybe": 3}),
        (["maybe=three"], {"maybe": "three"}),
        (["either=true"], {"either": True}),
        (["either=truth"], {"either": "truth"}),
        (['shape={"a":1}'], {"shape": {"a": 1}}),
        (["any=5"], {"any": "5"}),
        (["unheard=of"], {"unheard": "of"}),
        (["unheard=1", "unheard=2"], {"unheard": ["1", "2"]}),
        (['{"count": "kept as it is"}'], {"count": "kept as it is"}),
        ([], {}),
    ],
)
def test_values_take_the_type_of_the_schema(words: list[str], value: object) -> None:
    """`key=value` becomes what the tool's schema says; JSON stays as it is."""
    assert build_arguments(words, SCHEMA) == value


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["count=five"], "argument 'count' must be integer, not 'five'"),
        (["count=true"], "argument 'count' must be integer, not 'true'"),
        (["loud=7"], "argument 'loud' must be boolean, not '7'"),
        (["sizes=1", "sizes=x"], "argument 'sizes' must be integer, not 'x'"),
        (["shape=[1]"], "argument 'shape' must be object, not '[1]'"),
        (["lonely"], "argument 'lonely' is not key=value; write it so, or give one JSON object"),
        (["=x"], "argument '=x' is not key=value; write it so, or give one JSON object"),
    ],
)
def test_values_that_do_not_fit_are_named(words: list[str], sentence: str) -> None:
    """A value of the wrong type never reaches the server."""
    with pytest.raises(OptionError) as caught:
        build_arguments(words, SCHEMA)
    assert str(caught.value) == sentence


def test_closed_schema_refuses_unknown_keys() -> None:
    """Where a tool takes no further arguments, a misspelt one is named with the right one."""
    closed = {**SCHEMA, "additionalProperties": False}
    with pytest.raises(OptionError, match=r"no argument 'cuont' \(did you mean count\?\)"):
        build_arguments(["cuont=1"], closed)


@pytest.mark.parametrize("text", ["[1]", "{", "7"])
def test_json_must_be_an_object(text: str) -> None:
    """Arguments are an object, or nothing is called."""
    with pytest.raises(OptionError):
        read_object(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.lists(st.text(max_size=10), max_size=4),
    st.dictionaries(st.text(max_size=8), JSON, max_size=3),
    JSON,
)
def test_no_schema_breaks_the_reading(
    words: list[str], schema: dict[str, Any], properties: dict[str, Any]
) -> None:
    """Schemas come from servers: whatever they hold, arguments are built or refused."""
    words = [*words, "a=1"]
    with suppress(OptionError):
        assert isinstance(build_arguments(words, {**schema, "properties": properties}), dict)
    with suppress(OptionError):
        assert isinstance(build_arguments(["a=1"], {"properties": {"a": properties}}), dict)
