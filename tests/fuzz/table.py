"""All targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tests.fuzz import catalog, codec, frames, handles, headers, http_head, sse, template

TARGETS: Final[Mapping[str, Callable[[bytes], None]]] = {
    "codec": codec.check,
    "frames": frames.check,
    "sse": sse.check,
    "http_head": http_head.check,
    "headers": headers.check,
    "handles": handles.check,
    "template": template.check,
    "catalog": catalog.check,
}
CORPUS: Final = Path(__file__).parent / "corpus"
"""A folder for each target: seeds, and whatever was found."""
