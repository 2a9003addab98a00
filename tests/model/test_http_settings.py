"""The settings of the HTTP door: what is refused before anybody can be harmed by it."""

import unittest

from msgspec import structs

from monitor436.binder import bind
from monitor436.model.settings.http import Http, place
from monitor436.model.settings.rendered import render
from monitor436.model.settings.whole import Settings
from monitor436.model.source import SettingsError
from monitor436.yaml_source import compose

PROXIED = "trusted_proxies: [127.0.0.1], client_ca: ca.pem"


def http(text: str) -> Http:
    """The section, from what stands in its braces."""
    return bind(compose(f"http: {{{text}}}", "s.yaml"), Settings, "").http


class HttpTests(unittest.TestCase):
    """Good ones and bad ones."""

    def test_as_it_comes_only_this_machine_reaches_it_and_needs_a_token(self) -> None:
        """Without a line of settings."""
        default = Http()
        self.assertEqual(place(default.listen), ("127.0.0.1", 4380))
        self.assertEqual((default.without_token, default.trusted_proxies, default.plain), ((), (), False))

    def test_what_is_not_safe_or_means_nothing_is_refused_with_a_sentence(self) -> None:
        """At its place."""
        for text, path, says in (
            ('listen: "0.0.0.0:4380"', "listen", "plain: true"),
            ('listen: "[::]:4380"', "listen", "plain: true"),
            ('listen: "192.0.2.1:0"', "listen", "plain: true"),
            ("listen: localhost:4380", "listen", "IP address and a port"),
            ('listen: "::1:4380"', "listen", "IP address and a port"),
            ('listen: "127.0.0.1"', "listen", "IP address and a port"),
            ('listen: "127.0.0.1:65536"', "listen", "IP address and a port"),
            ("key: k.pem", "key", "needs a certificate"),
            ("client_ca: ca.pem", "client_ca", "needs TLS"),
            ("base: monitor", "base", "/monitor"),
            ("base: /monitor/", "base", "/monitor"),
            ('base: "/.."', "base", "/monitor"),
            ("trusted_proxies: [127.0.0.1, proxy]", "trusted_proxies.1", "network or address"),
            ("trusted_proxies: [10.0.0.1/8]", "trusted_proxies.0", "network or address"),
            ("client_certificate: X-Client-Cert", "client_certificate", "needs trusted_proxies"),
            (f'client_certificate: "X: y", {PROXIED}', "client_certificate", "name of a header"),
            ("names: [Monitor]", "names.0", "lower case"),
            ('names: ["monitor:4380"]', "names.0", "lower case"),
            ("without_token: [admin]", "without_token.0", "none of its choices"),
            ("connections: 0", "connections", "at least 1"),
            ("header_time: 0s", "header_time", "at least 1s"),
        ):
            with self.assertRaises(SettingsError, msg=text) as caught:
                http(text)
            [problem] = caught.exception.problems
            self.assertIn(says, problem.sentence, text)
            self.assertEqual(problem.path, f"http.{path}", text)

    def test_what_is_safe_passes_and_is_written_as_it_is_read(self) -> None:
        """Loopback without TLS, anything with it, or where somebody says that it shall be so."""
        for text in (
            'listen: "[::1]:4380"',
            'listen: "127.0.0.2:0"',
            'listen: ""',
            'listen: "0.0.0.0:4380", certificate: s.pem, client_ca: ca.pem',
            'listen: "0.0.0.0:4380", plain: true',
            f"base: /a/b.c, client_certificate: X-Client-Cert, {PROXIED}",
            'trusted_proxies: ["10.0.0.0/8", "::1"], forwarded: forwarded, names: [monitor.example]',
            "without_token: [read, metrics]",
        ):
            whole = structs.replace(Settings(), http=http(text))
            self.assertEqual(bind(compose(render(whole), "s.yaml"), Settings, ""), whole)
