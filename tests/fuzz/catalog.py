"""Files of an operator or a registry: a broken entry costs itself, a broken file is one fault; what is written reads back."""

from __future__ import annotations

from gateway.catalog.document import DocumentError, plain_value, read_document, write_document
from gateway.catalog.parse import parse_catalog
from gateway.catalog.settings import parse_config, parse_registry, parse_tools

_SOURCE = "fuzz.yaml"


def check(data: bytes) -> None:
    """Reads it as each kind of file."""
    for trusted in (False, True):
        parsed = parse_catalog(data, source=_SOURCE, trusted=trusted)
        assert parsed.entries or parsed.faults or parsed.name
        assert trusted or all(not entry.origin.trusted for entry in parsed.entries)
    for parse in (parse_registry, parse_config, parse_tools):
        parse(data, source=_SOURCE)
    try:
        value = plain_value(read_document(data, _SOURCE))
    except DocumentError as error:
        assert str(error).startswith(_SOURCE)
        return
    assert plain_value(read_document(write_document(value), _SOURCE)) == value
