"""The built-in starter catalog: where it is, and its images. Must not know the flags."""

from __future__ import annotations

from pathlib import Path


def starter_catalog() -> Path:
    """The starter catalog's file. The zipapp is unpacked before it runs, so there always is one."""
    # lazy: a package of data, and only those who ask for it need its place
    import catalogs  # noqa: PLC0415 - see above

    return Path(str(catalogs.__file__)).parent / "starter.yaml"
