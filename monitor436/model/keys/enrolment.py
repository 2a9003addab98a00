"""Which key a host's name belongs to: the first that joined and greeted. Pure: what changes is returned, to be kept."""

from collections.abc import Callable
from typing import Literal

from msgspec import Struct, structs

MOST_WAITING = 1_000  # hosts that ask for approval at once

State = Literal["", "waiting", "approved", "forgotten"]
Way = Literal["", "token", "approved", "packed"]


class Bound(Struct, frozen=True, omit_defaults=True):
    """A name and the key it belongs to.

    `greeted`: the key was used; until then a join may try again. `state` is that of a join that needs approval, and
    `ask` what tells the machine that asked from others; "forgotten" frees the name. `site` is the mark of the site key
    from which the key comes that was used last. `way` is how the machine got its key: it joined here with a token, or
    was approved; empty if it came with a key, packed into its file or given out by another server of the site.
    """

    name: str
    serial: str = ""
    generation: int = 0
    greeted: bool = False
    state: State = ""
    ask: str = ""
    address: str = ""
    site: str = ""
    way: Way = ""

    def came(self, packed_serial: str) -> Way:
        """How it got its key, if that is known: a file that was packed for it has this serial."""
        return "packed" if self.greeted and self.serial == packed_serial else self.way


class Enrolment:
    """The names of a site, as this server knows them.

    `least(name)` is the generation that a host's key must have at least: one more revokes the keys it had.
    """

    def __init__(self, kept: list[Bound], least: Callable[[str], int] = lambda name: 0) -> None:
        self.least = least
        self._bound: dict[str, Bound] = {}
        for bound in kept:
            self.take(bound)

    def __len__(self) -> int:
        return len(self._bound)

    def take(self, bound: Bound) -> None:
        """What was kept, by this server or by an operator's command."""
        if bound.state == "forgotten":
            self._bound.pop(bound.name, None)
        else:
            self._bound[bound.name] = bound

    def names(self) -> list[Bound]:
        """Every name that is somebody's, in alphabetical order."""
        return sorted(self._bound.values(), key=lambda bound: bound.name)

    def waiting(self) -> list[Bound]:
        """Joins that an operator has not approved yet."""
        return [bound for bound in self._bound.values() if bound.state == "waiting"]

    def of(self, name: str) -> Bound | None:
        """What is known of a name; None for one that is free."""
        held = self._bound.get(name)
        return None if held is None or (held.serial and held.generation < self.least(name)) else held

    def join(self, name: str, serial: str, ask: str = "", approve: bool = False, address: str = "") -> Bound | None:
        """A host asks for a key under `name`, to be made with the new `serial`: what to keep, or None if it is taken.

        A name that was given out but never greeted with is given out again: the first answer may have been lost. Where
        joins have to be `approve`d, what comes first is "waiting", until an operator approves that very machine.
        """
        held = self.of(name)
        if held is not None and held.greeted:
            return None
        if approve:
            if held is None:
                full = len(self.waiting()) >= MOST_WAITING
                return None if full else self._keep(Bound(name, state="waiting", ask=ask, address=address))
            if held.ask != ask:
                return None
            if held.state == "waiting":
                return held
        way: Way = "approved" if approve else "token"
        return self._keep(Bound(name, serial, self.least(name), ask=ask, address=address, way=way))

    def allows(self, name: str, serial: str, generation: int) -> bool:
        """Whether this key may use the name: it is not revoked, and nobody else has greeted under it."""
        if generation < self.least(name):
            return False
        held = self.of(name)
        return held is None or not held.greeted or (held.serial, held.generation) == (serial, generation)

    def bind(self, name: str, serial: str, generation: int, site: str = "") -> Bound | None:
        """A host is heard that is allowed to use the name: what to keep, if that is news.

        `site` is the mark of the site key from which its key comes.
        """
        held = self.of(name)
        if held is not None and held.greeted:
            moved = (held.serial, held.generation) == (serial, generation) and held.site != site
            return self._keep(structs.replace(held, site=site)) if moved else None
        before = held or Bound(name)
        way = before.way if before.serial == serial else ""
        return self._keep(
            structs.replace(before, serial=serial, generation=generation, greeted=True, state="", site=site, way=way)
        )

    def behind(self, site: str) -> list[Bound]:
        """The hosts that were heard, but not yet with a key from the site key of this mark."""
        return [bound for bound in self.names() if bound.greeted and bound.site != site]

    def _keep(self, bound: Bound) -> Bound:
        self._bound[bound.name] = bound
        return bound
