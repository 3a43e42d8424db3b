"""The corpus: seeds of every kind, and each input that has ever broken a property. None of them does."""

from __future__ import annotations

import pytest

from tests.fuzz.table import CORPUS, TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_corpus(name: str) -> None:
    """Cut off anywhere, too: what comes of half an input is as much a stranger's."""
    files = sorted((CORPUS / name).iterdir())
    assert files
    for file in files:
        data = file.read_bytes()
        for end in {len(data), len(data) // 2, len(data) // 3, 0}:
            TARGETS[name](data[:end])
