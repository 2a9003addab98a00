"""The keys of a site: the one in use and, while hosts are moved to it, the one before."""

from typing import NamedTuple

from monitor436.agent import wire


class SiteKeys(NamedTuple):
    """What all other keys of a site are derived from. `before` is None while no rotation is under way."""

    present: bytes
    before: bytes | None = None

    @property
    def accepted(self) -> tuple[bytes, ...]:
        """The keys under which hosts are heard, the present one first."""
        return (self.present,) if self.before in (None, self.present) else (self.present, self.before)

    def for_beacons(self) -> list[wire.Key]:
        """The keys under which beacons are tagged, the present one first."""
        return [wire.Key(wire.beacon_key(key)) for key in self.accepted]


def mark(site_key: bytes) -> str:
    """What a site key is known by where the key itself must not stand: 8 hex characters, derived from it."""
    return wire.Key(site_key).digest(b"m436/1 mark")[:4].hex()
