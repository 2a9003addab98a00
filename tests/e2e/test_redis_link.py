"""The way to Redis over a real redis-server: whatever becomes of it, calls end in time with a sentence; it heals."""

import tempfile
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

from msgspec import structs
from twisted.internet import reactor as the_reactor
from twisted.internet.defer import DeferredList, ensureDeferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from monitor436.model.settings.redis import Redis
from monitor436.redis_link import MOST_CALLS, RedisAway, RedisLink, RedisRefused
from tests.e2e.redis_server import ABSENT, RedisServer

reactor: Any = the_reactor
LIMIT = 0.3  # seconds a call may take, where that is the test
SLACK = 3.0  # seconds beyond it
PATIENCE = 30.0  # seconds a call may take where it is to be answered, however busy this machine is


class RedisTests(TestCase):
    """A redis-server, and links to it that are closed at the end."""

    skip = ABSENT
    limit = PATIENCE

    def server(self, *conf: str, **more: Any) -> RedisServer:
        server = RedisServer(conf, **more)
        self.addCleanup(server.close)
        return server.start()

    def link(self, server: RedisServer, **more: Any) -> RedisLink:
        settings = Redis(address=server.address, time_limit=self.limit)
        link = RedisLink(structs.replace(settings, **more), reactor)
        self.addCleanup(lambda: ensureDeferred(link.close()))
        return link

    def file(self, text: str) -> str:
        path = Path(tempfile.mkdtemp(), "file")
        path.write_text(text)
        return str(path)

    async def away(self, call: Awaitable[Any], within: float = 0.0) -> str:
        """The sentence of a call that fails in its time: by the timers of this process, which may stand still."""
        late: list[bool] = []
        time = reactor.callLater((within or self.limit) + SLACK, late.append, True)
        with self.assertRaises(RedisAway) as caught:
            await call
        self.assertEqual(late, [])
        time.cancel()
        return str(caught.exception)

    async def heals(self, link: RedisLink) -> None:
        """It answers again, with nothing done by the caller but to ask."""
        for _ in range(1200):
            try:
                self.assertEqual(await link.command("PING"), b"PONG")
            except RedisAway:
                await deferLater(reactor, 0.05)
            else:
                self.assertEqual(link.away, "")
                return
        self.fail(f"still away: {link.away}")


class AnswerTests(RedisTests):
    async def test_answers_come_as_bytes_and_numbers_as_redis_has_them(self) -> None:
        """Text that looks like a number stays text: counts and names are ours to read."""
        link = self.link(self.server())
        self.assertEqual(await link.command("SET", "a", "1.10"), b"OK")
        self.assertEqual(await link.command("GET", "a"), b"1.10")
        self.assertEqual(await link.command("INCRBY", "b", 5), 5)
        self.assertIsNone(await link.command("GET", "none"))
        self.assertEqual(await link.command("MGET", "a", "none", b"b"), [b"1.10", None, b"5"])

    async def test_a_refusal_has_its_code_and_the_others_of_its_pipeline_their_answers(self) -> None:
        """And the connection is as good as before."""
        link = self.link(self.server())
        answers = await link.pipeline([("SET", "a", "x"), ("INCR", "a"), ("GET", "a")])
        self.assertEqual((answers[0], answers[2]), (b"OK", b"x"))
        self.assertIsInstance(answers[1], RedisRefused)
        with self.assertRaises(RedisRefused) as caught:
            await link.command("XREADGROUP", "GROUP", "g", "me", "STREAMS", "s", ">")
        self.assertEqual(caught.exception.code, "NOGROUP")

    async def test_a_script_is_sent_once_and_also_after_redis_forgot_it(self) -> None:
        """EVALSHA, and EVAL where it is not known."""
        link = self.link(self.server())
        for _ in range(2):
            self.assertEqual(
                await link.script("add", "return redis.call('INCRBY', KEYS[1], ARGV[1])", ["k"], [2]) % 2, 0
            )
            await link.command("SCRIPT", "FLUSH")
        said = await self.away(link.script("wrong", "return nonsense(", [], []))
        self.assertIn("(script wrong)", said)

    async def test_a_blocking_link_does_not_hold_up_the_other(self) -> None:
        """And may be given more time than the usual."""
        link = self.link(self.server())
        other = link.blocking()
        waits = ensureDeferred(other.command("BLPOP", "list", 30, within=31.0))
        await deferLater(reactor, 0.1)
        await link.command("RPUSH", "list", "x")
        self.assertEqual(await waits, [b"list", b"x"])


class PassTests(RedisTests):
    async def test_a_password_is_read_from_its_file_and_a_wrong_one_is_told(self) -> None:
        """A file that is mended heals it: nobody starts anything again."""
        server = self.server("requirepass se cret".replace("se cret", '"se cret"'))
        path = self.file("wrong\n")
        link = self.link(server, password_file=path)
        self.assertIn("WRONGPASS", await self.away(link.command("PING")))
        Path(path).write_text("se cret\nsecond line\n")
        await self.heals(link)
        self.assertIn("NOAUTH", await self.away(self.link(server).command("PING")))
        self.assertIn("No such file", await self.away(self.link(server, password_file="/nowhere").command("PING")))

    async def test_a_user_of_an_acl_may_do_what_it_may(self) -> None:
        """Not even PING is needed."""
        server = self.server("user sweeper on >pass ~m436:* +get +set")
        link = self.link(server, user="sweeper", password_file=self.file("pass\n"))
        self.assertEqual(await link.command("SET", "m436:a", "1"), b"OK")
        self.assertIn("NOPERM", await self.away(link.command("FLUSHALL")))
        self.assertEqual(await link.command("GET", "m436:a"), b"1")


class TlsTests(RedisTests):
    async def test_tls_is_verified_by_authority_and_name(self) -> None:
        """A wrong authority is no connection, and a sentence."""
        folder = Path(tempfile.mkdtemp())
        right = pki(folder / "right")
        wrong = pki(folder / "wrong")
        server = self.server(tls=right)
        link = self.link(server, tls=True, ca=str(right[0]))
        self.assertEqual(await link.command("PING"), b"PONG")
        for ca in (str(wrong[0]), ""):
            self.assertIn(
                "certificate verify failed", await self.away(self.link(server, tls=True, ca=ca).command("PING"))
            )
        by_name = Redis(address=f"localhost:{server.port}", tls=True, ca=str(right[0]), time_limit=self.limit)
        link = RedisLink(by_name, reactor)
        self.assertIn("another name", await self.away(link.command("PING")))
        await link.close()
        self.assertIn("ended the connection", await self.away(self.link(server).command("PING")))
        unreadable = self.link(server, tls=True, ca=self.file("no certificate"))
        self.assertIn("expected PEM certificates", await self.away(unreadable.command("PING")))

    async def test_tls_to_a_server_without_it_is_told(self) -> None:
        """Within the limit."""
        link = self.link(self.server(), tls=True, time_limit=LIMIT)
        self.assertRegex(await self.away(link.command("PING"), LIMIT), "TLS|did not answer|ended")


class OutageTests(RedisTests):
    async def test_a_server_that_stops_is_away_at_once_and_heals_when_it_starts(self) -> None:
        """Calls on the way fail with it; later ones fail without waiting."""
        server = self.server()
        link = self.link(server)
        await link.command("PING")  # it is connected
        blocked = ensureDeferred(link.command("BLPOP", "list", 0, within=31.0))
        server.kill()
        self.assertIn("ended the connection", await self.away(blocked))
        while "does not listen" not in link.away:
            await deferLater(reactor, 0.01)
        self.assertIn("does not listen", await self.away(link.command("PING")))
        server.start()
        await self.heals(link)

    async def test_a_server_that_is_frozen_costs_each_call_its_time_and_no_more(self) -> None:
        """The connection is given up, so that nothing piles up on it; afterwards it heals."""
        server = self.server()
        link = self.link(server)
        await link.command("PING")
        server.freeze()
        link.time_limit = LIMIT
        calls = [ensureDeferred(link.command("SET", f"k{n}", "x" * 1000)) for n in range(2000)]
        outcomes = await DeferredList([ensureDeferred(self.away(call, LIMIT)) for call in calls], consumeErrors=True)
        self.assertTrue(all(well for well, _ in outcomes))
        self.assertIn("did not answer within 0.3 s", link.away)
        self.assertIn("did not answer", await self.away(link.command("PING"), LIMIT))
        server.thaw()
        link.time_limit = PATIENCE
        await self.heals(link)

    async def test_a_short_call_does_not_cut_off_the_others(self) -> None:
        """One that waits less than the usual time leaves the connection alone until that is over."""
        server = self.server()
        link = self.link(server)
        await link.command("PING")
        server.freeze()
        other = ensureDeferred(link.command("PING"))
        await self.away(link.command("PING", within=0.1), 0.1)
        server.thaw()
        self.assertEqual(await other, b"PONG")
        self.assertEqual(link.away, "")

    async def test_calls_that_wait_are_bounded(self) -> None:
        """One too many is told so, at once."""
        server = self.server()
        link = self.link(server)
        await link.command("PING")
        server.freeze()
        calls = [ensureDeferred(link.command("PING")) for _ in range(MOST_CALLS)]
        self.assertIn("calls to answer already", await self.away(link.command("PING")))
        server.thaw()
        outcomes = await DeferredList(calls, consumeErrors=True)
        self.assertEqual({outcome for _, outcome in outcomes}, {b"PONG"})
        self.assertEqual(await link.command("PING"), b"PONG")

    async def test_a_full_server_refuses_writes_and_still_answers(self) -> None:
        """maxmemory with noeviction: a refusal with its code, no outage."""
        link = self.link(self.server("maxmemory 2mb", "maxmemory-policy noeviction"))
        with self.assertRaises(RedisRefused) as caught:
            for n in range(100):
                await link.command("SET", f"k{n}", "x" * 100_000)
        self.assertEqual(caught.exception.code, "OOM")
        self.assertEqual(link.away, "")
        await link.command("FLUSHALL")
        self.assertEqual(await link.command("SET", "k", "x"), b"OK")

    async def test_a_name_that_is_not_known_and_a_port_where_nobody_listens(self) -> None:
        """Both are sentences; a closed link asks nobody."""
        link = RedisLink(Redis(address="nowhere.invalid:6379", time_limit=self.limit), reactor)
        self.assertIn("name is not known", await self.away(link.command("PING")))
        await link.close()
        self.assertIn("not asked any more", await self.away(link.command("PING")))


def pki(folder: Path) -> tuple[Path, Path, Path]:
    """An authority, and its certificate with key for 127.0.0.1."""
    import datetime
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    folder.mkdir()
    begin = datetime.datetime(2020, 1, 1)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in ("authority", "redis")]
    paths = (folder / "ca.pem", folder / "redis.pem", folder / "redis.key")
    for n in range(2):
        made = x509.CertificateBuilder(names[0], names[n], keys[n].public_key(), n + 1, begin, begin.replace(2100))
        made = made.add_extension(x509.BasicConstraints(ca=n == 0, path_length=None), critical=True)
        place = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        made = made.add_extension(place, critical=False)
        paths[n].write_bytes(made.sign(keys[0], hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    key = keys[1].private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    paths[2].write_bytes(key)
    return paths
