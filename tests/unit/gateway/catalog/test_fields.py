"""Typed access to fields."""

from __future__ import annotations

import pytest

from gateway.catalog import fields as get
from gateway.catalog.document import Plain
from gateway.errors import CatalogError

MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("512M", 512 * MIB),
        ("512m", 512 * MIB),
        ("2Gb", 2048 * MIB),
        ("1.5GiB", 1536 * MIB),
        ("64 MB", 64 * MIB),
        ("8192k", 8 * MIB),
        ("1T", 1024 * 1024 * MIB),
        ("134217728", 128 * MIB),
        ("134217728B", 128 * MIB),
    ],
)
def test_memory_is_read_in_powers_of_1024(written: str, size: int) -> None:
    """All spellings that operators use mean what the engine means."""
    assert get.parse_memory(written) == size


@pytest.mark.parametrize("written", ["", "M", "-1G", "1Q", "1M", "1e3", "nan", "99999999T", "1 2M"])
def test_other_memory_is_refused(written: str) -> None:
    """Less than an engine accepts counts as wrong, too."""
    with pytest.raises(CatalogError, match="memory"):
        get.parse_memory(written)


@pytest.mark.parametrize(
    ("written", "cpus"), [("0.5", 0.5), ("2", 2.0), (".25", 0.25), ("500m", 0.5)]
)
def test_cpus_are_read(written: str, cpus: float) -> None:
    """Decimal and thousandths."""
    assert get.parse_cpus(written) == cpus


@pytest.mark.parametrize("written", ["0", "-1", "x", "", "0.0", "inf"])
def test_other_cpus_are_refused(written: str) -> None:
    """Nothing runs on no processor."""
    with pytest.raises(CatalogError, match="processors"):
        get.parse_cpus(written)


def test_text_takes_scalars_as_written() -> None:
    """Numbers and booleans of JSON, and unquoted YAML."""
    given = {"a": Plain("1.10"), "b": 5, "c": True, "d": Plain("~"), "e": None, "f": "x"}
    assert [get.text(given, key, "default") for key in "abcdefg"] == [
        "1.10",
        "5",
        "true",
        "default",
        "default",
        "x",
        "default",
    ]


def test_wrong_types_name_the_field() -> None:
    """One sentence that says which field."""
    given = {"x": [1], "n": Plain("many"), "t": Plain("maybe"), "nul": "a\0b", "neg": Plain("-1")}
    for read, key in [
        (lambda: get.text(given, "x"), "x"),
        (lambda: get.text(given, "nul"), "nul"),
        (lambda: get.table(given, "x"), "x"),
        (lambda: get.tables(given, "x"), "x"),
        (lambda: get.listing(given, "n"), "n"),
        (lambda: get.whole(given, "n", 0), "n"),
        (lambda: get.whole(given, "neg", 0), "neg"),
        (lambda: get.seconds(given, "neg", positive=False), "neg"),
        (lambda: get.flag(given, "t"), "t"),
    ]:
        with pytest.raises(CatalogError, match=f"`{key}`"):
            read()


def test_absent_null_and_empty_are_one() -> None:
    """Half-filled fields of real catalogs cost nothing."""
    for given in ({}, {"k": None}, {"k": Plain("")}, {"k": ""}):
        assert get.text(given, "k") == ""
        assert get.listing(given, "k") == []
        assert get.table(given, "k") == {}
        assert get.tables(given, "k") == []
        assert get.whole(given, "k", 0) is None
        assert get.seconds(given, "k", positive=True) is None
        assert get.memory(given, "k") is None
        assert get.cpus(given, "k") is None
        assert get.flag(given, "k") is False


@pytest.mark.parametrize("value", [float("nan"), float("inf"), True, Plain("1.5")])
def test_numbers_that_are_none_are_refused(value: object) -> None:
    """JSON decoders let NaN through; a whole number has no fraction."""
    with pytest.raises(CatalogError):
        get.whole({"k": value}, "k", 0)


@pytest.mark.parametrize("written", ["9" * 4000, "-" + "9" * 400, "1e300", "1e12"])
def test_numbers_of_no_sensible_size_are_refused(written: str) -> None:
    """An entry with such a number must not end the reading of the others."""
    with pytest.raises(CatalogError, match="sensible size"):
        get.whole({"max": Plain(written)}, "max", 0)
    with pytest.raises(CatalogError, match="sensible size"):
        get.seconds({"max": Plain(written)}, "max", positive=True)
