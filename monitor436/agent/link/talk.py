"""The socket over which this host and its servers speak: what arrives is opened and handed on, answers go out."""

import socket
from collections.abc import Callable, Mapping

from monitor436.agent import wire
from monitor436.agent.link import sockets
from monitor436.agent.link.homing import Homing, Server


class Talk:
    """Both directions of it. `say(text)` is for whoever reads the console.

    `welcome(greeting, datagram, address, now)` takes greetings that were answered; `answers` holds by type of datagram
    what takes it, called with (server, message, now).
    """

    def __init__(
        self,
        homing: Homing,
        welcome: "Callable[[wire.Greeting, bytes, tuple[str, int], float], None]",
        answers: "Mapping[int, Callable[[Server, dict[str, object], float], None]]",
        say: "Callable[[str], None]",
    ) -> None:
        self.calm = False  # what arrived last asks for nothing
        self.refused = {}  # type: dict[str, int]  # datagrams by reason; "send": those that could not go out
        self._homing = homing
        self._welcome = welcome
        self._answers = answers
        self._say = say
        self._socket = None  # type: socket.socket | None
        self._body, self._message = b"{}", {}  # type: bytes, dict[str, object]

    def over(self, talks: socket.socket) -> None:
        """Use that socket from now on."""
        self._socket = talks

    def hear(self, now: float) -> None:
        """Take what has arrived. What cannot be opened is counted, and gets no answer."""
        self.calm = True
        for datagram, address in sockets.arrived(self._socket):  # type: ignore[arg-type]
            try:
                header = wire.header(datagram)
                if header[0] == wire.WELCOME:
                    self.calm = False
                    self._welcome(wire.open_greeting(datagram), datagram, address, now)
                    continue
                server, body = self._homing.open(header, datagram, now)
                answer = self._answers.get(header[0])
                if answer is None:
                    raise wire.WireError("type")
                if body != self._body:  # most say what the one before said
                    self._message = wire.parse(body)
                    self.calm = False
                self._body = body
                self.calm = self.calm and header[0] == wire.BEATACK
                answer(server, self._message, now)
            except wire.WireError as refused:
                self.count(refused)

    def tell(self, server: Server, kind: int, body: bytes = b"{}") -> None:
        """Send a server something in its session, which it must have."""
        self.send(server.session.seal(kind, body), server.address)  # type: ignore[union-attr]

    def send(self, datagram: bytes, address: "tuple[str, int]") -> None:
        """Send a datagram as it is. One that cannot go out is as if the network had lost it: no route, or no room."""
        try:
            self._socket.sendto(datagram, address)  # type: ignore[union-attr]
        except OSError as problem:
            self.refused["send"] = self.refused.get("send", 0) + 1
            if self.refused["send"] == 1:
                self._say("{}:{}: {}".format(address[0], address[1], problem.strerror))

    def count(self, refused: wire.WireError) -> None:
        """A datagram was refused, here or where beacons are heard."""
        self.refused[refused.reason] = self.refused.get(refused.reason, 0) + 1

    def told_of_refused(self) -> "dict[str, str | int | float | bool]":
        """What was refused, and could not be sent, as fields of an event: nothing, or by reason, the most first."""
        most = sorted(self.refused.items(), key=lambda each: (-each[1], each[0]))
        return {"refused": ", ".join("{} {}".format(*each) for each in most)} if most else {}
