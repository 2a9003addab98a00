"""Settings of the status board: what depends on what, and when a check flaps."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Struct

from monitor436.model.settings.said import DAY, why
from monitor436.model.source import Path
from monitor436.model.status.parents import circle
from monitor436.model.units import Duration, HostPattern


class Status(Struct, frozen=True):
    """What follows from the events for the states that operators see."""

    depends: Annotated[
        dict[str, tuple[HostPattern, ...]],
        why('Hosts behind a host, or behind "HOST/CHECK": while that is bad, no alarms about them.'),
    ] = {}
    flapping_changes: Annotated[
        int, why("How many times a check turns bad or well until it is said to flap; 0: never.", ge=0, le=100)
    ] = 4
    flapping_within: Annotated[
        Duration, why("Within which time, and how long it must hold still until it is told of again.", ge=1.0, le=DAY)
    ] = 600.0
    fail_after: Annotated[
        int, why("In how many of a script's last reports of a check it must be bad to alarm ...", ge=1, le=100)
    ] = 1
    of: Annotated[int, why("... out of so many.", ge=1, le=100)] = 1

    def problems(self) -> Iterator[tuple[Path, str]]:
        """What no single setting can tell."""
        if self.of < self.fail_after:
            yield ("of",), f"must be at least fail_after, which is {self.fail_after}; it is {self.of}"
        if inside := circle(self.depends):
            yield ("depends", inside), "stands behind itself: all in that circle could be down and nobody told"
        for name in self.depends:
            if not name.partition("/")[0] or len(name) > 200:
                yield ("depends", name), 'expected a host, or "HOST/CHECK"'
