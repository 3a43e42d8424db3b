"""The lists of all servers as one, and where each name in it leads."""

import json
from typing import Any

import msgspec
import pytest

from gateway import routing
from gateway.errors import InvalidParams, UnknownTarget
from gateway.limits import MAX_INSTRUCTIONS_CHARS
from gateway.mcp.listing import Item, Kind, ServerLists
from gateway.mcp.naming import NameMode
from gateway.ports import Route
from gateway.routing import Directory, Offering, build_directory

Raw = msgspec.Raw


def item(key_field: str, key: str, **others: object) -> Item:
    """An item of a list."""
    members = {key_field: key, **others}
    return Item(key, {name: Raw(msgspec.json.encode(value)) for name, value in members.items()})


def offering(
    server: str,
    *,
    tools: tuple[Item, ...] = (),
    prompts: tuple[Item, ...] = (),
    resources: tuple[str, ...] = (),
    templates: tuple[str, ...] = (),
    instructions: str = "",
    capabilities: tuple[str, ...] = (),
    prefix: str = "",
    allowed_tools: frozenset[str] | None = None,
) -> Offering:
    """One server's share."""
    lists = ServerLists(
        version="2025-11-25",
        capabilities={name: Raw(b"{}") for name in capabilities},
        server_info=Raw(b"{}"),
        instructions=instructions,
        tools=tools,
        prompts=prompts,
        resources=tuple(item("uri", uri, name="r") for uri in resources),
        templates=tuple(item("uriTemplate", uri, name="r") for uri in templates),
    )
    return Offering(server=server, lists=lists, prefix=prefix, allowed_tools=allowed_tools)


def tool(name: str, **others: object) -> Item:
    """A tool, or a prompt."""
    return item("name", name, **others)


def directory(*servers: Offering, names: NameMode = "auto") -> Directory:
    """What clients see of these servers."""
    return build_directory(servers, names=names)


def page(of: Directory, kind: Kind, cursor: str | None = None) -> dict[str, Any]:
    """A list result, decoded."""
    result: dict[str, Any] = json.loads(bytes(of.page(kind, cursor)))
    return result


def test_tools_of_all_servers_are_one_list() -> None:
    """Servers in catalog order, each one's tools by name."""
    merged = directory(
        offering("b", tools=(tool("y"), tool("x"))), offering("a", tools=(tool("z"),))
    )
    assert [shown["name"] for shown in page(merged, "tools")["tools"]] == ["x", "y", "z"]
    assert merged.tool("z") == Route("a", "z")
    assert repr(merged) == "<Directory of 3 tools, 0 prompts, 0 resources, 0 templates>"


def test_a_renamed_tool_keeps_all_else_in_its_place() -> None:
    """Only the text of its name changes."""
    fields = {"title": Raw(b'"T"'), "name": Raw(b'"x.y"'), "zz": Raw(b"1.10")}
    merged = directory(offering("a", tools=(Item("x.y", fields),)))
    assert [bytes(shown) for shown in merged.items("tools")] == [
        b'{"title":"T","name":"x_y","zz":1.10}'
    ]
    assert merged.tool("x_y") == Route("a", "x.y")


def test_prompts_are_named_like_tools_but_apart_from_them() -> None:
    """A tool and a prompt of one name do not collide."""
    merged = directory(
        offering("a", tools=(tool("x"),), prompts=(tool("p"),)),
        offering("b", prompts=(tool("x"), tool("p"))),
    )
    assert merged.tool("x") == Route("a", "x")
    assert merged.prompt("x") == Route("b", "x")
    assert merged.prompt("b__p") == Route("b", "p")


def test_the_allow_list_is_about_names_on_the_server() -> None:
    """Whatever clients see them as; and it says nothing of prompts."""
    merged = directory(
        offering(
            "a",
            tools=(tool("x"), tool("y")),
            prompts=(tool("y"),),
            prefix="p",
            allowed_tools=frozenset({"x", "p__y"}),
        )
    )
    assert [shown["name"] for shown in page(merged, "tools")["tools"]] == ["p__x"]
    assert merged.prompt("p__y") == Route("a", "y")


def test_a_tool_that_is_not_allowed_does_not_collide() -> None:
    """Clients never see it, so nobody has to step aside for it."""
    merged = directory(
        offering("a", tools=(tool("x"),)),
        offering("b", tools=(tool("x"),), allowed_tools=frozenset()),
    )
    assert merged.tool("x") == Route("a", "x")


def test_of_a_tool_listed_twice_the_first_is_shown() -> None:
    """And the operator is told."""
    merged = directory(offering("a", tools=(tool("x", n=1), tool("x", n=2))))
    assert page(merged, "tools")["tools"] == [{"name": "x", "n": 1}]
    assert len(merged.notes) == 1


def test_a_resource_is_found_by_its_uri() -> None:
    """Of two servers with the same one the first is asked, and the operator told."""
    merged = directory(offering("a", resources=("n://1",)), offering("b", resources=("n://1", "n://2")))  # fmt: skip
    assert merged.resource("n://1") == Route("a", "n://1")
    assert merged.resource("n://2") == Route("b", "n://2")
    assert merged.notes == ("'n://1' of server b is hidden by that of a.",)


def test_a_resource_that_nobody_lists_is_found_by_the_most_specific_template() -> None:
    """And only if nobody lists it."""
    merged = directory(
        offering("a", templates=("n://{+any}",)),
        offering("b", templates=("n://b/{id}",), resources=("n://q",)),
    )
    assert merged.resource("n://x/y") == Route("a", "n://x/y")
    assert merged.resource("n://b/1") == Route("b", "n://b/1")
    assert merged.resource("n://q") == Route("b", "n://q")


def test_a_resource_that_nobody_has_is_minus_32002_with_its_uri() -> None:
    """As the protocol wants it."""
    with pytest.raises(UnknownTarget) as caught:
        directory(offering("a", templates=("n://{id}",))).resource("m://1")
    assert (caught.value.code, caught.value.data) == (-32002, {"uri": "m://1"})


def test_a_template_is_found_by_its_text_or_a_resources_uri() -> None:
    """Completions name either."""
    merged = directory(offering("a", templates=("n://{id}",), resources=("m://1",)))
    assert merged.template("n://{id}") == Route("a", "n://{id}")
    assert merged.template("m://1") == Route("a", "m://1")
    with pytest.raises(UnknownTarget) as caught:
        merged.template("n://1")
    assert caught.value.code == -32602


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("roll_dise", "'roll_dise'; did you mean 'roll_dice'?"),
        ("zzz", "'zzz'."),
        ("x" * 5000, f"'{'x' * 100}…'."),
    ],
)
def test_an_unknown_tool_is_named_with_the_closest_one(name: str, said: str) -> None:
    """-32602, and a hand for the model that mistyped."""
    merged = directory(offering("a", tools=(tool("roll_dice"), tool("other"))))
    with pytest.raises(UnknownTarget) as caught:
        merged.tool(name)
    assert caught.value.code == -32602
    assert str(caught.value) == f"No tool is named {said}"


def test_a_bare_name_that_was_prefixed_suggests_all_who_have_it() -> None:
    """The model knew it from before the second server came."""
    merged = directory(offering("a", tools=(tool("go"),)), offering("b", tools=(tool("go"),)))
    with pytest.raises(UnknownTarget, match="did you mean 'a__go' or 'b__go'"):
        merged.tool("go")


def test_an_unknown_prompt_is_named_as_one() -> None:
    """Not as a tool."""
    with pytest.raises(UnknownTarget, match="No prompt is named 'x'"):
        directory(offering("a", tools=(tool("x"),))).prompt("x")


def test_the_fingerprint_changes_with_what_clients_see_and_with_nothing_else() -> None:
    """Clients hear of real changes only."""
    one = directory(offering("a", tools=(tool("x"), tool("y")), instructions="A"))
    same = directory(offering("a", tools=(tool("y"), tool("x")), instructions="B"))
    schema = directory(offering("a", tools=(tool("x"), tool("y", description="new"))))
    fewer = directory(offering("a", tools=(tool("x"),)))
    assert one.fingerprint("tools") == same.fingerprint("tools")
    assert len({d.fingerprint("tools") for d in (one, schema, fewer)}) == 3
    assert one.fingerprint("prompts") == fewer.fingerprint("prompts")


def test_a_long_list_comes_in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every item once, the last page without a cursor."""
    monkeypatch.setattr(routing, "LIST_PAGE_ITEMS", 2)
    merged = directory(offering("a", tools=tuple(tool(name) for name in "abcde")))
    seen, cursor = [], None
    for _ in range(3):
        result = page(merged, "tools", cursor)
        seen += [shown["name"] for shown in result["tools"]]
        cursor = result.get("nextCursor")
    assert "".join(seen) == "abcde"
    assert cursor is None


def test_a_cursor_is_refused_once_the_list_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client lists again instead of missing something."""
    monkeypatch.setattr(routing, "LIST_PAGE_ITEMS", 1)
    cursor = page(directory(offering("a", tools=(tool("x"), tool("y")))), "tools")["nextCursor"]
    changed = directory(offering("a", tools=(tool("x"), tool("z"))))
    with pytest.raises(InvalidParams, match="has changed"):
        changed.page("tools", cursor)


def test_a_list_of_no_servers_is_empty_not_missing() -> None:
    """An error would end some clients."""
    assert page(directory(), "templates") == {"resourceTemplates": []}
    assert directory().instructions() == ""


def test_instructions_stand_under_their_servers_names() -> None:
    """Servers without any have no heading."""
    merged = directory(
        offering("a", instructions=" Do.\n"), offering("b"), offering("c", instructions="Don't.")
    )
    assert merged.instructions() == "# a\n\nDo.\n\n# c\n\nDon't."


def test_instructions_are_cut_at_the_limit() -> None:
    """They all go into a model's context."""
    text = directory(offering("a", instructions="x" * 100_000)).instructions()
    assert len(text) == MAX_INSTRUCTIONS_CHARS
    assert text.endswith("x…")


def test_capabilities_follow_the_servers() -> None:
    """As the table of capabilities says."""
    assert "completions" not in directory(offering("a")).capabilities()
    assert "completions" in directory(offering("a", capabilities=("completions",))).capabilities()


def test_schemas_are_simple_only_where_that_was_asked_for() -> None:
    """Otherwise they are shown byte for byte."""
    schema = '{"type": "object", "$defs": {"a": {}}, "properties": {"x": {"$ref": "#/$defs/a"}}}'
    fields = {"name": Raw(b'"t"'), "inputSchema": Raw(schema.encode())}
    servers = [offering("one", tools=(Item("t", fields),))]
    as_it_is = build_directory(servers, names="auto").items("tools")
    simple = build_directory(servers, names="auto", schema_compat=True).items("tools")
    assert schema.encode() in bytes(as_it_is[0])
    assert json.loads(bytes(simple[0]))["inputSchema"] == {
        "type": "object",
        "properties": {"x": {}},
    }
