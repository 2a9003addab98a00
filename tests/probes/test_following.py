"""The probe that follows redirects: all that is proven of the plain one, and where it goes and does not go."""

from typing import Any

from twisted.internet import reactor as the_reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater

from monitor436.probes.names import Names
from monitor436.probes.probe import Failure
from monitor436.probes.web.following import FollowingProbe
from monitor436.probes.web.hops import Hop, is_inside, onward
from tests.probes import test_http as plain
from tests.probes.servers import Server, ok

reactor: Any = the_reactor


class AnswerTests(plain.AnswerTests):
    """As the plain one."""

    made = FollowingProbe


class HostileTests(plain.HostileTests):
    """As the plain one."""

    made = FollowingProbe


class TlsTests(plain.TlsTests):
    """As the plain one."""

    made = FollowingProbe


class RoundTests(plain.RoundTests):
    """As the plain one."""

    rounds = 60  # each is four times the work

    made = FollowingProbe


def to(location: str, code: int = 302) -> Any:
    """A behaviour: a redirect."""
    return plain.page(b"%d Elsewhere" % code, b"Location: " + location.encode())


class RedirectTests(plain.ProbeCase):
    made = FollowingProbe

    async def test_as_many_as_it_may_are_followed(self) -> None:
        """All codes that say where; relative addresses too."""
        steps = {b"/0": 301, b"/1": 302, b"/2": 303, b"/3": 307, b"/4": 308}

        def behave(server: Server, request: bytes) -> None:
            path = request.split()[1]
            to(f"{int(path[1:]) + 1}", steps[path])(server, request) if path in steps else server.write(ok(b"there"))

        farm = self.farm(behave)
        self.assertEqual(await self.http(follow=5).probe(farm.target("/0")), b"there")
        failure = await self.failure(self.http(follow=4), farm.target("/0"))
        self.assertEqual(failure.reason, "redirect")

    async def test_a_circle_ends(self) -> None:
        """By the number, within the time of one exchange."""
        farm = self.farm(to("/status"))
        self.assertEqual((await self.failure(self.http(follow=10), farm.target())).reason, "redirect")
        self.assertEqual(len(farm.requests), 11)

    async def test_all_hops_share_one_time(self) -> None:
        """The second one hangs."""
        clock = plain.Timed()

        def behave(server: Server, request: bytes) -> None:
            if b"/status" in request:
                clock.time.advance(0.5)
                to("/x")(server, request)

        farm = self.farm(behave)
        told = Deferred.fromCoroutine(self.failure(self.http(0.6, on=clock, follow=3), farm.target()))
        await self.until(lambda: len(farm.requests) == 2)
        self.assertFalse(told.called)
        clock.time.advance(0.1)
        failure = await told
        self.assertEqual((failure.reason, failure.text), ("header", "it did not begin to answer within 0.6 s"))

    async def test_what_a_redirect_leads_to_is_bounded_as_well(self) -> None:
        """Its body, and what it is when unpacked."""
        for behave, reason in (plain.HOSTILE["never ends"], plain.HOSTILE["a gzip bomb"]):
            last = self.farm(behave)
            farm = self.farm(to(last.target().url))
            self.assertEqual((await self.failure(self.http(5.0, follow=1), farm.target())).reason, reason)

    async def test_nobody_from_elsewhere_leads_us_to_this_machine(self) -> None:
        """By an address or by a name, whatever connections are kept; who is here himself may."""
        here = self.farm(lambda server, request: server.write(ok(b"secret")))
        farm = self.farm(to(here.target(host="inner.example").url))
        public = {"web1.example": ["192.0.2.7"], "inner.example": ["127.0.0.1"]}
        probe = self.http(names=Names(reactor, public.__getitem__), follow=3)
        self.assertEqual(await probe.probe(farm.target()), b"secret")

        from monitor436.probes.web.ways import Way, agent_on

        way = Way(reactor, probe._names, probe._creators.of, 2.0)
        way.inside = False
        for host in ("127.0.0.1", "inner.example"):
            with self.assertRaises(Failure) as caught:
                await agent_on(way, probe._pools[False]).request(b"GET", here.target(host=host).url.encode())
            self.assertEqual(caught.exception.reason, "redirect")
        self.assertEqual(len(here.requests), 1)

    async def test_whoever_gives_up_is_not_told_that_the_target_failed(self) -> None:
        """A worker that ends gives its targets back: none of them has failed, in whatever phase it was."""
        for behave in (lambda server, request: None, lambda server, request: server.write(ok(b"xyz")[:-1])):
            farm = self.farm(behave)
            asked = Deferred.fromCoroutine(self.http(20.0, follow=1).probe(farm.target()))
            while not farm.requests:
                await deferLater(reactor, 0.01)
            await deferLater(reactor, 0.02)  # until the beginning of the answer is there, where there is one
            asked.cancel()
            with self.assertRaises(CancelledError):
                await asked

    async def test_secrets_stay_with_the_server_they_were_given_for(self) -> None:
        """Another port is another server."""
        other = self.farm(lambda server, request: server.write(ok()))
        farm = self.farm(to(other.target().url))
        await self.http(headers=[("X-Key", "secret")], follow=1).probe(farm.target())
        self.assertIn(b"X-Key: secret", farm.requests[0])
        self.assertNotIn(b"secret", other.requests[0])


class HopTests(plain.TestCase):
    def test_addresses_of_this_machine_and_its_link(self) -> None:
        """However they are written; a site's own private addresses are none."""
        for address in "127.0.0.1 127.9.9.9 0.0.0.0 ::1 :: ::ffff:127.0.0.1 169.254.169.254 fe80::1%eth0 x".split():
            self.assertTrue(is_inside(address), address)
        for address in ("192.0.2.7", "10.0.0.1", "192.168.1.1", "2001:db8::7", "fd00::1"):
            self.assertFalse(is_inside(address), address)

    def test_where_nobody_should_follow(self) -> None:
        """Each is said."""
        begin = Hop("https", "web1.example", 443, "/status")
        for location in (b"ftp://a/", b"http://web1.example/", b"https://me:pw@a/", b"file:///etc/passwd", b"//[x/",
                         b"https://a:99999/", b"/" + b"x" * 3000, b"\xff\xfe://"):  # fmt: skip
            with self.assertRaises(Failure, msg=str(location)) as caught:
                self.fail(str(onward(begin, location)))
            self.assertEqual(caught.exception.reason, "redirect")
        self.assertEqual(onward(begin, b"../a?b=c#d").url, "https://web1.example:443/a?b=c")
