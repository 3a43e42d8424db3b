"""What is read at the two ends of a frame: whose answer it is, and nothing that is not certain."""

from __future__ import annotations

import pytest

from gateway.jsonrpc.edges import Edges
from gateway.limits import FRAME_EDGE_BYTES

LONG = b'{"text":"%b"}' % (b"x" * 3 * FRAME_EDGE_BYTES)


@pytest.mark.parametrize(
    ("frame", "answered"),
    [
        (b'{"jsonrpc":"2.0","id":7,"result":%b}', 7),
        (b'{"id":7,"jsonrpc":"2.0","result":%b}', 7),
        (b'{"id":7,"jsonrpc":"2.0","error":%b}', 7),
        (b' { "jsonrpc" : "2.0" ,\t"id" : 7 , "result" : %b }', 7),
        (b'{"jsonrpc":"2.0","id":"listen-1","result":%b}', "listen-1"),
        (b'{"result":%b,"jsonrpc":"2.0","id":7}', 7),
        (b'{"result":%b,"id":7,"jsonrpc":"2.0"}', 7),
        (b'{"jsonrpc":"2.0","result":%b,"id":7}', 7),
        (b'{"error":%b,"id":7,"jsonrpc":"2.0"} \r', 7),
    ],
)
def test_an_answer_names_its_request(frame: bytes, answered: object) -> None:
    """Before the payload or after it, in the orders in which servers write."""
    edges = Edges.of(frame % LONG)
    assert (edges.answered, edges.may_answer) == (answered, True)


@pytest.mark.parametrize(
    "frame",
    [
        b'{"jsonrpc":"2.0","id":7,"method":"sampling/createMessage","params":%b}',
        b'{"method":"notifications/message","params":%b,"jsonrpc":"2.0"}',
        b'{"method":"sampling/createMessage","params":%b,"jsonrpc":"2.0","id":7}',
        b"INFO a log line: %b",
        b"[INFO] a log line: %b",
        b'"a text"%b',
    ],
)
def test_what_is_no_answer_is_taken_for_none(frame: bytes) -> None:
    """Requests and notifications of the server, and logs."""
    edges = Edges.of(frame % LONG)
    assert (edges.answered, edges.may_answer) == (None, False)


@pytest.mark.parametrize(
    "frame",
    [
        b'{"params":%b,"jsonrpc":"2.0","id":7,"method":"m"}',
        b'{"jsonrpc":"2.0","id":7,"params":%b,"method":"m"}',
        b'{"result":%b,"jsonrpc":"2.0","meta":{"a":1,"id":7}}',
        b'{"result":%b,"jsonrpc":"2.0","meta":[{"a":1,"id":7}]}',
        b'{"result":%b,"jsonrpc":"2.0","note":",\\"id\\":7}"}',
        b'{"result":%b,"jsonrpc":"2.0","id":7,"note":""}',
        b'{"result":%b,"jsonrpc":"2.0","id":null}',
        b'{"result":%b,"jsonrpc":"2.0","id":-7}',
        b'{"jsonrpc":"2.0","id":7,"note":"","result":%b}',
        b'[{"jsonrpc":"2.0","id":7,"result":%b}]',
        b'{"jsonrpc":"1.0","id":7,"result":%b}',
        b"%b",
    ],
)
def test_what_is_not_certain_is_not_said(frame: bytes) -> None:
    """It may be an answer, to whomever."""
    edges = Edges.of(frame % LONG)
    assert (edges.answered, edges.may_answer) == (None, True)


def test_edges_grow_as_more_comes() -> None:
    """They are those of the whole, however it is cut."""
    frame = b"".join(b"%d " % number for number in range(500))
    for size in (1, 7, FRAME_EDGE_BYTES, 1000):
        edges = Edges.of(frame[:size])
        for start in range(size, len(frame), size):
            edges = edges.extended(frame[start : start + size])
        assert edges == Edges.of(frame)
