"""`python -m tests.images`: builds what the tests need, ahead of them and with progress."""

from __future__ import annotations

from tests.engine import client, require_engine
from tests.images.echo import echo_image
from tests.images.real import real_image

if __name__ == "__main__":
    require_engine()
    with client() as engine:
        print(echo_image(engine))
        print(echo_image(engine, "dash"))
        print(real_image(engine))
