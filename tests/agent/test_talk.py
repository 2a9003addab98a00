"""The agent's side of the conversation: what arrives and cannot be opened."""

import socket
import unittest

from monitor436.agent import wire
from monitor436.agent.link.homing import Homing
from monitor436.agent.link.talk import Talk


class RefusedTests(unittest.TestCase):
    """What is refused gets no answer, and is counted by its reason."""

    def setUp(self) -> None:
        homing = Homing("web1", b"s" * 8, 0, b"k" * 32, dict, lambda size: b"r" * size)
        self.said = []  # type: list[str]
        self.talk = Talk(homing, self.fail, {}, self.said.append)
        self.ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        for each in (self.ours, self.theirs):
            each.setblocking(False)
            self.addCleanup(each.close)
        self.talk.over(_Named(self.ours))

    def test_nothing_refused_is_nothing_told(self) -> None:
        """Not even an empty field."""
        self.assertEqual(self.talk.told_of_refused(), {})

    def test_what_was_refused_is_told_by_reason_the_most_first(self) -> None:
        """With an answer to none of it."""
        stranger = wire.Key(b"x" * 32)
        self.theirs.send(wire.seal(stranger, wire.ACK, 0, 7, 1, b"{}"))
        for _ in range(3):
            self.theirs.send(b"hello")
        self.talk.count(wire.WireError("session"))  # as where beacons are heard
        self.talk.hear(0.0)
        self.assertEqual(self.talk.told_of_refused(), {"refused": "size 3, session 2"})
        with self.assertRaises(BlockingIOError):
            self.theirs.recv(2048)

    def test_what_cannot_be_sent_is_counted_too(self) -> None:
        """And said once."""
        self.theirs.close()
        for _ in range(2):
            self.talk.send(b"x", ("192.0.2.1", 4360))
        self.assertEqual(self.talk.told_of_refused(), {"refused": "send 2"})
        self.assertEqual(len(self.said), 1)


class _Named:
    """A socket whose other end has an address, as one of UDP has."""

    def __init__(self, inner):
        self._inner = inner

    def recvfrom(self, size):
        return self._inner.recv(size), ("192.0.2.1", 4360)

    def sendto(self, datagram, address):
        return self._inner.send(datagram)
