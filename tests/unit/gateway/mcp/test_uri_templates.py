"""Which URIs may come from which templates."""

import time

import pytest

from gateway.limits import MAX_TEMPLATE_URI_CHARS
from gateway.mcp.uri_templates import parse_template


@pytest.mark.parametrize(
    ("template", "uri"),
    [
        ("a:1", "a:1"),
        ("note://{id}", "note://7"),
        ("note://{id}", "note://a%20b?c#d"),
        ("note://{id}/x", "note://7/x"),
        ("db://{table}/{row}", "db://t/1"),
        ("a:{x}-{y}", "a:1-2-3"),
        ("a:{x}{y}", "a:12"),
        ("file:///{+path}", "file:///a/b/c.txt"),
        ("file://{+path}/x/{y}", "file:///a/x/b/x/c"),
        ("s://q{?a,b*}", "s://q"),
        ("s://q{?a,b*}", "s://q?a=1&b=2"),
        ("s://q?x=1{&y}", "s://q?x=1&y=2"),
        ("s://q{#frag}", "s://q#top"),
        ("s://q{/path*}", "s://q/a/b"),
        ("s://q{/path*}{?x}", "s://q/a/b?x=1"),
        ("s://q{.ext}", "s://q.tar.gz"),
        ("s://q{;p}", "s://q;p=1"),
        ("x:{", "x:{"),
        ("x:}{y}", "x:}1"),
        ("{+all}", "any:thing/at?all"),
    ],
)
def test_a_uri_that_may_come_from_the_template_matches(template: str, uri: str) -> None:
    """All operators of the standard."""
    assert parse_template(template).matches(uri)


@pytest.mark.parametrize(
    ("template", "uri"),
    [
        ("a:1", "a:12"),
        ("a:1", "a:"),
        ("note://{id}", "note://"),
        ("note://{id}", "note://a/b"),
        ("note://{id}/x", "note://7/y"),
        ("note://{id}", "xnote://7"),
        ("a:{x}-{y}", "a:1"),
        ("a:{x}{y}", "a:1"),
        ("file:///{+path}", "file:///"),
        ("x{+path}y", "aby"),
        ("s://q{?a}", "s://qa=1"),
        ("", "a"),
    ],
)
def test_any_other_does_not(template: str, uri: str) -> None:
    """A variable is never empty, and stays within its segment."""
    assert not parse_template(template).matches(uri)


def test_the_literal_part_tells_how_specific_a_template_is() -> None:
    """The most specific one gets the URI."""
    general, special = parse_template("a://{x}"), parse_template("a://b/{x}")
    assert special.literal_chars > general.literal_chars


def test_a_hostile_template_costs_no_more_than_its_length() -> None:
    """The same as a regular expression would run for years."""
    template = parse_template("a:" + "{x}-" * 200)
    assert not template.matches("a:" + "-" * 400 + "/")


def test_an_endless_uri_is_not_looked_at() -> None:
    """Nobody reads it anyway."""
    template = parse_template("a:{+x}")
    assert template.matches("a:" + "x" * (MAX_TEMPLATE_URI_CHARS - 2))
    assert not template.matches("a:" + "x" * MAX_TEMPLATE_URI_CHARS)


def test_hostile_templates_cost_little() -> None:
    """Strangers' templates on the longest of URIs: matching must not hold up everybody."""
    uri = "x:" + "a/!" * 2700
    hostile = [parse_template("{+a}{b}!" * 20 + f"{{c}}{number}") for number in range(50)]
    began = time.perf_counter()
    assert not any(template.matches(uri) for template in hostile)
    assert time.perf_counter() - began < 1


def test_a_template_of_too_many_parts_matches_nothing() -> None:
    """No server needs such a one."""
    assert parse_template("{a}/" * 32).matches("a/" * 32)
    assert not parse_template("{a}/" * 33).matches("a/" * 33)
