"""What is written down of a session."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.session_records import (
    FORMAT,
    NewerRecord,
    SessionRecord,
    key_of,
    pack_record,
    parse_record,
)

texts = st.text(max_size=20)
records = st.builds(
    SessionRecord,
    principal=texts,
    protocol_version=texts,
    client_name=texts,
    capabilities=st.dictionaries(texts, st.just(msgspec.Raw(b'{"a":1}'))),
    log_level=texts,
    subscriptions=st.dictionaries(texts, texts),
)


@given(records)
def test_a_record_is_read_as_it_was_written(record: SessionRecord) -> None:
    """Whatever a client calls itself."""
    again = parse_record(pack_record(record))
    assert again is not None
    assert pack_record(again) == pack_record(record)


@given(records, st.data())
def test_a_cut_record_is_none(record: SessionRecord, data: st.DataObject) -> None:
    """A full disk may leave such; nobody trips over it."""
    whole = pack_record(record)
    assert parse_record(whole[: data.draw(st.integers(0, len(whole) - 1))]) is None


@given(st.binary(max_size=50))
def test_rubbish_is_none(content: bytes) -> None:
    """Another program may have written it."""
    assert parse_record(content) is None


def test_a_newer_record_is_refused_with_what_to_do() -> None:
    """It may mean what this version does not know."""
    with pytest.raises(NewerRecord, match="newer mcpgw"):
        parse_record(json.dumps({"format": FORMAT + 1, "session": 7}).encode())


def test_the_key_does_not_tell_the_id() -> None:
    """Who reads the folder cannot take over a session."""
    assert "secret" not in key_of("secret")
    assert len(key_of("secret")) == 64
