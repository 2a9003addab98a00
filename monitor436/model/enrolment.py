"""Which key a host's name belongs to: the first that joined and greeted. Pure: what changes is returned, to be kept."""

from msgspec import Struct


class Bound(Struct, frozen=True):
    """A name and the key it belongs to. `greeted`: the key was used; until then a join may try again."""

    name: str
    serial: str
    generation: int = 0
    greeted: bool = False


class Enrolment:
    """The names of a site, as this server knows them."""

    def __init__(self, kept: list[Bound]) -> None:
        self._bound: dict[str, Bound] = {}
        for bound in kept:
            self._bound[bound.name] = bound

    def __len__(self) -> int:
        return len(self._bound)

    def join(self, name: str, serial: str) -> Bound | None:
        """A host asks for a key under `name`, to be made with the new `serial`: what to keep, or None if it is taken.

        A name that was given out but never greeted with is given out again: the first answer may have been lost.
        """
        held = self._bound.get(name)
        if held is not None and held.greeted:
            return None
        return self._keep(Bound(name, serial))

    def allows(self, name: str, serial: str, generation: int) -> bool:
        """Whether this key may use the name: nobody else has greeted under it."""
        held = self._bound.get(name)
        return held is None or not held.greeted or (held.serial, held.generation) == (serial, generation)

    def bind(self, name: str, serial: str, generation: int) -> Bound | None:
        """A host is heard that is allowed to use the name: what to keep, if that is news."""
        held = self._bound.get(name)
        if held is not None and held.greeted:
            return None
        return self._keep(Bound(name, serial, generation, True))

    def _keep(self, bound: Bound) -> Bound:
        self._bound[bound.name] = bound
        return bound
