"""Hosts over ssh: those that answer, and every way in which they may not. No port is opened, no time passes."""

import shutil
import struct
import tempfile
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from twisted.conch.ssh import connection, transport
from twisted.conch.ssh.common import NS
from twisted.conch.ssh.keys import Key
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from monitor436.demo.ssh_hosts import SshHost, known_line, new_key, proc_uptime
from monitor436.model.sweep.remote import Said, read_said, write_said
from monitor436.model.sweep.uptime import COMMAND
from monitor436.probes.names import Names
from monitor436.probes.probe import REASONS, Failure, Target
from monitor436.probes.ssh.client import Limits, SshProbe
from monitor436.probes.ssh.keys import FileKey
from monitor436.probes.ssh.known_hosts import KnownHosts
from monitor436.probes.ssh.ring import KeyRing
from monitor436.probes.ssh.transport import CIPHERS, EXCHANGES, MACS, MOST_BANNER
from tests.probes.ssh_net import Net, rude

BANNER = b"SSH-2.0-Rude\r\n"
BOOT = "6f0e1d30-9d1c-4c39-8d5d-0f2d8ad2c3aa"
LIMITS = Limits(1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
ANSWER = proc_uptime(lambda: 123.45, BOOT)
SAID = Said(0, f"123.45 1.00\n{BOOT}\n".encode(), b"")


class SshCase(SynchronousTestCase):
    """Shared: a network, a key of ours, a host's key."""

    our_key = new_key()
    host_key = new_key()

    def setUp(self) -> None:
        self.net = Net()
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.known = self.folder / "known_hosts"
        self.known.write_text(known_line("web*", self.host_key))

    def probe(self, keys: list[Any] | None = None, **changes: Any) -> SshProbe:
        """What asks; as `op`."""
        ring = KeyRing(self.net, [FileKey(key) for key in (keys or [self.our_key])])
        known = KnownHosts([self.known], self.known)
        names = Names(self.net, lambda name: [name])
        given = {"user": "op", "limits": LIMITS, "names": names} | changes
        probe = SshProbe(self.net, given.pop("timeout", 60.0), ring, known, **given)
        names._known = {f"web{n}": (1e9, [f"10.0.0.{n}"]) for n in range(9)}
        return probe

    def host(self, key: Any = None, users: str = "op", keys: list[Any] | None = None, answers: Any = ANSWER) -> SshHost:
        """One that answers."""
        return SshHost(key or self.host_key, users, keys or [self.our_key], answers, self.net)

    def target(self, host: Any, number: int = 1, user: str = "") -> Target:
        """web1 is that host."""
        self.net.listen(f"10.0.0.{number}", host)
        return Target(f"web{number}", f"ssh://{user}web{number}:22", f"web{number}", 22)

    def begin(self, target: Target, probe: SshProbe | None = None) -> "Deferred[bytes]":
        """Ask."""
        return Deferred.fromCoroutine((probe or self.probe()).probe(target))

    def said(self, target: Target, probe: SshProbe | None = None) -> Said:
        """What it says in the end."""
        asked = self.begin(target, probe)
        self.net.settle(1.0)
        return read_said(self.successResultOf(asked))

    def failure(self, target: Target, probe: SshProbe | None = None, seconds: float = 60.0) -> Failure:
        """Why it fails; nothing is left that waits, and the connection is closed."""
        asked = self.begin(target, probe)
        self.net.settle(seconds)
        failure: Failure = self.failureResultOf(asked, Failure).value  # type: ignore[assignment]
        self.net.settle()
        self.assertIn(failure.reason, REASONS)
        self.assertTrue(failure.text.isprintable(), failure.text)
        self.assertEqual(self.net.getDelayedCalls(), [])
        self.assertEqual([pump.client.transport.disconnected for pump in self.net.pumps], [True] * len(self.net.pumps))
        self.assertEqual(self.flushLoggedErrors(), [])
        return failure

    def scripted(self, does: dict[int, Any]) -> SshHost:
        """A host that answers messages of these kinds so, in place of what conch does."""
        host = self.host()

        class Scripted(transport.SSHServerTransport):
            def dispatchMessage(self, messageNum: int, payload: bytes) -> None:
                if messageNum in does:
                    does[messageNum](self)
                else:
                    super().dispatchMessage(messageNum, payload)

        host.protocol = Scripted
        return host


class AnswerTests(SshCase):
    def test_a_host_says_how_long_it_is_up(self) -> None:
        """Nothing is left that waits."""
        self.assertEqual(self.said(self.target(self.host())), SAID)
        self.net.settle()
        self.assertEqual(self.net.getDelayedCalls(), [])

    def test_keys_of_every_kind_let_us_in(self) -> None:
        """RSA signs with SHA-2."""
        for key in (rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())):
            ours = Key(key)
            self.assertEqual(self.said(self.target(self.host(keys=[ours])), self.probe([ours])), SAID)

    def test_host_keys_of_every_kind_are_verified(self) -> None:
        """A host is asked for the kind that it is known by."""
        for key in (rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP384R1())):
            theirs = Key(key)
            host = self.host(theirs)
            host.publicKeys[b"ssh-ed25519"], host.privateKeys[b"ssh-ed25519"] = self.host_key.public(), self.host_key
            self.known.write_text(known_line("web1", theirs))
            self.assertEqual(self.said(self.target(host)), SAID)

    def test_the_key_that_was_accepted_is_shown_first_the_next_time(self) -> None:
        """The others count as failed attempts."""
        keys = [new_key(), new_key(), self.our_key]
        probe, target = self.probe(keys), self.target(self.host())
        self.assertEqual(self.said(target, probe), SAID)
        self.assertEqual(probe.ring.keys("op@web1:22")[0].blob, self.our_key.public().blob())
        self.assertEqual(probe.ring.keys("op@web2:22")[0].blob, self.our_key.public().blob())

    def test_a_target_has_a_user_of_its_own(self) -> None:
        """Or the usual one."""
        self.assertEqual(self.said(self.target(self.host(users="root"), user="root@")), SAID)

    def test_exit_status_and_complaints_are_told(self) -> None:
        """They are no failure of the probe."""
        host = self.host(answers=lambda command: Said(3, command, b"no such thing\n"))
        said = self.said(self.target(host), self.probe(command="frob"))
        self.assertEqual(said, Said(3, b"frob", b"no such thing\n"))

    def test_what_is_asked_is_the_usual_command(self) -> None:
        """It is one that all shells understand."""
        host = self.host(answers=lambda command: Said(0, command, b""))
        self.assertEqual(self.said(self.target(host)).output.decode(), COMMAND)

    def test_a_body_is_read_as_it_was_written(self) -> None:
        """Whatever bytes are in it."""
        for said in (Said(0, b"", b""), Said(255, b"1 2\n\x00", b"\n\xff")):
            self.assertEqual(read_said(write_said(said)), said)


class HostKeyTests(SshCase):
    def test_unknown_changed_and_revoked_keys_are_failures(self) -> None:
        """Each with its sentence; nobody is shown who we are."""
        for text, words in {
            "": "is not known",
            known_line("web1", new_key()): "not the one",
            known_line("web1", self.host_key) + "@revoked " + known_line("*", self.host_key): "revoked",
        }.items():
            self.known.write_text(text)
            for accept_new in (False, True):
                if text or not accept_new:
                    failure = self.failure(self.target(self.host()), self.probe(accept_new=accept_new))
                    self.assertEqual(failure.reason, "host_key")
                    self.assertIn(words, failure.text)

    def test_new_keys_are_accepted_where_that_is_wanted(self) -> None:
        """And known from then on."""
        self.known.write_text("")
        self.assertEqual(self.said(self.target(self.host()), self.probe(accept_new=True)), SAID)
        self.assertEqual(self.known.read_text().split()[:2], ["web1", "ssh-ed25519"])
        self.assertEqual(self.said(self.target(self.host())), SAID)
        self.assertEqual(
            self.failure(self.target(self.host(new_key())), self.probe(accept_new=True)).reason, "host_key"
        )

    def test_a_key_is_not_kept_until_the_host_proves_that_it_is_its_own(self) -> None:
        """Anybody can show a public key."""
        self.known.write_text("")
        host = self.host()
        host.privateKeys = {b"ssh-ed25519": new_key()}
        failure = self.failure(self.target(host), self.probe(accept_new=True))
        self.assertEqual((failure.reason, self.known.read_text()), ("key_exchange", ""))

    def test_a_key_of_another_kind_than_agreed_is_refused(self) -> None:
        """A server may not choose."""
        host = self.host()
        other = Key(ec.generate_private_key(ec.SECP256R1()))
        host.publicKeys = {b"ssh-ed25519": other.public()}
        self.assertEqual(self.failure(self.target(host)).reason, "host_key")


class LoginTests(SshCase):
    def test_a_user_or_a_key_that_is_not_known_there_is_told(self) -> None:
        """How many keys were tried, and for whom."""
        for host in (self.host(users="root"), self.host(keys=[new_key()])):
            failure = self.failure(self.target(host))
            self.assertEqual(failure.reason, "authentication")
            self.assertIn("none of 1 keys for op", failure.text)

    def test_without_a_key_that_is_said(self) -> None:
        """And why the agent had none."""
        probe = self.probe()
        probe.ring = KeyRing(self.net, [])
        probe.ring.lacking = "no agent answers"
        self.assertIn("shown no key for op; no agent answers", self.failure(self.target(self.host()), probe).text)

    def test_more_than_a_key_cannot_be_shown(self) -> None:
        """Such as a one-time password."""
        host = self.scripted({50: lambda server: server.sendPacket(51, NS(b"password") + b"\1")})
        failure = self.failure(self.target(host))
        self.assertEqual((failure.reason, failure.text), ("authentication", "wants more than a key: password"))

    def test_a_host_that_takes_passwords_only_is_told(self) -> None:
        """It is not asked twice."""
        host = self.scripted({50: lambda server: server.sendPacket(51, NS(b"password") + b"\0")})
        self.assertIn(
            "it takes password only", self.failure(self.target(host), self.probe([new_key(), new_key()])).text
        )


class SilenceTests(SshCase):
    """Hosts that say nothing more, from each phase on: they cost the time of that phase and no more."""

    def test_each_phase_has_its_own_limit_and_its_own_class(self) -> None:
        """From the connection to the command."""
        silent = {
            "connect": None,
            "banner": rude(),
            "key_exchange": rude(BANNER),
            "authentication": self.scripted({50: lambda server: None}),
            "command": self.host(answers=lambda command: None),
        }
        for reason, host in silent.items():
            began = self.net.seconds()
            asked = self.begin(self.target(host))
            limit = getattr(LIMITS, reason)
            self.net.settle(limit - 0.01)
            self.assertNoResult(asked)
            self.net.settle(0.02)
            failure = self.failureResultOf(asked, Failure).value
            self.assertEqual((failure.reason, failure.text[-11:]), (reason, f"within {limit:g} s".rjust(11)[-11:]))
            self.assertLess(self.net.seconds() - began, limit + 0.1)
            self.net.settle()
            self.assertEqual(self.net.getDelayedCalls(), [])

    def test_a_name_that_is_not_answered_has_its_limit_too(self) -> None:
        """The resolver is asked in a thread, and not waited for."""
        probe = self.probe()
        probe.names.addresses = lambda name: Deferred()  # type: ignore[method-assign]
        asked = self.begin(self.target(self.host()), probe)
        self.net.settle(1.1)
        self.assertEqual(self.failureResultOf(asked, Failure).value.reason, "name")

    def test_all_phases_together_have_the_time_of_the_probe(self) -> None:
        """Whatever their limits are."""
        failure = self.failure(self.target(rude(BANNER)), self.probe(timeout=2.5), seconds=2.6)
        self.assertEqual((failure.reason, failure.text), ("key_exchange", "keys were not agreed on within 2.5 s"))

    def test_whoever_gives_up_leaves_nothing_behind(self) -> None:
        """In each phase."""
        for host in (None, rude(), rude(BANNER), self.host(answers=lambda command: None)):
            asked = self.begin(self.target(host))
            asked.addErrback(lambda problem: None)
            self.net.settle(0.5)
            asked.cancel()
            self.net.settle()
            self.assertEqual(self.net.getDelayedCalls(), [])


class RudeTests(SshCase):
    """Hosts that say too much, or something else."""

    def test_a_host_that_refuses_is_told_at_once(self) -> None:
        """Nothing listens there."""
        target = Target("web8", "ssh://web8:22", "web8", 22)
        self.assertEqual(self.failure(target, seconds=0).reason, "refused")

    def test_whoever_closes_the_connection_fails_in_that_phase(self) -> None:
        """With what it said, where that is no ssh."""
        for greeting, reason, words in (
            (b"", "banner", "closed the connection before it said that it speaks ssh"),
            (b"HTTP/1.1 400 Bad Request\r\n", "banner", "after 'HTTP/1.1 400 Bad Request'"),
            (BANNER, "key_exchange", "closed the connection before keys were agreed on"),
        ):
            failure = self.failure(self.target(rude(greeting, lambda server, data: server.transport.loseConnection())))
            self.assertEqual(failure.reason, reason)
            self.assertIn(words, failure.text)

    def test_a_host_that_ends_it_says_why(self) -> None:
        """Its words are made fit to print."""
        why = struct.pack(">L", 2) + NS(b"Too many authentication failures\x1b[2J") + NS(b"")
        host = self.scripted({50: lambda server: (server.sendPacket(1, why), server.transport.loseConnection())})
        failure = self.failure(self.target(host))
        self.assertEqual(failure.reason, "authentication")
        self.assertIn("ended the connection: Too many authentication failures", failure.text)

    def test_endless_banners_are_cut_short(self) -> None:
        """In one line or in many; also the line that says ssh."""
        line = b"x" * 100 + b"\r\n"
        for greeting in (b"x" * (MOST_BANNER + 1), line * 90, b"SSH-2.0-" + b"x" * 300 + b"\r\n"):
            self.assertEqual(self.failure(self.target(rude(greeting)), seconds=0).reason, "banner")

    def test_lines_before_the_one_that_says_ssh_are_allowed(self) -> None:
        """RFC 4253, section 4.2; and in pieces."""

        class Chatty(transport.SSHServerTransport):
            def connectionMade(self) -> None:
                for piece in (b"Wel", b"come\r", b"\nto web1\r\n"):
                    self.transport.write(piece)
                super().connectionMade()

        host = self.host()
        host.protocol = Chatty
        self.assertEqual(self.said(self.target(host)), SAID)

    def test_another_ssh_is_not_spoken(self) -> None:
        """Version 1 is broken."""
        self.assertEqual(self.failure(self.target(rude(b"SSH-1.5-old\r\n")), seconds=0).reason, "banner")

    def test_garbage_after_the_banner_is_told_as_such(self) -> None:
        """Of every length."""
        for junk in (b"\xff" * 64, b"\0" * 64, b"\0\0\0\x0c\x04\x14" + b"x" * 10, bytes(range(256)) * 8,
                     b"\0\0\x10\x04\x00" + b"\x14" * 4103):  # fmt: skip
            failure = self.failure(self.target(rude(BANNER + junk)))
            self.assertIn(failure.reason, ("key_exchange", "protocol"), junk)

    def test_a_host_without_a_common_algorithm_is_told_how_it_may_be_asked(self) -> None:
        """The operator's own ssh knows more of them."""
        host = self.host()

        class Modern(transport.SSHServerTransport):
            supportedCiphers = [b"chacha20-poly1305@openssh.com"]

        host.protocol = Modern
        failure = self.failure(self.target(host))
        self.assertEqual(failure.reason, "key_exchange")
        self.assertIn("--ssh", failure.text)

    def test_only_what_is_still_good_is_offered(self) -> None:
        """No SHA-1 signature, no MD5, no CBC, no compression."""
        offered = b",".join([*EXCHANGES, *CIPHERS, *MACS, *self.offered_host_keys()])
        for bad in (b"md5", b"cbc", b"3des", b"ssh-rsa", b"ssh-dss", b"group14-sha1", b"none"):
            self.assertNotIn(bad, offered)

    def offered_host_keys(self) -> list[bytes]:
        """What a host that is known by an RSA key is asked for."""
        from monitor436.probes.ssh.transport import host_keys

        self.assertEqual(host_keys(("ssh-rsa",))[0], b"rsa-sha2-512")
        return host_keys(("ssh-rsa",))

    def test_more_output_than_allowed_is_a_failure(self) -> None:
        """The window is what may be printed, so a host that keeps to it can send no more."""
        for count in (1001, 100_000):
            host = self.host(answers=lambda command, count=count: Said(0, b"x" * count, b""))
            self.assertEqual(self.failure(self.target(host), self.probe(limit=1000)).reason, "too_long")
        host = self.host(answers=lambda command: Said(0, b"x" * 500, b"y" * 501))
        self.assertEqual(self.failure(self.target(host), self.probe(limit=1000)).reason, "too_long")
        host = self.host(answers=lambda command: Said(0, b"x" * 500, b"y" * 500))
        self.assertEqual(len(self.said(self.target(host), self.probe(limit=1000)).output), 500)

    def test_a_host_that_sends_without_end_is_cut_off(self) -> None:
        """Whatever it sends: packets to be ignored, or more than the window."""
        for kind, payload in ((2, NS(b"x" * 30_000)), (2, NS(b"")), (94, struct.pack(">L", 0) + NS(b"x" * 30_000))):
            host = self.scripted({98: lambda server, kind=kind, payload=payload: [
                server.sendPacket(kind, payload) for _ in range(20 if len(payload) > 9 else 10_001)
            ]})  # fmt: skip
            self.assertEqual(self.failure(self.target(host)).reason, "too_long")

    def test_an_end_without_a_status_is_a_failure_of_the_command(self) -> None:
        """So is a signal, a refusal, and a session that is not opened."""
        peer = struct.pack(">L", 0)
        for kind, packets, words in (
            (98, [(97, peer)], "without an exit status"),
            (
                98,
                [(98, peer + NS(b"exit-signal") + b"\0" + NS(b"KILL") + b"\0" + NS(b"") + NS(b"")), (97, peer)],
                "KILL",
            ),
            (98, [(100, peer)], "does not run commands"),
            (90, [(92, peer + peer + NS(b"no more sessions") + NS(b""))], "opens no session: no more sessions"),
        ):
            host = self.scripted({kind: lambda server, packets=packets: [server.sendPacket(*each) for each in packets]})
            failure = self.failure(self.target(host))
            self.assertEqual(failure.reason, "command")
            self.assertIn(words, failure.text)

    def test_what_a_host_asks_of_us_is_refused(self) -> None:
        """Channels, global requests: the answer comes all the same."""

        class Asking(connection.SSHConnection):
            def serviceStarted(self) -> None:
                super().serviceStarted()
                self.sendGlobalRequest(b"hostkeys-00@openssh.com", b"")
                self.sendGlobalRequest(b"keepalive@openssh.com", b"", 1).addErrback(lambda problem: None)
                self.transport.sendPacket(90, NS(b"x11") + struct.pack(">3L", 7, 1000, 1000))

            def ssh_CHANNEL_OPEN_FAILURE(self, packet: bytes) -> None:
                refused.append(packet[:4])

        refused: list[bytes] = []
        host = self.host()
        host.services = {**host.services, b"ssh-connection": Asking}
        self.assertEqual(self.said(self.target(host)), SAID)
        self.assertEqual(refused, [struct.pack(">L", 7)])

    def test_new_keys_in_the_middle_of_it_do_not_begin_it_anew(self) -> None:
        """A server may exchange keys again at any time."""

        class Rekeying(connection.SSHConnection):
            def serviceStarted(self) -> None:
                super().serviceStarted()
                self.transport.sendKexInit()

        host = self.host()
        host.services = {**host.services, b"ssh-connection": Rekeying}
        self.assertEqual(self.said(self.target(host)), SAID)
