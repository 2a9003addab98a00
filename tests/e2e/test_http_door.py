"""The HTTP door of a real server, by curl: direct with TLS, and the same behind nginx on a sub-path."""

import os
import shutil
import socket
import time
import unittest
from pathlib import Path

from cryptography import x509
from msgspec import structs

from monitor436.model.settings.http import Http
from tests.e2e import curl as curl_here
from tests.e2e.curl import Curled, curl
from tests.e2e.patience import eventually, pause
from tests.e2e.ports import LOOPBACK, free_port
from tests.e2e.processes import ROOT, Process
from tests.e2e.servers import SOON, Server, on_loopback
from tests.e2e.stage import Stage
from tests.test_docs import blocks
from tests.web.authority import Authority, written

NGINX = None if shutil.which("nginx", path="/usr/sbin:" + os.environ["PATH"]) else "no nginx here (Debian's package)"
FRAME = """\
daemon off;
master_process off;  # a worker would outlive one that is killed
user root;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{server}
}}
"""
FLAT = 24 << 20  # bytes by which a server may grow that is beset by clients who drip or never read


class Reached:
    """What is asked of a server, however it is reached at `url`."""

    def setUp(self) -> None:
        super().setUp()  # type: ignore[misc]
        self.folder: Path
        self.authority = Authority()
        names = (x509.DNSName("localhost"), x509.DNSName("monitor.example"))
        self.files = written(
            self.folder,
            ca=self.authority.pem,
            server=self.authority.signed(*names, client=False),
            web1=self.authority.signed(x509.DNSName("web1")),
            stranger=Authority().signed(x509.DNSName("web1")),
        )
        self.port = free_port()
        self.served = self.begin()

    def begin(self) -> Server:
        """A server that is reached at `url`."""
        raise NotImplementedError

    url: str

    def ask(self, path: str, *options: str | Path, token: str = "") -> Curled:
        """Ask over TLS that is verified."""
        return curl(self.url + path, "--cacert", self.files["ca"], *options, token=token)

    def token(self, name: str, scope: str) -> str:
        """A token made by the command."""
        status, text = self.served.command("token", "new", name, "--scope", scope)
        assert status == 0, text
        return text.strip()

    def test_tokens_open_what_they_are_for_until_they_are_revoked(self) -> None:
        """The server follows the command."""
        self.assertEqual(self.ask("/api/hosts").status, 401)  # type: ignore[attr-defined]
        reader = self.token("reader", "read")
        eventually(lambda: self.ask("/api/hosts", token=reader).status == 200, SOON, "the token is good")
        path = f"/api/perf/web1/{int(time.time())}"
        posted = self.ask(path, "-d", '{"cpu": 1}', token=reader)
        self.assertEqual((posted.status, posted.value["status"]), (403, 403))  # type: ignore[attr-defined]
        self.served.command("token", "revoke", "reader")
        eventually(lambda: self.ask("/api/hosts", token=reader).status == 401, SOON, "the token is refused")

    def test_a_host_with_a_certificate_gets_a_token_and_posts_its_numbers(self) -> None:
        """For itself alone; who reads them sees them."""
        reader = self.token("reader", "read")
        eventually(lambda: self.ask("/api/hosts", token=reader).status == 200, SOON, "the token is good")
        given = self.ask("/api/token", "-X", "POST", "-E", self.files["web1"])
        assert given.status == 201, given
        token, at = given.value["token"], int(time.time())
        posted = self.ask(f"/api/perf/web1/{at}", "-d", '{"cpu": 1.5}', token=token)
        other = self.ask(f"/api/perf/web2/{at}", "-d", '{"cpu": 1.5}', token=token)
        read = self.ask("/api/perf/web1", token=reader)
        statuses = (posted.status, other.status, read.status)
        self.assertEqual(statuses, (200, 403, 200), (posted, other))  # type: ignore[attr-defined]
        self.assertIn("cpu", read.text)  # type: ignore[attr-defined]
        self.assertEqual(self.ask("/api/token", "-X", "POST").status, 401)  # type: ignore[attr-defined]
        stranger = self.ask("/api/token", "-X", "POST", "-E", self.files["stranger"])
        self.assertIn(stranger.status, (0, 400, 401))  # type: ignore[attr-defined]

    def test_what_is_wrong_is_refused(self) -> None:
        """Sizes, tricks, methods; and the document says where this server is."""
        admin = self.token("admin", "admin")
        large = self.folder / "large"
        large.write_bytes(b"x" * (2 << 20))
        path = f"/api/perf/web1/{int(time.time())}"
        eventually(lambda: self.ask("/api/hosts", token=admin).status == 200, SOON, "the token is good")
        for status, (at, *options) in (
            (413, (path, "--data-binary", f"@{large}")),
            (413, (path, "--data-binary", f"@{large}", "-H", "Transfer-Encoding: chunked")),
            (400, (path, "-d", "{")),
            (422, (path, "-d", "[1]")),
            (400, ("/api/hosts/%2e%2e/x",)),
            (400, ("/api/hosts/a%2fb",)),
            (400, ("/api/events?most=-1",)),
            (405, ("/api/hosts", "-X", "PATCH")),
            (404, ("/api/nothing",)),
        ):
            found = self.ask(at, *options, token=admin)
            self.assertEqual((found.status, found.value["status"]), (status, status), (at, found))  # type: ignore[attr-defined]
        document = self.ask("/api/openapi.json").value
        self.assertEqual(document["servers"], [{"url": self.url}])  # type: ignore[attr-defined]


@unittest.skipIf(curl_here.ABSENT, curl_here.ABSENT or "")
class DirectTests(Reached, Stage):
    """Our own TLS."""

    def begin(self) -> Server:
        self.url = f"https://localhost:{self.port}"
        files = self.files
        http = Http(listen=f"{LOOPBACK}:{self.port}", certificate=files["server"], client_ca=files["ca"])
        return self.server(structs.replace(on_loopback(), http=http)).start()

    def test_a_new_certificate_is_used_after_hup(self) -> None:
        """A client that trusts another authority sees it."""
        other = Authority()
        files = written(self.folder, ca=other.pem, server=other.signed(x509.DNSName("localhost"), client=False))
        self.assertEqual(self.ask("/api/openapi.json").status, 0)
        self.served.hang_up()
        eventually(lambda: curl(self.url, "--cacert", files["ca"]).status, SOON, "the new certificate")


@unittest.skipIf(curl_here.ABSENT or NGINX, curl_here.ABSENT or NGINX or "")
class BehindNginxTests(Reached, Stage):
    """nginx as docs/http.md has it."""

    def begin(self) -> Server:
        front, files = free_port(), self.files
        self.url = f"https://localhost:{front}/monitor"
        [server] = blocks((ROOT / "docs/http.md").read_text(), "nginx")
        for told, ours in (
            ("listen 443", f"listen {LOOPBACK}:{front}"),
            ("/etc/nginx/tls/server.pem", files["server"]),
            ("/etc/nginx/tls/server.key", files["server"]),
            ("/etc/nginx/tls/hosts-ca.pem", files["ca"]),
            ("127.0.0.1:4380", f"{LOOPBACK}:{self.port}"),
        ):
            self.assertIn(told, server)
            server = server.replace(told, ours)
        conf = self.folder / "nginx.conf"
        conf.write_text(FRAME.format(folder=self.folder, server=server))
        argv = [shutil.which("nginx", path="/usr/sbin:" + os.environ["PATH"]) or "", "-c", conf, "-e", "stderr"]
        self.nginx = Process([*argv, "-p", self.folder], self.folder / "nginx.out")
        self.addCleanup(self.nginx.kill)
        http = Http(
            listen=f"{LOOPBACK}:{self.port}",
            base="/monitor",
            trusted_proxies=(LOOPBACK,),
            client_certificate="X-Client-Cert",
            client_ca=files["ca"],
        )
        started = self.server(structs.replace(on_loopback(), http=http)).start()
        eventually(lambda: self.ask("/api/openapi.json").status == 200, SOON, "nginx passes requests on")
        return started


class SlowClientTests(Stage):
    """Clients that drip, or never read, by the hundred."""

    def setUp(self) -> None:
        super().setUp()
        self.port = free_port()
        limits = {"header_time": 1.0, "body_time": 1.0, "answer_time": 3.0, "connections_each": 1000}
        http = Http(listen=f"{LOOPBACK}:{self.port}", without_token=("read", "metrics"), **limits)  # type: ignore[arg-type]
        self.served = self.server(structs.replace(on_loopback(), http=http)).start()

    def connected(self, send: bytes, many: int) -> list[socket.socket]:
        """So many clients that have sent this, as far as it was taken."""
        clients = []
        for _ in range(many):
            client = self.enterContext(socket.create_connection((LOOPBACK, self.port)))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.setblocking(False)
            clients.append(client)
            self.sent(client, send)
        return clients

    def sent(self, client: socket.socket, data: bytes) -> bool:
        """Whether some of it could be sent; a full or closed connection takes nothing."""
        try:
            return client.send(data) > 0
        except OSError:
            return False

    def resident(self) -> int:
        """Bytes of the server in memory."""
        assert self.served.process is not None
        status = Path(f"/proc/{self.served.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) << 10

    def connections(self) -> int:
        """Established connections of the server's side, as the kernel sees them."""
        mine = f":{self.port:04X}"
        lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return sum(line[1].endswith(mine) and line[3] == "01" for line in lines)

    def test_they_cost_little_and_are_ended_while_others_are_served(self) -> None:
        """Memory stays flat, connections go, and a good client gets its answer all the while."""
        ask = b"GET /api/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
        good = f"http://localhost:{self.port}/api/openapi.json"
        self.assertEqual(curl(good).status, 200)
        before = self.resident()
        drip = self.connected(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ", 100)
        body = b"POST /api/perf/web1/1 HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        endless = self.connected(body, 100)
        deaf = self.connected(ask * 200, 30)
        highest = before
        for _ in range(10):
            for client in drip:
                self.sent(client, b"x")
            for client in endless:
                self.sent(client, b"400\r\n" + b"x" * 1024 + b"\r\n")
            for client in deaf:
                self.sent(client, ask * 50)
            highest = max(highest, self.resident())
            self.assertEqual(curl(good).status, 200)
            pause(0.2)
        self.assertLess(highest - before, FLAT)
        eventually(lambda: self.connections() == 0, SOON, "all of them are gone")
        self.assertEqual(curl(good).status, 200)
