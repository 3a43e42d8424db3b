"""Serving through hypercorn: HTTP as such, TLS, stopping, clients that misbehave."""

from __future__ import annotations

import datetime as dt
import logging
import ssl
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path

import pytest
import trio
import trio.testing

from gateway import limits
from gateway.auth.bearer import Bearer
from gateway.errors import OptionError
from gateway.transports.listen import serve_http
from tests.unit.gateway.transports.serving import TOKEN, Site, request, serving
from tests.unit.gateway.transports.test_connections import MUCH

GET_HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
READY = b'{"status":"ready"}\n'


async def read_until(stream: trio.abc.ReceiveStream, mark: bytes) -> bytes:
    """Reads until `mark` has come, or the end."""
    seen = b""
    while mark not in seen:
        chunk = await stream.receive_some(65536)
        if not chunk:
            break
        seen += chunk
    return seen


async def read_all(stream: trio.abc.ReceiveStream) -> bytes:
    """Reads to the end, which may be far."""
    seen = bytearray()
    while chunk := await stream.receive_some(limits.MIB):
        seen += chunk
    return bytes(seen)


def post(site: Site, body: bytes) -> bytes:
    """A POST of one message to the session opened last, as bytes."""
    return (
        b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer test-token\r\n"
        b"Content-Type: application/json\r\nMcp-Session-Id: %b\r\nContent-Length: %d\r\n\r\n%b"
        % (site.last.id.encode(), len(body), body)
    )


async def test_a_connection_is_kept_alive_without_a_limit_of_requests(site: Site) -> None:
    """Hypercorn's own default closes it after a thousand, in the middle of a busy session."""
    async with await trio.open_tcp_stream("127.0.0.1", site.port) as stream:
        for _ in range(20):
            await stream.send_all(GET_HEALTH)
            answer = await read_until(stream, READY)
            assert answer.startswith(b"HTTP/1.1 200")
            assert b"connection: close" not in answer.lower()
            assert b"server:" not in answer.lower()


async def test_pipelined_requests_are_answered_in_order(site: Site) -> None:
    """Old, and allowed."""
    async with site.connect() as _, await trio.open_tcp_stream("127.0.0.1", site.port) as stream:
        bodies = [
            b'{"jsonrpc":"2.0","id":%d,"method":"echo","params":{"n":%d}}' % (n, n)
            for n in range(3)
        ]
        await stream.send_all(b"".join(post(site, body) for body in bodies))
        answer = await read_until(stream, b'"result":{"n":2}')
        positions = [answer.index(b'"result":{"n":%d}' % n) for n in range(3)]
        assert positions == sorted(positions)


async def test_a_connection_ends_when_its_client_has_ended(site: Site) -> None:
    """And not when the keep-alive time is over: short-lived clients would use up all descriptors meanwhile."""
    for requests in (GET_HEALTH, b"", GET_HEALTH[:20]):
        async with await trio.open_tcp_stream("127.0.0.1", site.port) as stream:
            await stream.send_all(requests)
            if requests == GET_HEALTH:
                await read_until(stream, READY)
            await stream.send_eof()
            with trio.fail_after(2):
                while await stream.receive_some(65536):
                    pass


@pytest.mark.parametrize(
    "head",
    [
        (
            b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\n"
            b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"
        ),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0",
    ],
    ids=["upgrade", "preface"],
)
async def test_nobody_talks_us_into_http2(site: Site, head: bytes) -> None:
    """It would pass by proxies that only know HTTP/1.1, and by our bounds."""
    async with await trio.open_tcp_stream("127.0.0.1", site.port) as stream:
        await stream.send_all(head)
        with trio.fail_after(2):
            answer = await stream.receive_some(65536)
        assert answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 4"))


async def test_a_body_with_two_lengths_is_refused(site: Site) -> None:
    """A proxy may believe the one and we the other: the rest would be a request of its own."""
    async with site.connect() as _, await trio.open_tcp_stream("127.0.0.1", site.port) as stream:
        message = post(site, b"0\r\n\r\n")
        await stream.send_all(message.replace(b"\r\n", b"\r\nTransfer-Encoding: chunked\r\n", 1))
        answer = await read_until(stream, b"}}")
        assert answer.startswith(b"HTTP/1.1 400")
        assert b"connection: close" in answer.lower()
        assert await read_until(stream, b"never") == b""


async def test_a_body_may_be_announced_with_expect(site: Site) -> None:
    """As curl does so for bodies over a megabyte."""
    async with site.connect() as _, await trio.open_tcp_stream("127.0.0.1", site.port) as stream:
        head, _, body = post(site, b'{"jsonrpc":"2.0","id":1,"method":"ping"}').partition(
            b"\r\n\r\n"
        )
        await stream.send_all(head + b"\r\nExpect: 100-continue\r\n\r\n")
        assert (await read_until(stream, b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
        await stream.send_all(body)
        assert b'"result":{}' in await read_until(stream, b"}")


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"hello\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 2 * limits.HEAD_BYTES,
        b"POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\nthat is no preface",
    ],
)
async def test_what_is_no_http_costs_one_connection(site: Site, garbage: bytes) -> None:
    """Refused or cut, and the next client is served."""
    async with await trio.open_tcp_stream("127.0.0.1", site.port) as stream:
        await stream.send_all(garbage)
        answer = await read_until(stream, b"neverthere")
        assert not answer.startswith(b"HTTP/1.1 2")
    async with site.client() as client:
        assert (await client.get("/health")).status_code == 200


async def test_a_gigabyte_that_is_only_announced_is_refused_at_once(site: Site) -> None:
    """And the refusal can be read."""
    async with site.connect() as _, await trio.open_tcp_stream("127.0.0.1", site.port) as stream:
        head = post(site, b"").replace(b"Content-Length: 0", b"Content-Length: 1073741824")
        await stream.send_all(head + b"x" * 65536)
        answer = await read_until(stream, b"MiB")
        assert answer.startswith(b"HTTP/1.1 413")


async def test_nothing_is_printed_on_stdout(site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    """Access log, banners, errors: stdout is never theirs."""
    async with site.client() as client:
        await client.get("/health")
        await client.get("/nowhere")
    assert capfd.readouterr().out == ""


async def test_a_reader_that_stalls_is_cut_and_its_session_ends(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An SSE client that never reads must not hold its containers."""
    monkeypatch.setattr(limits, "SEND_STALL_S", 0.05)
    async with site.listen("/sse"):
        assert site.last.attached is not None
        site.last.attached.send(b"x" * (32 * limits.MIB))
        with trio.fail_after(5):
            await site.last.was_closed.wait()


async def test_cancelling_cuts_a_reader_that_stalls_at_once() -> None:
    """The HTTP server writes in a shield; our exit may not wait for it."""
    with trio.fail_after(5):
        async with serving(Site()) as site, site.listen("/sse"):
            assert site.last.attached is not None
            site.last.attached.send(b"x" * (32 * limits.MIB))
            await trio.testing.wait_all_tasks_blocked(0.05)
    assert site.last.closed


async def test_stopping_lets_the_answer_under_way_go_out() -> None:
    """Nothing new is accepted, idle connections are closed, the call is finished, then it returns."""
    site = Site()
    answers: list[int] = []
    async with trio.open_nursery() as server:
        ((_, site.port),) = await server.start(site.serve)
        async with site.connect() as client, trio.open_nursery() as nursery:

            async def call() -> None:
                answers.append((await client.post("/mcp", json=request("later"))).status_code)

            nursery.start_soon(call)
            await site.last.has_waiting.wait()
            idle = await trio.open_tcp_stream("127.0.0.1", site.port)
            await trio.testing.wait_all_tasks_blocked(0.01)
            site.stop.set()
            assert await idle.receive_some() == b""
            await idle.aclose()
            with pytest.raises(OSError, match="all attempts to connect"):
                await trio.open_tcp_stream("127.0.0.1", site.port)
            assert server.child_tasks
            site.last.answer()
    assert answers == [200]


async def test_stopping_waits_for_streams_until_their_sessions_end() -> None:
    """Whoever stops the gateway closes the sessions; the streams end with them."""
    site = Site()
    async with trio.open_nursery() as server:
        ((_, site.port),) = await server.start(site.serve)
        async with site.listen("/sse") as stream:
            await stream.event()
            site.stop.set()
            await trio.testing.wait_all_tasks_blocked(0.01)
            assert server.child_tasks
            site.last.close()
            assert await stream.event() == ("", "")


@pytest.mark.slow
@pytest.mark.parametrize("fast_lane", [True, False])
async def test_stopping_waits_for_an_answer_that_is_still_read(
    fast_lane: bool,  # noqa: FBT001 -- a table
) -> None:
    """All of it was made before; the client takes its time."""
    site = Site(fast_lane=fast_lane)
    body = b'{"jsonrpc":"2.0","id":1,"method":"echo","params":{"t":"%b"}}' % (b"x" * len(MUCH))
    async with trio.open_nursery() as server:
        ((_, site.port),) = await server.start(site.serve)
        async with (
            site.connect(),
            await trio.open_tcp_stream("127.0.0.1", site.port) as stream,
        ):
            await stream.send_all(post(site, body))
            await read_until(stream, b"200")
            site.stop.set()
            await trio.sleep(2 * limits.LAST_READS_S)
            with trio.fail_after(5):
                assert (await read_all(stream)).endswith(b'"}}')


async def test_stopping_does_not_wait_for_a_client_that_has_everything() -> None:
    """It has been told that nothing more comes, and keeps its connection all the same, as pools of clients do."""
    site = Site()
    served = trio.Event()

    async def serve(*, task_status: trio.TaskStatus[tuple[tuple[str, int], ...]]) -> None:
        await site.serve(task_status=task_status)
        served.set()

    async with trio.open_nursery() as server:
        ((_, site.port),) = await server.start(serve)
        async with site.listen("/health"), site.listen("/sse") as stream:
            await stream.event()
            site.stop.set()
            await trio.testing.wait_all_tasks_blocked(0.01)
            site.last.close()
            with trio.fail_after(limits.LINGER_S / 2):
                await served.wait()


async def test_an_app_that_fails_costs_its_own_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Even where it fails in hypercorn's own code: here, headers that cannot be."""

    async def broken(scope: object, receive: object, send: object) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b":bad", b"")]})  # type: ignore[operator]

    site = Site()
    site.app = broken  # type: ignore[assignment]
    async with serving(site), await trio.open_tcp_stream("127.0.0.1", site.port) as stream:
        await stream.send_all(GET_HEALTH)
        assert (await read_until(stream, b"\r\n\r\n")).startswith(b"HTTP/1.1 500")
    assert "Error in ASGI Framework" in caplog.text


async def test_a_connection_that_fails_in_hypercorn_is_logged_and_survived(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A KeyError of its protocol code would end the whole server otherwise."""

    async def fail(*_: object) -> None:
        raise KeyError("stream")

    with monkeypatch.context() as patch:
        patch.setattr("hypercorn.protocol.h11.H11Protocol.handle", fail)
        async with await trio.open_tcp_stream("127.0.0.1", site.port) as stream:
            await stream.send_all(GET_HEALTH)
            assert await stream.receive_some() == b""
    assert "connection_failed" in caplog.text
    async with site.client() as client:
        assert (await client.get("/health")).status_code == 200


async def test_a_websocket_client_that_does_not_wait_is_cut_quietly(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """Hypercorn would answer it twice and fall over; a stranger must not fill the log with that."""
    async with await trio.open_tcp_stream("127.0.0.1", site.port) as stream:
        await stream.send_all(
            b"GET /mcp HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\nearly"
        )
        assert not (await read_until(stream, b"neverthere")).startswith(b"HTTP/1.1 1")
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []
    async with site.client() as client:
        assert (await client.get("/health")).status_code == 200


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with cert.pem and key.pem for 127.0.0.1."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    cert = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(cert.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return folder


async def test_https(certificate: Path) -> None:
    """The same application, also where a target says so; and a plain HTTP client costs only its own connection."""
    site = Site()
    async with trio.open_nursery() as server:
        serve = partial(
            site.serve,
            tls_cert=str(certificate / "cert.pem"),
            tls_key=str(certificate / "key.pem"),
        )
        ((_, port),) = await server.start(serve)
        async with await trio.open_tcp_stream("127.0.0.1", port) as plain:
            await plain.send_all(GET_HEALTH)
            assert await read_until(plain, b"neverthere") in (b"", b"\x15\x03\x01\x00\x02\x02F")
        trust = ssl.create_default_context(cafile=str(certificate / "cert.pem"))
        trust.set_alpn_protocols(["h2", "http/1.1"])
        stream = await trio.open_ssl_over_tcp_stream(
            "127.0.0.1", port, ssl_context=trust, https_compatible=True
        )
        async with stream:
            await stream.send_all(GET_HEALTH)
            assert READY in await read_until(stream, READY)
            await stream.send_all(GET_HEALTH.replace(b"/health", b"https://localhost/health"))
            assert READY in await read_until(stream, READY)
            assert stream.selected_alpn_protocol() == "http/1.1"
        site.stop.set()


@pytest.mark.parametrize("fast_lane", [True, False])
async def test_calls_over_https(certificate: Path, fast_lane: bool) -> None:  # noqa: FBT001 -- a table
    """Small answers and large ones, streams, requests sent ahead, and the end that a client asks for."""
    site = Site(fast_lane=fast_lane)
    text = b"x" * limits.MIB
    async with trio.open_nursery() as server:
        serve = partial(
            site.serve,
            tls_cert=str(certificate / "cert.pem"),
            tls_key=str(certificate / "key.pem"),
        )
        ((_, port),) = await server.start(serve)
        site.sessions.open(
            Bearer(TOKEN, key=b"key").authenticate(b"Bearer " + TOKEN.encode()), transport="t"
        )
        trust = ssl.create_default_context(cafile=str(certificate / "cert.pem"))
        stream = await trio.open_ssl_over_tcp_stream(
            "127.0.0.1", port, ssl_context=trust, https_compatible=True
        )
        async with stream:
            ping = post(site, b'{"jsonrpc":"2.0","id":1,"method":"ping"}')
            echo = b'{"jsonrpc":"2.0","id":2,"method":"echo","params":{"t":"%b"}}' % text
            chatty = post(site, b'{"jsonrpc":"2.0","id":3,"method":"chatty"}')
            last = ping.replace(b"Host", b"Connection: close\r\nHost")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(
                    stream.send_all, ping + post(site, echo) + chatty + GET_HEALTH + last
                )
                with trio.fail_after(10):
                    answer = await read_until(stream, b"never")
            assert answer.count(b"HTTP/1.1 200") == 5
            assert text in answer
            assert answer.count(b"data: {") == 2
            assert answer.endswith(b'"result":{}}')
        site.stop.set()


@pytest.mark.parametrize(
    ("cert", "key", "words"),
    [
        ("missing.pem", "key.pem", "cannot be read: No such file"),
        ("key.pem", "key.pem", "no certificate and its private key"),
        ("cert.pem", "", "no certificate and its private key"),
    ],
)
async def test_an_unusable_certificate_names_its_flags(
    certificate: Path, cert: str, key: str, words: str
) -> None:
    """Before anything listens."""
    with pytest.raises(OptionError, match=words) as refused:
        await serve_http(
            Site().app,
            lane=None,
            hosts=("127.0.0.1",),
            port=0,
            stop=trio.Event(),
            tls_cert=str(certificate / cert),
            tls_key=str(certificate / key) if key else "",
        )
    assert "--tls-cert" in str(refused.value)
