"""The template language, filter by filter, without the warts of its model."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

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

CONFIG = {
    "fs": {
        "paths": ["/a", "/b"],
        "one": "/a",
        "none": [],
        "port": 5432,
        "on": True,
        "off": False,
        "null": None,
        "ratio": 1.5,
        "win": "C:\\Users\\me",
        "deep": {"er": {"est": "x"}},
        "home": "~/docs",
    },
    "io.x.y": {"k": "dotted"},
}
SCOPE = Scope(CONFIG, "/home/me")


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("plain", "plain"),
        ("{{fs.one}}", "/a"),
        ("{{ fs.one }}", "/a"),
        ("x-{{fs.one}}-{{fs.port}}", "x-/a-5432"),
        ("{{fs.port}}", "5432"),
        ("{{fs.on}}", "true"),
        ("{{fs.off}}", "false"),
        ("{{fs.ratio}}", "1.5"),
        ("{{fs.null}}", ""),
        ("{{fs.missing}}", ""),
        ("{{nobody.at.all}}", ""),
        ("{{fs.one.deeper}}", ""),
        ("{{fs.deep.er.est}}", "x"),
        ("{{fs.deep}}", '{"er":{"est":"x"}}'),
        ("{{fs.paths}}", '["/a","/b"]'),
        ("{{io.x.y.k}}", "dotted"),
        ("{{}}", ""),
        ("{one} } {{ {", "{one} } {{ {"),
        ("{{fs.one|unknown}}", "/a"),
        ("{{fs.one|volume}}", "/a:/a"),
        ("{{fs.win|volume}}", "C:\\Users\\me:/C/Users/me"),
        ("{{fs.win|volume-target}}", "/C/Users/me"),
        ("{{fs.home|volume}}", "/home/me/docs:/home/me/docs"),
        ("{{fs.missing|volume}}", ""),
        ("{{fs.paths|first}}", "/a"),
        ("{{fs.paths|last}}", "/b"),
        ("{{fs.none|first}}", ""),
        ("{{fs.none|last}}", ""),
        ("{{fs.one|first}}", "/a"),
        ("{{fs.missing|or:default}}", "default"),
        ("{{fs.missing| or: default }}", "default"),
        ("{{fs.off|or:default}}", "false"),
        ("{{fs.none|or:x}}", "x"),
        ("{{fs.one|or:default}}", "/a"),
        ("{{fs.one|mount_as:/work:ro}}", "/a:/work:ro"),
        ("{{fs.one| mount_as:/work}}", "/a:/work"),
        ("{{fs.paths|mount_as:/work}}", "/a:/work"),
        ("{{fs.missing|mount_as:/work}}", ""),
    ],
)
def test_rendering_to_text(template: str, text: str) -> None:
    """One text comes out."""
    assert render_text(template, SCOPE) == text


@pytest.mark.parametrize(
    ("templates", "items"),
    [
        (["a", "b"], ("a", "b")),
        (["{{fs.paths|into}}"], ("/a", "/b")),
        (["{{fs.paths}}"], ("/a", "/b")),
        (["{{fs.paths|volume|into}}"], ("/a:/a", "/b:/b")),
        (["{{fs.paths|volume-target|into}}", "end"], ("/a", "/b", "end")),
        (["{{fs.one|into}}"], ("/a",)),
        (["{{fs.missing|into}}"], ()),
        (["{{fs.missing|volume|into}}"], ()),
        (["{{fs.missing|or:[]|volume|into}}"], ()),
        (["{{fs.missing|or:[/x, /y]|volume|into}}"], ("/x:/x", "/y:/y")),
        (["{{fs.none|or:[/x]|into}}"], ("/x",)),
        (["--port", "{{fs.port}}"], ("--port", "5432")),
        (["{{fs.on}}"], ("true",)),
        (["x{{fs.paths}}"], ('x["/a","/b"]',)),
        (["{{fs.one}}{{fs.port}}"], ("/a5432",)),
        (["{{fs.missing}}"], ("",)),
    ],
)
def test_rendering_to_a_list(templates: list[str], items: tuple[str, ...]) -> None:
    """List-valued expressions give all their items."""
    assert render_list(templates, SCOPE) == items


def test_variables_expand_in_literal_text_only() -> None:
    """A dollar in a config value, or in an argument of a call, is a dollar."""
    scope = Scope({"x": {"v": "$SECRET"}})
    rendered = render_text(
        "$A-{{x.v}}-${A}", scope, lambda text: expand_variables(text, {"A": "1"})
    )
    assert rendered == "1-$SECRET-1"


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$A", "1"),
        ("${A}", "1"),
        ("$AB", ""),
        ("${AB}x", "x"),
        ("${a.b}", "2"),
        ("$a.b", ".b"),
        ("$", "$"),
        ("5$ ", "5$ "),
        ("$$A", "$A"),
        ("${", "${"),
        ("${}", ""),
        ("$1", "$1"),
    ],
)
def test_variable_expansion(text: str, expanded: str) -> None:
    """Unknown names are empty; what is no variable stays."""
    assert expand_variables(text, {"A": "1", "a.b": "2"}) == expanded


def test_variables_of_names_what_is_looked_up() -> None:
    """Escaped dollars are none."""
    assert variables_of("Bearer ${A} $B $$C") == {"A", "B"}


def test_is_template() -> None:
    """Only a whole expression counts."""
    assert is_template("a{{b}}")
    assert not is_template("{{b")


@given(st.text())
def test_text_without_expressions_is_literal(text: str) -> None:
    """Nothing is lost or changed, stray braces included."""
    if not is_template(text):
        assert render_text(text, SCOPE) == text


@given(
    st.lists(
        st.sampled_from(
            [
                "{{",
                "}}",
                "|",
                "into",
                "or:",
                "[",
                "]",
                "fs.paths",
                ":",
                " ",
                "volume",
                "{",
                "}",
                "\n",
                "first",
                "x",
            ]
        ),
        max_size=12,
    )
)
def test_no_template_raises(parts: list[str]) -> None:
    """Malformed expressions render to something."""
    template = "".join(parts)
    assert isinstance(render_text(template, SCOPE), str)
    assert all(isinstance(item, str) for item in render_list([template], SCOPE))


@given(st.from_regex(r"/[^\n:]*", fullmatch=True))
def test_unix_paths_are_their_own_targets(path: str) -> None:
    """Only drive letters are rewritten."""
    assert volume_target(path) == path


def test_filters_that_double_a_text_come_to_an_end() -> None:
    """Forty of them would make a terabyte of it."""
    doubling = "{{fs.one" + "|volume" * 40 + "}}"
    for render in (lambda: render_text(doubling, SCOPE), lambda: render_list([doubling], SCOPE)):
        with pytest.raises(CatalogError, match="once its values are filled in"):
            render()


def test_values_may_fill_as_much_as_a_program_can_be_given() -> None:
    """And no more, however many they are; what stands in the catalog itself does not count."""
    half = "x" * (limits.MAX_FILLED_IN_CHARS // 2)
    scope = Scope({"v": half})
    literal = "y" * limits.MAX_FILLED_IN_CHARS
    assert render_text(f"{literal}{{{{v}}}}{{{{v}}}}", scope) == literal + 2 * half
    assert expand_variables(f"{literal}$V$V", {"V": half}) == literal + 2 * half
    with pytest.raises(CatalogError):
        render_text("{{v}}{{v}}{{v}}", scope)
    with pytest.raises(CatalogError):
        expand_variables("$V$V$V", {"V": half})
