"""Certificates of the HTTP door and of clients, and the token that a certificate is given."""

import tempfile
from pathlib import Path

from cryptography import x509
from twisted.trial.unittest import SynchronousTestCase

from monitor436.model.settings.http import Http
from monitor436.ordered import StartError
from monitor436.web.door import HttpDoor
from monitor436.web.route import Call, Route
from monitor436.web.tls import Tls
from tests.web.authority import Authority, escaped, written
from tests.web.conversation import NOW, Answered, ask, door

PROXY = "198.51.100.7"
WEB1 = x509.DNSName("web1")


async def post(call: Call) -> str:
    """Numbers of a host."""
    call.identity.only_for(call.values["host"])
    return f"{call.identity.name} {call.identity.via}"


class CertificateTests(SynchronousTestCase):
    """Files, and whom certificates name."""

    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.authority = Authority()
        self.server = self.authority.signed(x509.DNSName("localhost"), client=False)
        self.files = written(self.folder, server=self.server, ca=self.authority.pem)

    def test_what_cannot_be_used_is_told_in_a_sentence(self) -> None:
        """With the file's name."""
        files = written(self.folder, other=self.authority.signed(), rubbish=b"rubbish")
        for given, says in (
            (("none.pem", "", ""), "none.pem: No such file"),
            ((files["rubbish"], "", ""), "expected PEM certificates"),
            ((self.files["server"], files["rubbish"], ""), "private key"),
            ((self.files["server"], files["other"], ""), "is not that of"),
            ((self.files["server"], "", files["rubbish"]), "rubbish.pem: expected PEM"),
        ):
            with self.assertRaises(StartError) as caught:
                Tls(*given)
            self.assertIn(says, str(caught.exception))

    def test_a_certificate_that_was_renewed_is_used_from_the_next_connection_on(self) -> None:
        """One that is broken is not, and the one before stays."""
        tls = Tls(self.files["server"], "", "")
        before = tls.getContext()
        self.assertIs(tls.getContext(), before)
        (self.folder / "server.pem").write_bytes(self.authority.signed(x509.DNSName("localhost"), client=False))
        tls.reload()
        after = tls.getContext()
        self.assertIsNot(after, before)
        (self.folder / "server.pem").write_bytes(b"half")
        with self.assertRaises(StartError):
            tls.reload()
        self.assertIs(tls.getContext(), after)

    def test_only_certificates_of_the_authority_that_are_for_clients_name_anybody(self) -> None:
        """Neither its copy, one that has expired, a server's, nor one without a SAN."""
        tls = Tls("", "", self.files["ca"])
        shown = tls.forwarded(escaped(self.authority.signed(WEB1)))
        self.assertEqual(shown, ("web1", ("web1",)))
        stranger = Authority()
        for pem in (
            stranger.signed(WEB1),
            self.authority.signed(WEB1, days=-1),
            self.authority.signed(WEB1, client=False),
            self.authority.signed(),
        ):
            self.assertIsNone(tls.forwarded(escaped(pem)))
        for rubbish in ("", "rubbish", "%", "-----BEGIN CERTIFICATE-----", "%ff" * 100):
            self.assertIsNone(tls.forwarded(rubbish))

    def test_names_of_hosts_stand_in_dns_names_and_in_two_forms_of_uris(self) -> None:
        """Wildcards name nobody; what is no host's name stays a name."""
        tls = Tls("", "", self.files["ca"])
        uri = x509.UniformResourceIdentifier
        for names, hosts in (
            ([x509.DNSName("WEB1.Example.org"), x509.DNSName("web1")], ("web1.example.org", "web1")),
            ([x509.DNSName("*.example.org"), x509.DNSName("web1")], ("web1",)),
            ([uri("urn:monitor436:host:web2")], ("web2",)),
            ([uri("spiffe://example.org/host/web3")], ("web3",)),
            ([uri("spiffe://example.org/host/web3/x"), uri("https://example.org/web4")], ()),
            ([uri("urn:monitor436:host:..%2f")], ()),
        ):
            shown = tls.forwarded(escaped(self.authority.signed(*names)))
            assert shown is not None
            self.assertEqual(shown.hosts, hosts)


class TokenPageTests(SynchronousTestCase):
    """POST /api/token, through a proxy that passes certificates."""

    def setUp(self) -> None:
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.authority = Authority()
        self.http = Http(
            client_ca=written(folder, ca=self.authority.pem)["ca"],
            client_certificate="X-Client-Cert",
            trusted_proxies=("198.51.100.0/24",),
            token_life=600.0,
        )
        self.door = door(Route("POST", "/api/perf/{host}", "metrics", post, "Post."), http=self.http)
        self.door.prepare()

    def get(self, pem: bytes | None, body: bytes = b"", peer: str = PROXY) -> Answered:
        """Ask for a token."""
        lines = [f"X-Client-Cert: {escaped(pem)}"] if pem else []
        return ask(self.door, "POST", "/api/token", "", body, *lines, peer=peer)

    def posted(self, host: str, token: str, door: HttpDoor | None = None) -> int:
        """The status of a post for a host."""
        return ask(door or self.door, "POST", f"/api/perf/{host}", token).status

    def test_a_host_gets_a_token_and_posts_with_it_for_itself_alone(self) -> None:
        """As long as it is good, also at another server of the site."""
        given = self.get(self.authority.signed(WEB1))
        self.assertEqual(given.status, 201)
        told = given.value
        self.assertEqual((told["host"], told["scope"], told["expires"]), ("web1", "metrics", NOW + 600))
        self.assertEqual((self.posted("web1", told["token"]), self.posted("web2", told["token"])), (200, 403))
        other = door(Route("POST", "/api/perf/{host}", "metrics", post, "Post."))
        self.assertEqual(self.posted("web1", told["token"], other), 200)

    def test_a_certificate_of_several_hosts_may_choose(self) -> None:
        """Among those."""
        pem = self.authority.signed(WEB1, x509.DNSName("web2"))
        self.assertEqual(self.get(pem, b'{"host":"web2"}').value["host"], "web2")
        self.assertEqual(self.get(pem, b'{"host":"web3"}').status, 403)
        self.assertEqual(self.get(self.authority.signed(x509.UniformResourceIdentifier("https://a/b"))).status, 403)

    def test_of_two_certificates_nobody_says_whose_they_are(self) -> None:
        """A proxy that adds its header behind one that the client sent, in whatever case."""
        pem = self.authority.signed(WEB1)
        lines = [
            f"x-client-cert: {escaped(pem)}",
            f"X-Client-Cert: {escaped(self.authority.signed(x509.DNSName('web2')))}",
        ]
        answered = ask(self.door, "POST", "/api/token", "", b"", *lines, peer=PROXY)
        self.assertEqual((answered.status, "more than one" in answered.value["detail"]), (400, True))

    def test_without_a_trusted_certificate_there_is_none(self) -> None:
        """Nor for whoever says that he is a proxy, nor for a token that was got with a certificate."""
        pem = self.authority.signed(WEB1)
        self.assertEqual(self.get(None).status, 401)
        self.assertEqual(self.get(Authority().signed(WEB1)).status, 401)
        self.assertEqual(self.get(pem, peer="192.0.2.9").status, 401)
        token = self.get(pem).value["token"]
        self.assertEqual(ask(self.door, "POST", "/api/token", token, b"").status, 401)

    def test_a_certificate_alone_opens_nothing_else(self) -> None:
        """It is good for a token."""
        lines = [f"X-Client-Cert: {escaped(self.authority.signed(WEB1))}"]
        self.assertEqual(ask(self.door, "POST", "/api/perf/web1", "", None, *lines, peer=PROXY).status, 401)
