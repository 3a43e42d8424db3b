"""When Python looks for garbage in cycles. Must not know what lives.

A full look takes in every object there is: with all modules imported that is 30 ms, several times a second under load, in
which nobody is served. What a gateway has when it begins to serve stays until its end; so that is set aside, and looked
at no more.

Source: Python, `gc`, `freeze`.
"""

from __future__ import annotations

import gc


def put_off() -> None:
    """Looks for none while the program starts: most of what it makes stays."""
    gc.disable()


def set_aside() -> None:
    """Looks for garbage from now on, in what is made from now on."""
    gc.freeze()
    gc.enable()
