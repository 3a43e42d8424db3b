"""How many files and sockets this process may have open. Must not know what they are for."""

from __future__ import annotations

import resource

from gateway import limits
from gateway.telemetry.log import get_logger

_log = get_logger("http")


def raise_descriptor_limit(wanted: int = limits.MAX_DESCRIPTORS) -> int:
    """Raises the soft limit towards `wanted`, as far as the hard limit lets us; gives what is in force.

    A limit that is higher already stays. Where the system says no, the old one stays in force: fewer clients at a time
    is no reason not to start.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return soft
    target = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))
    except (ValueError, OSError) as error:  # macOS has a lower limit of its own
        _log.debug("descriptor_limit_stays", limit=soft, reason=str(error))
        return soft
    return target
