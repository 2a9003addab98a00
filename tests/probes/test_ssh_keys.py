"""Keys of ours: files that may be used and files that may not, and an agent that signs."""

import shutil
import struct
import tempfile
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from twisted.conch.ssh.common import NS, getNS
from twisted.conch.ssh.keys import Key
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.test import iosim
from twisted.trial.unittest import SynchronousTestCase

from monitor436.demo.ssh_hosts import new_key
from monitor436.probes.probe import Failure, Target
from monitor436.probes.ssh.keys import (
    LIST,
    LISTED,
    SIGN,
    SIGNED,
    FileKey,
    KeyRefused,
    algorithm,
    read_key,
    usual_keys,
)
from monitor436.probes.ssh.openssh import OpenSshProbe
from monitor436.probes.ssh.ring import KeyRing


class FileTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.file = self.folder / "id"

    def written(self, content: bytes, mode: int = 0o600) -> Path:
        """A file with that content."""
        self.file.write_bytes(content)
        self.file.chmod(mode)
        return self.file

    def refused(self, content: bytes, mode: int = 0o600) -> str:
        """The sentence about it."""
        with self.assertRaises(KeyRefused) as wrong:
            read_key(self.written(content, mode))
        return str(wrong.exception)

    def test_keys_of_every_kind_are_read(self) -> None:
        """As OpenSSH writes them, in both of its forms."""
        for made, type in (
            (new_key(), b"ssh-ed25519"),
            (Key(ec.generate_private_key(ec.SECP256R1())), b"ecdsa-sha2-nistp256"),
            (Key(rsa.generate_private_key(65537, 2048)), b"ssh-rsa"),
        ):
            key = read_key(self.written(made.toString("openssh", subtype="v1")))
            self.assertEqual((key.type, key.blob), (type, made.public().blob()))
            signed = self.successResultOf(key.sign(b"data", algorithm(type, b"")))
            self.assertTrue(made.public().verify(signed, b"data"))

    def test_what_cannot_be_used_is_told_in_a_sentence(self) -> None:
        """Encrypted, open to others, public, empty, something else, not there."""
        key = new_key()
        private = key.toString("openssh")
        self.assertIn("ssh-add", self.refused(key.toString("openssh", passphrase=b"secret")))
        self.assertIn("chmod 600", self.refused(private, 0o640))
        self.assertIn("public key", self.refused(key.public().toString("openssh")))
        for junk in (b"", b"\xff" * 100, private[:60], b"x" * 100_000):
            self.assertIn("no private key", self.refused(junk))
        self.file.unlink()
        with self.assertRaisesRegex(KeyRefused, "No such file"):
            read_key(self.file)

    def test_of_the_usual_files_those_that_can_be_used_are(self) -> None:
        """The others say nothing."""
        self.written(new_key().toString("openssh"))
        self.assertEqual(len(usual_keys([str(self.folder / "none"), str(self.file)])), 1)

    def test_rsa_signs_with_what_the_host_accepts_and_never_with_sha_1(self) -> None:
        """A host that says nothing gets the better one."""
        self.assertEqual(algorithm(b"ssh-rsa", b""), b"rsa-sha2-512")
        self.assertEqual(algorithm(b"ssh-rsa", b"ssh-rsa,rsa-sha2-256"), b"rsa-sha2-256")
        self.assertEqual(algorithm(b"ssh-rsa", b"ssh-rsa"), b"rsa-sha2-512")
        self.assertEqual(algorithm(b"ssh-ed25519", b"rsa-sha2-256"), b"ssh-ed25519")


class Holder(Protocol):
    """An agent that holds keys; `says` is what it answers instead, once it is not None."""

    keys: list[Any] = []
    says: bytes | None = None
    flags: list[int] = []

    def dataReceived(self, data: bytes) -> None:
        kind, rest = data[4], data[5:]
        if self.says is not None:
            answer = self.says
        elif kind == LIST:
            listed = b"".join(NS(key.public().blob()) + NS(b"comment") for key in self.keys)
            answer = bytes((LISTED,)) + struct.pack(">L", len(self.keys)) + listed
        else:
            assert kind == SIGN
            blob, message, flags = getNS(rest, 2)
            self.flags.append(flags[3])
            (key,) = (key for key in self.keys if key.public().blob() == blob)
            how = {4: b"rsa-sha2-512", 2: b"rsa-sha2-256", 0: key.sshType()}[flags[3]]
            answer = bytes((SIGNED,)) + NS(key.sign(message, how))
        self.transport.write(struct.pack(">L", len(answer)) + answer)  # type: ignore[union-attr]


class Machine(Clock):
    """A clock, and a socket at which `holder` listens."""

    def __init__(self, holder: Holder | None) -> None:
        super().__init__()
        self.holder = holder
        self.pump: Any = None

    def connectUNIX(self, path: str, factory: Any, timeout: float) -> None:
        """As a reactor does it."""
        if self.holder is None:
            from twisted.internet.error import ConnectError
            from twisted.python.failure import Failure as Problem

            factory.clientConnectionFailed(None, Problem(ConnectError(string="no such file")))
            return
        agent = factory.buildProtocol(UNIXAddress(path))
        fakes = iosim.makeFakeServer(self.holder), iosim.makeFakeClient(agent)
        self.pump = iosim.connect(self.holder, fakes[0], agent, fakes[1])


class AgentTests(SynchronousTestCase):
    def ring(self, holder: Holder | None, *files: Any) -> tuple[KeyRing, Machine]:
        """Keys of files and of an agent, which was asked what it has."""
        machine = Machine(holder)
        ring = KeyRing(machine, [FileKey(key) for key in files], "/agent")
        opened = Deferred.fromCoroutine(ring.open())
        if machine.pump is not None:
            machine.pump.flush()
        machine.advance(10.0)
        if machine.pump is not None:
            machine.pump.flush()
        self.successResultOf(opened)
        self.assertEqual(machine.getDelayedCalls(), [])
        return ring, machine

    def test_its_keys_sign(self) -> None:
        """RSA with SHA-2, as it is told; a key that is in a file too is not shown twice."""
        ed, rsa_key, in_file = new_key(), Key(rsa.generate_private_key(65537, 2048)), new_key()
        holder = Holder()
        holder.keys, holder.flags = [ed, rsa_key, in_file], []
        ring, machine = self.ring(holder, in_file)
        keys = ring.keys("web1")
        self.assertEqual([key.blob for key in keys], [key.public().blob() for key in (in_file, ed, rsa_key)])
        for key, pair in zip(keys[1:], (ed, rsa_key), strict=True):
            signed = key.sign(b"data", algorithm(key.type, b""))
            machine.pump.flush()
            self.assertTrue(pair.public().verify(self.successResultOf(signed), b"data"))
        self.assertEqual(holder.flags, [0, 4])

    def test_an_agent_that_is_not_there_or_speaks_nonsense_gives_no_keys(self) -> None:
        """And says why; also one that says nothing at all."""
        self.assertIn("no agent answers", self.ring(None)[0].lacking)
        for says in (b"\x05", b"", b"\xff" * 300_000):
            holder = Holder()
            holder.says = says
            ring, _ = self.ring(holder)
            self.assertEqual(ring.keys("web1"), [])
            self.assertTrue(ring.lacking)
        silent = Holder()
        silent.dataReceived = lambda data: None  # type: ignore[method-assign]
        self.assertIn("gone", self.ring(silent)[0].lacking)

    def test_one_that_goes_away_fails_what_waits(self) -> None:
        """A signature, for one."""
        holder = Holder()
        holder.keys = [new_key()]
        ring, machine = self.ring(holder)
        holder.dataReceived = lambda data: None  # type: ignore[method-assign]
        signed = ring.keys("web1")[0].sign(b"data", b"ssh-ed25519")
        holder.transport.loseConnection()  # type: ignore[union-attr]
        machine.pump.flush()
        self.failureResultOf(signed, KeyRefused)
        self.failureResultOf(ring.keys("web1")[0].sign(b"data", b"ssh-ed25519"), KeyRefused)


class OwnSshTests(SynchronousTestCase):
    def test_a_host_stands_behind_the_dashes(self) -> None:
        """Options before; a port only if it is another than usual."""
        probe = OpenSshProbe(None, 5.0, "uptime", "op", ["-o", "ProxyJump=bastion"])
        argv = probe.argv(Target("web1", "ssh://web1:22", "web1", 22))
        self.assertEqual(argv[-3:], ["--", "web1", "uptime"])
        self.assertEqual(argv[:3], ["ssh", "-o", "ProxyJump=bastion"])
        self.assertEqual(argv[argv.index("-l") + 1], "op")
        self.assertNotIn("-p", argv)
        argv = probe.argv(Target("a@web1:2222", "ssh://a@web1:2222", "web1", 2222))
        self.assertEqual((argv[argv.index("-l") + 1], argv[argv.index("-p") + 1]), ("a", "2222"))

    def test_no_host_gets_the_agent_unless_that_is_asked_for(self) -> None:
        """Of an option that is given twice ssh takes the first; those of the configuration come last."""
        target = Target("web1", "ssh://web1:22", "web1", 22)
        argv = OpenSshProbe(None, 5.0, options=["-o", "ForwardAgent=yes"]).argv(target)
        self.assertLess(argv.index("ForwardAgent=yes"), argv.index("ForwardAgent=no"))
        self.assertIn("ClearAllForwardings=yes", argv)
        self.assertLess(argv.index("ClearAllForwardings=yes"), argv.index("--"))

    def test_nothing_that_could_be_an_option_is_run(self) -> None:
        """Whoever made the target."""
        probe = OpenSshProbe(None, 5.0)
        for url, host in (("ssh://web1:22", "-oProxyCommand=id"), ("ssh://-lx@web1:22", "web1")):
            with self.assertRaises(Failure):
                probe.argv(Target("web1", url, host, 22))
