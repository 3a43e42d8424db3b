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


@given(offers_of_servers(), st.sampled_from(["auto", "bare"]))
def test_a_bare_name_leads_to_nobody_but_a_server_that_has_it(
    offers: list[Offer], mode: NameMode
) -> None:
    """No prefixed or sanitised name captures it."""
    bare = {name for offer in offers if not offer.prefix for name in offer.names}
    for exposed, (_, name) in expose(offers, mode).names.items():
        assert exposed not in bare or exposed == name


@given(offers_of_servers())
def test_in_bare_mode_each_name_is_exposed_once_by_its_first_server(offers: list[Offer]) -> None:
    """Hidden ones are noted, one sentence each."""
    exposure = expose(offers, "bare")
    first: dict[tuple[str, str], str] = {}
    for offer in offers:
        for name in offer.names:
            first.setdefault((offer.prefix, name), offer.server)
    assert set(exposure.names.values()) == {(server, name) for (_, name), server in first.items()}
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
