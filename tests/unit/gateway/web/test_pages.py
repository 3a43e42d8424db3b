"""The pages for people and probes: what they say and what they must not."""

from __future__ import annotations

from html.parser import HTMLParser

from gateway.web.health import health_page
from gateway.web.help import help_page
from tests.fakes.sessions import FakeHealth


def test_health_says_ready_and_nothing_of_the_servers() -> None:
    """Anybody may ask, so the report stays inside."""
    page = health_page(FakeHealth())
    assert page.status == 200
    assert page.body == b'{"status":"ready"}\n'


def test_health_is_503_while_nothing_new_is_accepted() -> None:
    """Balancers look at the status only."""
    health = FakeHealth()
    health.accepting = False
    assert health_page(health).status == 503


def test_an_engine_in_trouble_is_told() -> None:
    """Work is accepted all the same: remote servers and processes need no engine."""
    health = FakeHealth()
    health.in_trouble = True
    page = health_page(health)
    assert (page.status, page.body) == (200, b'{"status":"degraded"}\n')
    health.accepting = False
    assert health_page(health).status == 503


class _Audit(HTMLParser):
    """Collects what a page would load or run."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [
            name for name, _ in attrs if name in {"src", "href"} or name.startswith("on")
        ]

    def handle_data(self, data: str) -> None:
        self.text += data


def audit(page: bytes) -> _Audit:
    """The page as a browser takes it apart."""
    found = _Audit()
    found.feed(page.decode())
    return found


def test_the_help_page_shows_urls_and_snippets_with_a_placeholder() -> None:
    """What a person needs to connect a client, except for the token."""
    page = help_page("http://localhost:8811", program="/opt/mcpgw.pyz", token_required=True)
    found = audit(page.body)
    assert page.status == 200
    for words in (
        "http://localhost:8811/mcp",
        "http://localhost:8811/sse",
        '"command": "/opt/mcpgw.pyz"',
        "Bearer YOUR_TOKEN",
        "mcpgw token show",
    ):
        assert words in found.text


def test_the_help_page_asks_for_no_token_where_none_is_needed() -> None:
    """Snippets without a header where the gateway is open."""
    found = audit(help_page("http://h", program="mcpgw", token_required=False).body)
    assert "Bearer" not in found.text
    assert "asks for no token" in found.text


def test_the_help_page_says_that_clients_want_a_whole_path() -> None:
    """It names the program only, for the page tells nobody where things lie; desktop clients have no shell's path."""
    page = help_page("http://h", program="mcpgw", token_required=True)
    assert b"must be an absolute path" in page.body


def test_the_help_page_loads_and_runs_nothing() -> None:
    """No scripts, no external files, no event handlers."""
    found = audit(help_page("http://h", program="mcpgw", token_required=True).body)
    assert "script" not in found.tags
    assert "link" not in found.tags
    assert found.loads == []


def test_the_help_page_escapes_what_came_from_outside() -> None:
    """The address comes from a header."""
    page = help_page('http://h"><script>x', program="<b>", token_required=True)
    found = audit(page.body)
    assert "script" not in found.tags
    assert "b" not in found.tags
