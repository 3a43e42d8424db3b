"""Exposed names lead back, whatever servers call their tools."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.mcp.naming import NameMode, Offer, expose, first_wins, is_safe, sanitise

# Few different characters, so that names collide in all the ways there are.
_names = (
    st.text("ab_.", max_size=4)
    | st.sampled_from(["a__a", "b__a", "a__b", "a_b", "a.b", "x" * 63, "x" * 64, "x" * 65])
    | st.text()
)
_servers = st.sampled_from(["a", "b", "a_b", "a.b", "p", "s" * 62])
_modes: st.SearchStrategy[NameMode] = st.sampled_from(["auto", "prefix", "bare"])


@st.composite
def offers_of_servers(draw: st.DrawFn) -> list[Offer]:
    """What some servers have, each server once."""
    servers = draw(st.lists(_servers, unique=True, max_size=5))
    prefixes = st.just("") | st.sampled_from(["p", "a", "a.b"])
    return [
        Offer(server, tuple(draw(st.lists(_names, max_size=6))), draw(prefixes))
        for server in servers
    ]


def origins(offers: list[Offer]) -> set[tuple[str, str]]:
    """Every name of every server."""
    return {(offer.server, name) for offer in offers for name in offer.names}


@given(offers_of_servers(), _modes)
def test_no_two_tools_share_a_name_and_every_name_is_safe(
    offers: list[Offer], mode: NameMode
) -> None:
    """The map leads back to exactly one."""
    names = expose(offers, mode).names
    assert len(set(names.values())) == len(names)
    assert set(names.values()) <= origins(offers)
    assert all(is_safe(name) for name in names)


@given(offers_of_servers(), st.sampled_from(["auto", "prefix"]))
def test_every_tool_is_exposed(offers: list[Offer], mode: NameMode) -> None:
    """Nothing is dropped where names can differ."""
    assert set(expose(offers, mode).names.values()) == origins(offers)


@given(offers_of_servers(), st.sampled_from(["auto", "prefix"]), st.randoms())
def test_the_order_of_servers_and_names_decides_nothing(
    offers: list[Offer], mode: NameMode, random: st.DataObject
) -> None:
    """A server that starts late finds its names."""
    shuffled = [
        Offer(offer.server, tuple(random.sample(offer.names, len(offer.names))), offer.prefix)  # type: ignore[attr-defined] -- a Random
        for offer in random.sample(offers, len(offers))  # type: ignore[attr-defined] -- a Random
    ]
    assert expose(shuffled, mode).names == expose(offers, mode).names


def foreign(name: str, server: str, offers: list[Offer], mode: NameMode) -> bool:
    """Whether the name begins with the prefix of other servers only."""
    owners: dict[str, set[str]] = {}
    used = {offer.prefix.replace(".", "_") for offer in offers}
    for offer in offers:
        for prefix in {offer.prefix.replace(".", "_"), offer.server.replace(".", "_")} - {""}:
            if mode != "bare" or prefix in used:
                owners.setdefault(prefix + "__", set()).add(offer.server)
    shown = "".join(
        char if (char.isascii() and char.isalnum()) or char in "-_" else "_" for char in name
    )
    return any(shown.startswith(head) and server not in who for head, who in owners.items())


@given(offers_of_servers(), _modes)
def test_no_name_looks_like_that_of_another_servers_tool(
    offers: list[Offer], mode: NameMode
) -> None:
    """Servers choose their tools' names, operators those of servers: the latter decide."""
    for exposed, (server, _) in expose(offers, mode).names.items():
        assert not foreign(exposed, server, offers, mode)


@given(offers_of_servers())
def test_a_bare_name_leads_to_nobody_but_a_server_that_has_it(offers: list[Offer]) -> None:
    """No prefixed or sanitised name captures it."""
    bare = {
        name
        for offer in offers
        if not offer.prefix
        for name in offer.names
        if not foreign(name, offer.server, offers, "auto")
    }
    for exposed, (_, name) in expose(offers, "auto").names.items():
        assert exposed not in bare or exposed == name


@given(offers_of_servers(), _servers, st.lists(_names, max_size=6))
def test_a_server_that_comes_later_takes_over_no_name(
    offers: list[Offer], server: str, names: list[str]
) -> None:
    """What led to one server's tool leads there, or nowhere; operators' own prefixes are another matter."""
    offers = [Offer(offer.server, offer.names) for offer in offers if offer.server != server]
    before = expose(offers, "auto").names
    after = expose([*offers, Offer(server, tuple(names))], "auto").names
    head = server.replace(".", "_") + "__"
    for exposed, (owner, _) in before.items():
        assert after.get(exposed, (owner, ""))[0] == owner or exposed.startswith(head)


@given(offers_of_servers())
def test_in_bare_mode_each_name_is_exposed_once_by_its_first_server(offers: list[Offer]) -> None:
    """Hidden ones are noted, one sentence each."""
    exposure = expose(offers, "bare")
    first: dict[tuple[str, str], str] = {}
    for offer in offers:
        for name in offer.names:
            first.setdefault((offer.prefix, sanitise(name)), offer.server)
    assert set(exposure.names.values()) == {
        (offer.server, name)
        for offer in offers
        for name in offer.names
        if first[offer.prefix, sanitise(name)] == offer.server
    }
    listed = sum(len(offer.names) for offer in offers)
    assert len(exposure.names) + len(exposure.notes) == listed


@given(offers_of_servers())
def test_uris_are_exposed_as_they_are(offers: list[Offer]) -> None:
    """Once each."""
    names = first_wins(offers).names
    assert set(names) == {name for offer in offers for name in offer.names}
    assert all(exposed == name for exposed, (_, name) in names.items())


@given(st.text())
def test_sanitised_names_are_safe_and_stay_so(name: str) -> None:
    """Doing it twice changes nothing."""
    assert is_safe(sanitise(name))
    assert sanitise(sanitise(name)) == sanitise(name)
