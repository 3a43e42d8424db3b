"""Who gets which name."""

import pytest

from gateway.mcp.naming import Exposure, NameMode, Offer, expose, first_wins, is_safe, sanitise


def shown(exposure: Exposure) -> dict[str, str]:
    """Exposed name to "server/name"."""
    return {exposed: "/".join(origin) for exposed, origin in exposure.names.items()}


def test_names_that_do_not_collide_stay_bare() -> None:
    """Most do not."""
    exposure = expose([Offer("a", ("x",)), Offer("b", ("y", "z"))], "auto")
    assert shown(exposure) == {"x": "a/x", "y": "b/y", "z": "b/z"}
    assert exposure.notes == ()


def test_all_parties_of_a_collision_are_prefixed() -> None:
    """Otherwise the order of arrival would decide who keeps the name."""
    exposure = expose([Offer("a", ("x", "y")), Offer("b", ("x",)), Offer("c", ("x",))], "auto")
    assert shown(exposure) == {"a__x": "a/x", "y": "a/y", "b__x": "b/x", "c__x": "c/x"}


def test_prefix_mode_prefixes_everything() -> None:
    """Also names that nobody else has."""
    exposure = expose([Offer("a", ("x",)), Offer("b", ("y",))], "prefix")
    assert shown(exposure) == {"a__x": "a/x", "b__y": "b/y"}


def test_in_bare_mode_the_first_server_of_the_catalog_wins() -> None:
    """The operator is told what is hidden."""
    exposure = expose([Offer("a", ("x", "y")), Offer("b", ("x", "z"))], "bare")
    assert shown(exposure) == {"x": "a/x", "y": "a/y", "z": "b/z"}
    assert exposure.notes == ("'x' of server b is hidden by that of a.",)


@pytest.mark.parametrize("mode", ["auto", "prefix", "bare"])
def test_an_entrys_own_prefix_holds_in_every_mode(mode: NameMode) -> None:
    """The operator wrote it down."""
    exposure = expose([Offer("a", ("x",), "pre")], mode)
    assert shown(exposure) == {"pre__x": "a/x"}


def test_two_entries_with_one_prefix_fall_back_to_their_own_names() -> None:
    """Still readable, still all there."""
    exposure = expose([Offer("a", ("x",), "p"), Offer("b", ("x",), "p")], "auto")
    assert shown(exposure) == {"a__x": "a/x", "b__x": "b/x"}


def test_a_name_with_the_prefix_of_another_server_is_never_bare() -> None:
    """Or a server could take the name under which another one's tool is, or will be, known."""
    offers = [Offer("a", ("x",)), Offer("b", ("x",)), Offer("c", ("a__x", "a__new", "p__x"))]
    names = shown(expose([*offers, Offer("d", ("y",), "p")], "auto"))
    assert names == {
        "a__x": "a/x",
        "b__x": "b/x",
        "c__a__x": "c/a__x",
        "c__a__new": "c/a__new",
        "c__p__x": "c/p__x",
        "p__y": "d/y",
    }


def test_a_server_may_have_its_own_prefix_in_its_names() -> None:
    """Many do; and what looks like a prefix is none where no server is called so."""
    names = shown(expose([Offer("a", ("a__x", "q__x")), Offer("a.b", ("a_b__y",))], "auto"))
    assert names == {"a__x": "a/a__x", "q__x": "a/q__x", "a_b__y": "a.b/a_b__y"}


def test_in_bare_mode_only_prefixes_that_are_used_are_kept_free() -> None:
    """There servers' names are in front of nothing."""
    offers = [Offer("a", ("x",)), Offer("b", ("a__y", "p__z")), Offer("c", ("z",), "p")]
    names = shown(expose(offers, "bare"))
    assert names == {"x": "a/x", "a__y": "b/a__y", "b__p__z": "b/p__z", "p__z": "c/z"}


def test_a_sanitised_name_is_as_good_as_a_bare_one() -> None:
    """A server that comes later must not take over the name that another one's tool is known by."""
    names = shown(expose([Offer("s", ("a.b",)), Offer("t", ("a_b",))], "auto"))
    assert names == {"t__a_b": "t/a_b", "s__a_b": "s/a.b"}
    names = shown(expose([Offer("s", ("a.b",)), Offer("t", ("a_b",))], "bare"))
    assert names == {"a_b": "s/a.b"}


def test_within_one_server_the_bare_name_wins() -> None:
    """It is known by that name elsewhere."""
    names = shown(expose([Offer("s", ("a.b", "a_b"))], "auto"))
    assert names == {"a_b": "s/a_b", "s__a_b": "s/a.b"}


def test_nor_by_one_whose_owners_all_had_to_give_it_up() -> None:
    """A client that knew the bare name must not reach a stranger by it."""
    names = shown(
        expose([Offer("s", ("a.b",)), Offer("t", ("a_b",)), Offer("u", ("a_b",))], "auto")
    )
    assert names == {"s__a_b": "s/a.b", "t__a_b": "t/a_b", "u__a_b": "u/a_b"}


def test_names_that_strict_clients_refuse_are_sanitised() -> None:
    """And lead back to the real ones."""
    long = "x" * 100
    names = shown(expose([Offer("s", ("a.b", "c d/ä", long))], "auto"))
    assert names["a_b"] == "s/a.b"
    assert names["c_d__"] == "s/c d/ä"
    assert f"s/{long}" in names.values()
    assert all(is_safe(name) for name in names)


def test_two_names_that_become_one_are_told_apart() -> None:
    """By digits that depend on nothing but the names."""
    names = shown(expose([Offer("s", ("a.b", "a:b"))], "auto"))
    assert sorted(names.values()) == ["s/a.b", "s/a:b"]
    assert all(name.startswith("s__a_b_") for name in names)
    again = shown(expose([Offer("s", ("a:b", "a.b")), Offer("t", ("q",))], "auto"))
    assert names.items() <= again.items()


def test_digits_that_are_taken_become_more() -> None:
    """A server cannot block a name by having it already, not even its own."""
    plain = expose([Offer("s", ("a.b", "a:b"))], "auto").names
    names = expose([Offer("s", ("a.b", "a:b", *plain))], "auto").names
    assert len(names) == 4
    assert all(names[name] == ("s", name) for name in plain)
    thief = Offer("t", tuple(plain))
    assert plain.items() <= expose([Offer("s", ("a.b", "a:b")), thief], "auto").names.items()


def test_a_name_listed_twice_is_shown_once() -> None:
    """And said so."""
    exposure = expose([Offer("s", ("x", "x"))], "auto")
    assert shown(exposure) == {"x": "s/x"}
    assert len(exposure.notes) == 1


def test_uris_are_never_rewritten_and_the_first_server_has_them() -> None:
    """Also where its entry has a prefix."""
    exposure = first_wins([Offer("a", ("n://1",), "p"), Offer("b", ("n://1", "n://2"), "q")])
    assert shown(exposure) == {"n://1": "a/n://1", "n://2": "b/n://2"}
    assert exposure.notes == ("'n://1' of server b is hidden by that of a.",)


@pytest.mark.parametrize(
    ("name", "safe"), [("ok-1_A", "ok-1_A"), ("a.b", "a_b"), ("ü", "_"), ("x" * 64, "x" * 64)]
)
def test_sanitising_changes_as_little_as_it_can(name: str, safe: str) -> None:
    """Safe names not at all."""
    assert sanitise(name) == safe


def test_long_and_empty_names_end_in_digits() -> None:
    """What was cut off must not make two names one."""
    assert sanitise("x" * 65) != sanitise("x" * 66)
    assert len(sanitise("x" * 65)) == 64
    assert is_safe(sanitise(""))
