"""What is a message and what is not, and that frames are one line."""

import json
import time

import msgspec
import pytest

from gateway.errors import Malformed, Overloaded, UnknownTarget
from gateway.jsonrpc.codec import decode, encode, failure, one_line, repair_surrogates
from gateway.jsonrpc.messages import Failure, Id, Message, Notification, Request, Result
from gateway.limits import MAX_REPAIRS

Raw = msgspec.Raw


def refused(frame: bytes) -> Malformed:
    """The error that decoding this frame ends in."""
    with pytest.raises(Malformed) as caught:
        decode(frame)
    return caught.value


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (b'{"jsonrpc":"2.0","id":1,"method":"ping"}', Request(1, "ping")),
        (b'{"jsonrpc":"2.0","id":"a","method":"m","params":{"x": 1}}', Request("a", "m", Raw(b'{"x": 1}'))),
        (b'{"jsonrpc":"2.0","id":1,"method":"m","params":[1]}', Request(1, "m", Raw(b"[1]"))),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"m","params":null}', Request(1.5, "m")),
        (b' {"method":"n","jsonrpc":"2.0","zz":[]} ', Notification("n")),
        (b'{"jsonrpc":"2.0","method":"n","params":{}}', Notification("n", Raw(b"{}"))),
        (b'{"jsonrpc":"2.0","id":1,"result":null}', Result(1, Raw(b"null"))),
        (b'{"jsonrpc":"2.0","id":1,"result":{"a":1},"error":null}', Result(1, Raw(b'{"a":1}'))),
        (b'{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"m"}}', Failure(1, -1, "m")),
        (b'{"jsonrpc":"2.0","id":1,"result":null,"error":{"code":-1,"message":"m"}}', Failure(1, -1, "m")),
        (b'{"jsonrpc":"2.0","id":null,"error":{"code":-1,"message":"m","data":[2]}}', Failure(None, -1, "m", Raw(b"[2]"))),
        (b'{"jsonrpc":"2.0","error":{"code":-1,"message":"m"}}', Failure(None, -1, "m")),
    ],
)  # fmt: skip
def test_messages_of_every_kind_are_read(frame: bytes, message: Message) -> None:
    """Each kind of message is told apart by its members, whatever their order."""
    assert decode(frame) == message


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"  ",
        b"hello",
        b'{"jsonrpc":"2.0","id":1,"method":"ping"',
        b'{"jsonrpc":"2.0","id":1,"method":"a"}{"jsonrpc":"2.0","id":2,"method":"b"}',
        b'{"jsonrpc":"2.0","id":1,"method":"m","params":{"x":NaN}}',
        b'{"jsonrpc":"1.0","id":1,"method":"m","params":{"x":}}',
        b'{"jsonrpc":"2.0","id":1,"method":"m","params":{"x":"a\nb"}}',
        b'{"jsonrpc":"2.0","id":1,"method":"m","params":{"x":"\xff"}}',
        b'{"jsonrpc":"2.0","id":1,"method":"m","unknown":"\xc3"}',
        b'{"jsonrpc":"2.0","id":1,"method":"m","params":{"x":"\\ud83d"}}',
        b'{"jsonrpc":"2.0","id":1,"method":"m","params":{"x":"\\ude00 and more"}}',
        b'{"jsonrpc":"2.0","id":1,"method":"m","params":{"x":"\\ud83d\\u0041"}}',
        b'{"jsonrpc":"2.0","id":1,"method":"m","params":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        b'{"jsonrpc":2,"x":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        b"[" * 200_000,
    ],
)
def test_what_is_not_json_is_a_parse_error(frame: bytes) -> None:
    """Syntax, encoding, lone surrogates and depth, also where nobody looks inside, are -32700 without an id."""
    error = refused(frame)
    assert (error.code, error.request_id) == (-32700, None)


@pytest.mark.parametrize(
    ("frame", "request_id", "reason"),
    [
        (b"[]", None, "batches"),
        (b' [{"jsonrpc":"2.0","id":1,"method":"ping"}]', None, "batches"),
        (b"3", None, "object"),
        (b"null", None, "object"),
        (b'{"id":7,"method":"m"}', 7, '"jsonrpc"'),
        (b'{"jsonrpc":"1.0","id":"x","method":"m"}', "x", '"jsonrpc"'),
        (b'{"jsonrpc":2.0,"id":1.5,"method":"m"}', 1.5, '"jsonrpc"'),
        (b'{"jsonrpc":"2.0","id":true,"method":"m"}', None, '"id"'),
        (b'{"jsonrpc":"2.0","id":{},"method":"m"}', None, '"id"'),
        (b'{"jsonrpc":"2.0","id":[1],"method":"m"}', None, '"id"'),
        (b'{"jsonrpc":"2.0","id":1e999,"method":"m"}', None, '"id"'),
        (b'{"jsonrpc":"2.0","id":null,"method":"m"}', None, '"id"'),
        (b'{"jsonrpc":"2.0","id":7,"method":3}', 7, '"method"'),
        (b'{"jsonrpc":"2.0","method":null}', None, '"method"'),
        (b'{"jsonrpc":"2.0","id":7,"method":"m","params":3}', 7, '"params"'),
        (b'{"jsonrpc":"2.0","id":7,"method":"m","params":"x"}', 7, '"params"'),
        (b'{"jsonrpc":"2.0","method":"m","params":true}', None, '"params"'),
        (b'{"jsonrpc":"2.0","id":7,"method":"m","result":1}', 7, "method"),
        (b'{"jsonrpc":"2.0","id":7,"method":"m","error":{}}', 7, "method"),
        (b'{"jsonrpc":"2.0","id":7}', 7, "either"),
        (b'{"jsonrpc":"2.0"}', None, "either"),
        (b'{"jsonrpc":"2.0","id":7,"result":1,"error":{"code":1,"message":""}}', 7, "either"),
        (b'{"jsonrpc":"2.0","id":7,"result":null,"error":null}', 7, "either"),
        (b'{"jsonrpc":"2.0","result":1}', None, '"id"'),
        (b'{"jsonrpc":"2.0","id":null,"result":1}', None, '"id"'),
    ],
)  # fmt: skip
def test_json_that_is_no_message_names_what_is_wrong(
    frame: bytes, request_id: Id | None, reason: str
) -> None:
    """It is -32600, with the id that the answer echoes where one can be read, and says what is wrong."""
    error = refused(frame)
    assert (error.code, error.request_id) == (-32600, request_id)
    assert reason in str(error)


@pytest.mark.parametrize(
    "error", [b"3", b"{}", b'{"code":"x","message":"m"}', b'{"code":1}', b'["code"]']
)
def test_a_broken_error_object_still_ends_its_call(error: bytes) -> None:
    """A caller waits for this answer: it becomes a failure that carries what came."""
    answer = decode(b'{"jsonrpc":"2.0","id":1,"error":' + error + b"}")
    assert isinstance(answer, Failure)
    assert (answer.id, answer.code, answer.data) == (1, -32603, Raw(error))


def test_the_last_of_two_equal_keys_counts_and_alone_is_written() -> None:
    """What was judged is what is forwarded."""
    message = decode(b'{"jsonrpc":"2.0","id":1,"method":"a","method":"b"}')
    assert message == Request(1, "b")
    assert encode(message).count(b"method") == 1


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_payloads_do_not_share_a_buffer_that_is_used_again(kind: type) -> None:
    """A message from a reused buffer keeps its bytes."""
    buffer = bytearray(b'{"jsonrpc":"2.0","id":1,"method":"m","params":{"x":1}}')
    message = decode(kind(buffer))
    buffer[:] = b" " * len(buffer)
    assert message == Request(1, "m", Raw(b'{"x":1}'))


@pytest.mark.parametrize(
    ("message", "frame"),
    [
        (Request(1, "ping"), b'{"jsonrpc":"2.0","id":1,"method":"ping"}'),
        (Request(1.0, "m", Raw(b'{"a": 1}')), b'{"jsonrpc":"2.0","id":1.0,"method":"m","params":{"a": 1}}'),
        (Notification("n"), b'{"jsonrpc":"2.0","method":"n"}'),
        (Result("a", Raw(b"{}")), b'{"jsonrpc":"2.0","id":"a","result":{}}'),
        (Failure(None, -1, "m"), b'{"jsonrpc":"2.0","id":null,"error":{"code":-1,"message":"m"}}'),
        (Failure(1, -1, "m", Raw(b"[]")), b'{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"m","data":[]}}'),
    ],
)  # fmt: skip
def test_messages_are_written_with_only_the_members_they_have(
    message: Message, frame: bytes
) -> None:
    """No nulls for what is absent; the id of an unreadable request is null."""
    assert encode(message) == frame


def test_line_breaks_within_a_payload_become_blanks() -> None:
    """A pretty-printed body must not become several messages on a server's stdin."""
    message = decode(b'{"jsonrpc":"2.0","id":1,"method":"m",\n"params":{\r\n"a":\t"\\n"\r}}')
    frame = encode(message)
    assert b"\n" not in frame
    assert b"\r" not in frame
    assert json.loads(frame)["params"] == {"a": "\n"}


def test_one_line_leaves_a_line_as_it_is() -> None:
    """The common case copies nothing."""
    frame = b'{"a":1}'
    assert one_line(frame) is frame


@pytest.mark.parametrize("request_id", [2**70, -(2**70), 1e300, "", "ä", "\u2028", 0])
def test_ids_come_back_as_they_were(request_id: Id) -> None:
    """An answer's id equals the request's for any number or string."""
    frame = json.dumps({"jsonrpc": "2.0", "id": request_id, "method": "m"}).encode()
    message = decode(frame)
    assert isinstance(message, Request)
    assert json.loads(encode(Result(message.id, Raw(b"1"))))["id"] == request_id


def test_failure_carries_code_sentence_and_data() -> None:
    """An error of the tree becomes an answer without loss."""
    error = UnknownTarget("No such thing.", code=-32002, data={"uri": "x:1"})
    assert failure(error, 5) == Failure(5, -32002, "No such thing.", Raw(b'{"uri":"x:1"}'))
    assert failure(Overloaded("Busy."), 5) == Failure(5, -32000, "Busy.")
    assert failure(Overloaded("Busy.")) == Failure(None, -32000, "Busy.")


def test_failure_takes_the_id_that_a_malformed_message_still_showed() -> None:
    """The sender can tell which of its requests was refused."""
    error = refused(b'{"id":7,"method":"m"}')
    assert failure(error).id == 7
    assert failure(error, 8).id == 8


@pytest.mark.parametrize(
    ("frame", "repaired"),
    [
        (rb'"\ud83d\ude00"', rb'"\ud83d\ude00"'),
        (rb'"\uD83D\uDE00 \u00e4"', rb'"\uD83D\uDE00 \u00e4"'),
        (rb'"\ud83d"', rb'"\ufffd"'),
        (rb'"\uDE00x"', rb'"\ufffdx"'),
        (rb'"\ude00\ud83d"', rb'"\ufffd\ufffd"'),
        (rb'"\ud83d\ud83d\ude00"', rb'"\ufffd\ud83d\ude00"'),
        (rb'"\ud83d\u0041"', rb'"\ufffd\u0041"'),
        (rb'"\\ud83d"', rb'"\\ud83d"'),
        (rb'"\\\ud83d"', rb'"\\\ufffd"'),
        (rb'"\\ud83d\ude00"', rb'"\\ud83d\ufffd"'),
        (rb'"\ud83d\\ude00"', rb'"\ufffd\\ude00"'),
        (rb'"\n\ud83d\n"', rb'"\n\ufffd\n"'),
    ],
)
def test_only_surrogates_without_partner_are_replaced(frame: bytes, repaired: bytes) -> None:
    """Pairs, and backslashes that are themselves escaped, stay as they are."""
    assert repair_surrogates(frame) == repaired


def test_a_frame_without_surrogates_is_not_copied() -> None:
    """Nearly all frames are such."""
    frame = '{"a":"\\u00e4 😀"}'.encode()
    assert repair_surrogates(frame) is frame


def test_mending_a_hostile_frame_takes_no_memory_and_little_time() -> None:
    """Millions of backslashes, which may each begin an escape, and more half pairs than any text has."""
    backslashes = b'"\\ud83d' + b"\\" * 8_000_000 + b'"'
    began = time.perf_counter()
    assert repair_surrogates(backslashes).startswith(b'"\\ufffd')
    assert repair_surrogates(b"\\ud800" * (MAX_REPAIRS + 1)).endswith(b"\\ud800")
    assert time.perf_counter() - began < 2
