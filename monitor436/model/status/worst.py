"""What is worst about a check and about a host, as the board has it. Pure."""

from collections.abc import Mapping
from types import MappingProxyType

from monitor436.model.event import Severity
from monitor436.model.status.change import RANKS
from monitor436.model.status.standing import HostNow, Part, Parts

Bad = Mapping[str, Part]  # the worst of each check that is bad
NOTHING: Bad = MappingProxyType({})


def worst(parts: Parts | None) -> Part | None:
    """What is worst about a check, of equals what began first; None if it is well."""
    found = [part for part in parts.values() if part.severity != "info"] if parts else ()
    return min(found, key=order) if len(found) > 1 else found[0] if found else None


def bad(host: HostNow | None) -> Bad:
    """What is bad about a host beside its own state: by check, and under "" what is about no check."""
    if host is None or not host.bad:
        return NOTHING
    found = {check: part for check, parts in host.checks.items() if parts and check and (part := worst(parts))}
    state = host.checks.get("")
    own = worst({of: part for of, part in state.items() if of}) if state else None
    return found if own is None else {"": own, **found}


def severity(found: Bad) -> Severity:
    """How bad the worst of it is."""
    return max((part.severity for part in found.values()), key=RANKS.__getitem__, default="info")


def tally(found: Bad) -> dict[str, int]:
    """How many checks are critical, and how many to be warned of."""
    counts = {"critical": 0, "warning": 0}
    for check, part in found.items():
        if check:
            counts[part.severity] += 1
    return counts


def order(part: Part) -> tuple[int, float]:
    """The worst first, then what began first."""
    return -RANKS[part.severity], part.since
