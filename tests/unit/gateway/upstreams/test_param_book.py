"""The book of mirrored arguments: what is known, what is not, and when that is final."""

from __future__ import annotations

import pytest

from gateway import limits
from gateway.jsonrpc.codec import raw
from gateway.mcp.listing import Page, parse_page
from gateway.upstreams.param_book import ParamHeaderBook
from tests.unit.gateway.upstreams.modern import Tool, tool


def page(*tools: Tool) -> Page:
    """A page of a list."""
    return parse_page("tools", raw({"tools": tools}))


def test_a_tool_is_unknown_until_its_list_was_read() -> None:
    """Then one that is not on it has no headers."""
    book = ParamHeaderBook()
    assert book.find("a") is None
    book.learn(page(tool("a", "region"), tool("b")))
    assert [header.name for header in book.find("a") or ()] == ["Mcp-Param-Region"]
    assert book.find("b") == ()
    assert book.find("c") is None
    book.complete()
    assert book.find("c") == ()
    assert repr(book) == "<ParamHeaderBook of 2 tools, complete>"


def test_a_later_list_counts() -> None:
    """Tools change."""
    book = ParamHeaderBook()
    book.learn(page(tool("a", "region")))
    book.learn(page(tool("a")))
    assert book.find("a") == ()


def test_what_was_forgotten_is_unknown() -> None:
    """However complete it was."""
    book = ParamHeaderBook()
    book.learn(page(tool("a")))
    book.complete()
    book.forget()
    assert book.find("a") is None


def test_ill_made_annotations_ask_for_nothing() -> None:
    """No client shows such a tool; a call of it all the same is for the server to judge."""
    properties = {"x": {"type": "string", "x-mcp-header": "not a token"}}
    odd = {"name": "a", "inputSchema": {"type": "object", "properties": properties}}
    book = ParamHeaderBook()
    book.learn(page(odd))
    assert book.find("a") == ()


def test_the_book_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Page after page of new names does not fill the memory."""
    monkeypatch.setattr(limits, "MAX_LIST_ITEMS", 2)
    book = ParamHeaderBook()
    for name in "abc":
        book.learn(page(tool(name)))
    assert book.find("c") is None
    assert "of 2 tools" in repr(book)
