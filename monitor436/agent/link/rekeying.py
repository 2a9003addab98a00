"""Being moved to another key of the site: asked for at the TLS door, kept on disk, and only then used."""

import json
from collections.abc import Callable

from monitor436.agent.identity import Identity, StateError
from monitor436.agent.link.asking import Asking
from monitor436.agent.link.fetch import AT_MOST, NEVER, POLL, RETRY, turn_of
from monitor436.agent.link.homing import Homing, Server


class Rekeying:
    """At most one request at a time. `keep(identity)` puts the new key on disk, `moved(identity, now)` is called then.

    A server says with every answer that this host is to be moved, so what fails is tried again at one of the next.
    """

    def __init__(
        self,
        identity: Identity,
        pin: str,
        keep: "Callable[[Identity], None]",
        homing: Homing,
        moved: "Callable[[Identity, float], None]",
        say: "Callable[[str], None]",
        ask: "Callable[[dict[str, object], float], Asking]" = Asking,
    ) -> None:
        self.due = NEVER  # when `turn` is to be called
        self._identity = identity
        self._pin = pin
        self._keep = keep
        self._homing = homing
        self._moved = moved
        self._say = say
        self._ask = ask
        self._server = None  # type: Server | None
        self._asking = None  # type: Asking | None
        self._not_before = 0.0
        self._patience = RETRY

    def told(self, server: Server, message: "dict[str, object]", now: float) -> None:
        """A server has answered: perhaps that this host is to be moved."""
        if not message.get("rekey"):
            return
        if not self._homing.present(server):  # it was moved meanwhile, or at another server
            if server.greet_at == NEVER:
                server.move()
        elif self.due == NEVER and now >= self._not_before:
            self._server = server
            self.due = now + turn_of(self._identity.name, message.get("within"))

    def turn(self, now: float) -> None:
        """Ask for the key, or look whether there is an answer."""
        if self._asking is None:
            self._asking = self._ask(self._asked(), now)
        answer = self._asking.poll(now)
        self.due = now + POLL
        if answer is None:
            return
        self._asking = None
        self.due = NEVER
        try:
            identity = self._read(*answer)
            self._keep(identity)
        except (OSError, StateError, ValueError) as problem:
            self._say("not moved to another site key: {}".format(problem))
            self._not_before = now + self._patience
            self._patience = min(self._patience * 2, AT_MOST)
            return
        self._patience = RETRY
        self._identity = identity
        self._moved(identity, now)
        self._server.move()  # type: ignore[union-attr]

    def _read(self, status: int, text: str) -> Identity:
        """The identity that an answer gives. Raises ValueError."""
        if status != 200:
            raise ValueError(text.strip() or "status {}".format(status))
        try:
            given = json.loads(text)
            key, beacon_key = bytes.fromhex(given["key"]), bytes.fromhex(given["beacon_key"])
            same = given["serial"] == self._identity.serial.hex() and given["generation"] == self._identity.generation
        except (ValueError, KeyError, TypeError):
            raise ValueError("an answer that is not understood") from None
        if not same or len(key) != 32:
            raise ValueError("an answer for another host")
        return self._identity._replace(key=key, beacon_key=beacon_key)

    def _asked(self) -> "dict[str, object]":
        assert self._server is not None
        host, port = self._server.address[0], self._server.door
        return dict(self._identity.proof(), host=host, port=port, pin=self._pin, method="GET", path="/key")
