"""The answer to probes. Says whether new work is accepted and nothing else: anybody may ask.

What `Health.report` knows (names of servers, counts) stays out of it for that reason.
"""

from __future__ import annotations

from gateway.ports import Health
from gateway.web.page import Page

_OK = 200
_UNAVAILABLE = 503


def health_page(health: Health) -> Page:
    """200 while new work is accepted, else 503; the text tells where the container engine is in trouble."""
    if health.ready() and health.degraded():
        return Page(_OK, "application/json", b'{"status":"degraded"}\n')
    if health.ready():
        return Page(_OK, "application/json", b'{"status":"ready"}\n')
    return Page(_UNAVAILABLE, "application/json", b'{"status":"unready"}\n')
