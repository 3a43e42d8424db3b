"""Host and Origin rules: what passes, what does not, and that every refusal names its flag."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.auth.origin import NetworkRules, network_rules
from gateway.errors import Forbidden, OptionError

LOOPBACK = network_rules(hosts=("127.0.0.1", "::1"))
PUBLIC = network_rules(hosts=("0.0.0.0", "::"))
LOCAL_HOSTS = [
    None,
    "localhost",
    "localhost:8811",
    "LocalHost:1",
    "localhost.",
    "127.0.0.1",
    "127.0.0.1:8811",
    "[::1]",
    "[::1]:8811",
]
STRANGERS = [
    "evil.example.com",
    "evil.example.com:8811",
    "localhost.evil.example.com",
    "127.0.0.1.evil.example.com",
    "2130706433",
    "0x7f.1",
]
NONSENSE = [
    "[::1].evil.example.com",
    "[::1]x:80",
    "",
    ":8811",
    "localhost:port",
    "a@localhost",
    "localhost/evil",
    "[::1",
    "local\thost",
    "?",
]


@pytest.mark.parametrize("rules", [LOOPBACK, PUBLIC])
@pytest.mark.parametrize("host", LOCAL_HOSTS)
def test_names_of_this_machine_pass(rules: NetworkRules, host: str | None) -> None:
    """With any port, for ports are mapped."""
    rules.check_host(host)


@pytest.mark.parametrize("rules", [LOOPBACK, PUBLIC])
@pytest.mark.parametrize("host", [*STRANGERS, *NONSENSE])
def test_other_names_are_refused(rules: NetworkRules, host: str) -> None:
    """A rebound name arrives as Host; so does what only looks like an address."""
    with pytest.raises(Forbidden):
        rules.check_host(host)


@pytest.mark.parametrize("host", ["192.168.1.5:8811", "[fd00::5]:8811", "10.0.0.1"])
def test_addresses_pass_only_where_the_bind_is_public(host: str) -> None:
    """An IP literal cannot be rebound, but means nothing to a listener on loopback."""
    PUBLIC.check_host(host)
    with pytest.raises(Forbidden):
        LOOPBACK.check_host(host)


def test_a_refused_host_names_the_flag_without_the_port() -> None:
    """The sentence can be pasted."""
    with pytest.raises(Forbidden, match=r"--allow-host gateway\.example$"):
        PUBLIC.check_host("gateway.example:8811")


@pytest.mark.parametrize(
    "allowed", ["gateway.example", "Gateway.Example", "gateway.example:8811", "*"]
)
def test_allowed_hosts_pass(allowed: str) -> None:
    """With or without port, in any case, or all of them."""
    rules = network_rules(hosts=("127.0.0.1",), allow_hosts=(allowed,))
    rules.check_host("gateway.example:8811")


def test_an_allowed_port_allows_that_port_only() -> None:
    """Who names a port means it."""
    rules = network_rules(hosts=("0.0.0.0",), allow_hosts=("gateway.example:8811",))
    with pytest.raises(Forbidden):
        rules.check_host("gateway.example:9999")


def test_the_name_that_was_bound_is_allowed() -> None:
    """`--host gateway.lan` needs no second flag."""
    network_rules(hosts=("gateway.lan",)).check_host("gateway.lan:8811")


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "http://localhost",
        "http://localhost:6274",
        "https://127.0.0.1:3000",
        "http://[::1]:3000",
    ],
)
def test_pages_of_this_machine_pass(origin: str | None) -> None:
    """Inspectors run on localhost; programs send no Origin."""
    LOOPBACK.check_origin(origin)


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "http://evil.example.com",
        "http://localhost.evil.example.com",
        "http://localhost@evil.example.com",
        "file://localhost",
        "chrome-extension://abcdef",
        "http://localhost:x",
        "http://localhost/path",
        "http://[::1].evil.example.com",
        "http://[::1",
        "localhost",
    ],
)
def test_other_pages_are_refused(origin: str) -> None:
    """Also the opaque origin, which any sandboxed frame has."""
    with pytest.raises(Forbidden, match="--allow-origin"):
        LOOPBACK.check_origin(origin)
    assert not LOOPBACK.shares_with(origin)


def test_an_allowed_origin_passes_exactly() -> None:
    """Scheme and port count; a closing slash in the flag does not."""
    rules = network_rules(hosts=("127.0.0.1",), allow_origins=("https://App.example/",))
    rules.check_origin("https://app.example")
    assert rules.shares_with("https://app.example")
    for origin in ("http://app.example", "https://app.example:8443", "https://x.app.example"):
        with pytest.raises(Forbidden):
            rules.check_origin(origin)


def test_a_star_allows_all_but_the_opaque_origin() -> None:
    """`null` has to be named, for it is nobody in particular."""
    star = network_rules(hosts=("127.0.0.1",), allow_origins=("*",))
    star.check_origin("https://anything.example")
    with pytest.raises(Forbidden):
        star.check_origin("null")
    network_rules(hosts=("127.0.0.1",), allow_origins=("null",)).check_origin("null")


def test_localhost_pages_are_not_shared_with_unless_allowed() -> None:
    """They may ask, but their scripts read answers only by the operator's word."""
    assert not LOOPBACK.shares_with("http://localhost:3000")


@given(st.text())
def test_any_text_is_either_passed_or_refused(value: str) -> None:
    """No header makes the rules fail, and a refusal is one printable line."""
    for check in (LOOPBACK.check_host, PUBLIC.check_host, LOOPBACK.check_origin):
        assert verdict(check, value).isprintable()


def verdict(check: Callable[[str | None], None], value: str) -> str:
    """What a rule says to a value; "" where it passes."""
    try:
        check(value)
    except Forbidden as error:
        return str(error)
    return ""


@pytest.mark.parametrize("host", ["a:b:c", "http://a", "a/b", "", "user@a"])
def test_an_allowed_host_that_no_request_has_is_refused(host: str) -> None:
    """Else it would be found out by the first client, one 403 later."""
    with pytest.raises(OptionError, match=r"--allow-host .* is no host"):
        network_rules(hosts=("127.0.0.1",), allow_hosts=(host,))


@pytest.mark.parametrize("origin", ["app.example", "nonsense", "https://", "https://a/path", ""])
def test_an_allowed_origin_that_no_page_has_is_refused(origin: str) -> None:
    """The same."""
    with pytest.raises(OptionError, match=r"--allow-origin .* is no origin"):
        network_rules(hosts=("127.0.0.1",), allow_origins=(origin,))


def test_origins_of_other_schemes_are_origins() -> None:
    """Desktop programs and extensions have their own; so has nobody at all."""
    origins = ("app://obsidian.md", "chrome-extension://abc", "http://[::1]:3000", "null", "*")
    assert network_rules(hosts=("::1",), allow_origins=origins).allow_origins == set(origins)
