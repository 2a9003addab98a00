"""Follows the site's folder: keys that were exchanged there are in use within seconds, without a restart."""

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from monitor436.model import event as kinds
from monitor436.model.event import Event
from monitor436.model.keys.site_keys import SiteKeys, mark
from monitor436.periodic import Periodic
from monitor436.site import Site, SiteError, Stamp

EVERY = 1.0  # seconds between looks


class Rotation(Periodic):
    """Tells each of `followers` the site's keys when there are others in its folder. `state(events)` takes the news."""

    log = Logger()

    def __init__(
        self,
        site: Site,
        followers: list[Callable[[SiteKeys], object]],
        state: Callable[[list[Event]], None],
        clock: IReactorTime,
    ) -> None:
        super().__init__("site", EVERY, self.look, clock)
        self._site = site
        self._followers = followers
        self._state = state
        self._stamp = site.found
        self._moving: Stamp | None = None  # seen once; read when it is the same at the next look

    def look(self) -> None:
        """Read the keys again if they changed and have stood still since the last look: a copy takes its time."""
        found = self._site.stamp()
        if found == self._stamp:
            self._moving = None
        elif found != self._moving:
            self._moving = found
        else:
            self.reload()

    def reload(self) -> None:
        """Read the keys now. A folder that cannot be used changes nothing."""
        self._stamp, self._moving = self._site.stamp(), None
        try:
            changed = self._site.reload()
        except SiteError as problem:
            text = f"the keys of the site stay what they are: {problem}"
            self.log.error("{text}", text=text)
            self._state([Event(kind=kinds.SITE_REFUSED, severity="warning", text=text)])
            return
        if changed:
            self._state([Event(kind=kinds.SITE_CHANGED, text=told(self._site.keys))])
            for follow in self._followers:
                follow(self._site.keys)


def told(keys: SiteKeys) -> str:
    """What keys are good, in words; a key itself is never told."""
    if len(keys.accepted) == 1:
        return f"site key {mark(keys.present)} alone is good from now on"
    before = keys.accepted[1]
    return f"hosts are moved to site key {mark(keys.present)}; the one before, {mark(before)}, is still good"
