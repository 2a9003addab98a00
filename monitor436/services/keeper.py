"""Who passes the door: hosts by proof of their key, newcomers by a join token."""

from collections import OrderedDict
from collections.abc import Callable

from msgspec import Struct

from monitor436.agent import wire
from monitor436.model.keys.enrolment import Bound, Enrolment
from monitor436.site import Site

NONCES = 10_000  # proofs remembered, so that none is good twice


class JoinRequest(Struct, frozen=True):
    """What a host asks for."""

    name: str
    ask: str = ""  # what tells this machine from others, until it has a key


class Keeper:
    """Who may pass: hosts by proof of their key, newcomers by a join token. Answers or None; no sockets in here.

    `good(token)` tells whether a join token is valid, `random(n)` gives bytes, `keep(bound)` makes a binding durable.
    `approve`: an operator has to approve each join.
    """

    def __init__(
        self,
        site: Site,
        enrolment: Enrolment,
        keep: Callable[[Bound], None],
        good: Callable[[str], bool],
        random: Callable[[int], bytes],
        approve: bool = False,
    ) -> None:
        self._approve = approve
        self._site = site
        self._enrolment = enrolment
        self._keep = keep
        self._good = good
        self._random = random
        self._nonces: OrderedDict[tuple[str, str], None] = OrderedDict()

    def newcomer(self, authorization: str) -> bool:
        """Whether the request carries a join token."""
        scheme, _, token = authorization.partition(" ")
        return scheme == "Bearer" and self._good(token)

    def host(self, authorization: str, path: str) -> str | None:
        """The name of the host that proves its key with this request."""
        proven = self.proven(authorization, path)
        return None if proven is None else proven.name

    def proven(self, authorization: str, path: str) -> Bound | None:
        """Who proves a key with this request, under whichever key of the site: name, serial and generation."""
        words = authorization.split(" ")
        if len(words) != 6 or words[0] != "M436" or not wire.HOST_NAME.match(words[1]):
            return None
        _, name, serial, generation, nonce, proof = words
        try:
            who = name, bytes.fromhex(serial), int(generation)
            secrets = [wire.host_key(site_key, *who) for site_key in self._site.keys.accepted]
            expected = [wire.door_proof(secret, self._site.pin, nonce, path) for secret in secrets]
            if not any(wire.same_tag(each, proof) for each in expected):
                return None
            if not self._enrolment.allows(name, serial, int(generation)) or (name, nonce) in self._nonces:
                return None
        except (ValueError, TypeError):
            return None
        self._nonces[name, nonce] = None
        if len(self._nonces) > NONCES:
            self._nonces.popitem(last=False)
        return Bound(name, serial, int(generation))

    def join(self, asked: JoinRequest, address: str) -> Bound | None:
        """A binding for a name, kept: with a serial nobody had before, or waiting. None if it belongs to somebody."""
        before = self._enrolment.of(asked.name)
        bound = self._enrolment.join(asked.name, self._random(8).hex(), asked.ask, self._approve, address)
        if bound is not None and bound is not before:
            self._keep(bound)
        return bound

    def given(self, bound: Bound) -> dict[str, object]:
        """What a host gets that joined, or is moved to the present key of the site: its key, and that of beacons."""
        key = wire.host_key(self._site.key, bound.name, bytes.fromhex(bound.serial), bound.generation)
        beacon_key = wire.beacon_key(self._site.key).hex()
        return {"key": key.hex(), "serial": bound.serial, "generation": bound.generation, "beacon_key": beacon_key}

    def waits(self, name: str) -> bool:
        """Whether this name waits for approval already."""
        held = self._enrolment.of(name)
        return held is not None and held.state == "waiting"
