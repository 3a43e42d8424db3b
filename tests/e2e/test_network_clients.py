"""Clients on the network: many at a time, large results, news on the standing stream, and those who just vanish."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import Containers
from tests.e2e.gateways import Network, await_true, call_over, hello, request
from tests.e2e.places import Place
from tests.e2e.published import PUBLISHED, Step, Target, Transport

pytestmark = pytest.mark.slow

Entry = Callable[..., dict[str, Any]]

GONE_S = 10.0
LONG_MS = 20_000


class Events:
    """A standing event stream, read beside the test."""

    def __init__(self, response: httpx.Response) -> None:
        self.messages: list[dict[str, Any]] = []
        self.endpoint = ""
        self._response = response
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def methods(self) -> list[str]:
        """Of the notifications so far."""
        return [message["method"] for message in self.messages if "method" in message]

    def answer_to(self, identity: int) -> dict[str, Any]:
        """The answer with that id."""
        await_true(lambda: self._find(identity), f"an answer to {identity}", 20)
        (answer,) = self._find(identity)
        return answer

    def _find(self, identity: int) -> list[dict[str, Any]]:
        return [message for message in self.messages if message.get("id") == identity]

    def _read(self) -> None:
        event = ""
        try:
            for line in self._response.iter_lines():
                field, _, value = line.partition(": ")
                if field == "event":
                    event = value
                elif field == "data" and event == "endpoint":
                    self.endpoint = value
                elif field == "data" and value:
                    self.messages.append(json.loads(value))
                elif not line:
                    event = ""
        except httpx.HTTPError:
            return  # the gateway, or the test, has hung up


@contextmanager
def sse(gateway: Network) -> Iterator[tuple[httpx.Client, Events]]:
    """An initialized session of the SSE transport; leaving it is what a crashed client looks like."""
    with gateway.web() as client, client.stream("GET", "/sse") as response:
        events = Events(response)
        await_true(lambda: events.endpoint, "the endpoint is named", 10)
        client.post(events.endpoint, json=request(0, "initialize", hello()))
        events.answer_to(0)
        client.post(events.endpoint, json={"jsonrpc": "2.0", "method": "notifications/initialized"})
        yield client, events


def ask(
    client: httpx.Client, events: Events, identity: int, tool: str, **arguments: object
) -> None:
    """Sends a call over the SSE transport."""
    body = request(identity, "tools/call", {"name": tool, "arguments": arguments})
    assert client.post(events.endpoint, json=body).status_code == httpx.codes.ACCEPTED


def test_an_sse_client_that_vanishes_frees_its_servers(
    place: Place, echo: Entry, containers: Containers
) -> None:
    """Its connection is gone in the middle of a call; the gateway goes on, and keeps nothing of it."""
    place.write({"one": echo()})
    with place.network() as gateway:
        with sse(gateway) as (client, events):
            ask(client, events, 1, "echo", text="a")
            events.answer_to(1)
            ask(client, events, 2, "sleep", ms=LONG_MS)
            assert containers(place)
        await_true(lambda: not containers(place), "its container is gone", GONE_S)
        with gateway.session() as other:
            assert call_over(other, "echo", text="b") == "b"


def test_a_drain_answers_over_sse(place: Place, echo: Entry, containers: Containers) -> None:
    """The answer in flight comes on the standing stream before it ends."""
    place.write({"one": echo()})
    with place.network(transport="sse") as gateway, sse(gateway) as (client, events):
        ask(client, events, 1, "echo", text="a")
        events.answer_to(1)
        ask(client, events, 2, "sleep", ms=1500)
        time.sleep(0.3)  # until it is certainly in its server
        gateway.signal(signal.SIGTERM)
        assert events.answer_to(2)["result"]["content"][0]["text"] == "slept"
        assert gateway.wait() == 0
        assert containers(place) == []


def test_news_of_lists_reach_every_client_once(place: Place, echo: Entry) -> None:
    """On its standing stream; a server that announces a change that is none makes no news."""
    place.write({"one": echo()})
    with (
        place.network() as gateway,
        gateway.session() as one,
        gateway.session() as two,
        one.stream("GET", "/mcp") as first,
        two.stream("GET", "/mcp") as second,
    ):
        mine, theirs = Events(first), Events(second)
        for client in (one, two):
            assert call_over(client, "touch") == "touched"
        place.write({"one": echo(), "two": echo("--tools=two")})
        for events in (mine, theirs):
            await_true(events.methods, "news", 15)
            assert events.methods() == ["notifications/tools/list_changed"]


@pytest.mark.parametrize("transport", ["stdio", "sse", "streaming"])
def test_large_results_arrive_whole(place: Place, echo: Entry, transport: Transport) -> None:
    """Ten megabytes in one message, as a screenshot or a dump has them."""
    place.write({"one": echo()})
    step: Step = ("tools/call", {"name": "flood", "arguments": {"bytes": 10_000_000}})
    with place.network() as gateway:
        target = Target(
            transport=transport,
            command=tuple(place.command()),
            environ=place.environ,
            url=gateway.url,
            token=gateway.token,
        )
        (outcome,) = PUBLISHED["python-1"].do(target, [step])
    assert outcome["result"]["content"][0]["text"] == "x" * 10_000_000


def test_a_crowd(place: Place, echo: Entry, containers: Containers) -> None:
    """Each of many clients gets its own answers, and only those; nothing is left of any of them."""
    place.write(
        {
            "own": echo("--tools=own"),
            "all": echo("--tools=all", pool={"isolation": "shared"}),
        }
    )
    with place.network() as gateway:

        def work(number: int) -> set[str]:
            wrong = set()
            with gateway.session() as client:
                for turn in range(25):
                    text = f"{number}/{turn}"
                    for tool in ("all_echo", "own_echo") if turn == 0 else ("all_echo",):
                        if (said := call_over(client, tool, text=text)) != text:
                            wrong.add(f"{tool} {text}: {said}")
                client.delete("/mcp")
            return wrong

        with ThreadPoolExecutor(6) as pool:
            assert set().union(*pool.map(work, range(6))) == set()
        await_true(lambda: len(containers(place)) <= 1, "only the shared one is left", GONE_S)


def test_https(place: Place, echo: Entry) -> None:
    """With a certificate and its key the same endpoints speak TLS."""
    place.write({"one": echo()})
    cert, key = self_signed(place)
    with (
        place.network("--tls-cert", cert, "--tls-key", key) as gateway,
        httpx.Client(verify=False) as client,
    ):
        assert gateway.url.startswith("https://")
        assert client.get(f"{gateway.url}/health").json() == {"status": "ready"}


def self_signed(place: Place) -> tuple[str, str]:
    """A certificate for this machine, and its key."""
    import datetime as dt

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    files = {
        place.folder / "cert.pem": certificate.public_bytes(pem),
        place.folder / "key.pem": key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    }
    for path, content in files.items():
        path.write_bytes(content)
    cert, private = files
    return str(cert), str(private)
