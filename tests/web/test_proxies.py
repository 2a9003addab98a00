"""For whom a proxy asks, and below which path this server is."""

import unittest

from hypothesis import given
from hypothesis import strategies as st

from monitor436.model.settings.http import network
from monitor436.web.proxies import Proxies, Via
from monitor436.web.route import Refusal
from monitor436.web.table import split

HERE = "127.0.0.1:4380"


def via(peer: str, how: str = "x-forwarded", base: str = "", secure: bool = False, **headers: str) -> Via:
    """How a request came; proxies on 10.0.0.0/8 and ::1 are trusted."""
    proxies = Proxies([network("10.0.0.0/8"), network("::1")], how, base)
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return proxies.via(peer, {"host": "monitor.example:4380", **given}, secure, HERE)


class ProxyTests(unittest.TestCase):
    """The headers."""

    def test_nobody_else_is_believed(self) -> None:
        """What he says of himself least of all."""
        for how, headers in (
            ("x-forwarded", {"x_forwarded_for": "192.0.2.1", "x_forwarded_proto": "https", "x_forwarded_prefix": "/x"}),
            ("forwarded", {"forwarded": "for=192.0.2.1;proto=https;host=evil"}),
        ):
            found = via("203.0.113.5", how, **headers)
            self.assertEqual(found, ("203.0.113.5", "http://monitor.example:4380", "monitor.example", False))

    def test_a_trusted_proxy_says_who_asked_it(self) -> None:
        """And how, by which name, and below which path."""
        found = via(
            "10.0.0.2",
            x_forwarded_for="192.0.2.1",
            x_forwarded_proto="https",
            x_forwarded_host="M.example",
            x_forwarded_prefix="/mon/",
        )
        self.assertEqual(found, ("192.0.2.1", "https://M.example/mon", "m.example", True))
        found = via("::1", "forwarded", forwarded='for="[2001:db8::1]:4711";proto=https;host=m.example')
        self.assertEqual(found[:3], ("2001:db8::1", "https://m.example", "m.example"))

    def test_what_stands_before_the_last_stranger_is_his_invention(self) -> None:
        """Proxies behind one another are passed over, from our end."""
        for chain, address in (
            ("1.1.1.1, 192.0.2.1, 10.0.0.3", "192.0.2.1"),
            ("10.9.9.9, 192.0.2.1", "192.0.2.1"),
            ("rubbish, 10.0.0.3", "10.0.0.3"),
            ("10.0.0.4, 10.0.0.3", "10.0.0.4"),
            ("192.0.2.1:5555", "192.0.2.1"),
            ("", "10.0.0.2"),
            ("unknown", "10.0.0.2"),
        ):
            self.assertEqual(via("10.0.0.2", x_forwarded_for=chain).address, address, chain)
        self.assertEqual(
            via("10.0.0.2", x_forwarded_for="192.0.2.1", x_forwarded_proto="https,http").root[:7], "http://"
        )

    def test_only_the_header_that_the_proxies_set_is_looked_at(self) -> None:
        """They would pass on the other one as a client made it up."""
        self.assertEqual(via("10.0.0.2", forwarded="for=1.1.1.1").address, "10.0.0.2")
        self.assertEqual(via("10.0.0.2", "forwarded", x_forwarded_for="1.1.1.1").address, "10.0.0.2")

    def test_what_is_not_written_as_it_should_be_counts_for_nothing(self) -> None:
        """Nor does a host or path that is none."""
        for text in ("for", "for=1.1.1.1 proto=http", 'for="', "=x", "for=1.1.1.1;;", "x" * 5000):
            self.assertEqual(via("10.0.0.2", "forwarded", forwarded=text).address, "10.0.0.2", text)
        for prefix in ("//evil", "/a b", "x", "/<script>", "/a?b"):
            self.assertEqual(via("10.0.0.2", x_forwarded_prefix=prefix).root, "http://monitor.example:4380", prefix)
        for host in ("a/b", "a b", "<x>", "", "a:b:c"):
            self.assertEqual(via("192.0.2.1", host=host).root, f"http://{HERE}", host)

    def test_the_sub_path_of_the_settings_is_part_of_the_root(self) -> None:
        """Unless the proxy says another."""
        self.assertEqual(via("192.0.2.1", base="/m", secure=True).root, "https://monitor.example:4380/m")
        self.assertEqual(via("10.0.0.2", base="/m", x_forwarded_prefix="/n").root, "http://monitor.example:4380/n")

    @given(st.text(max_size=60), st.sampled_from(["x-forwarded", "forwarded"]))
    def test_no_header_raises_anything(self, text: str, how: str) -> None:
        """The address is always one."""
        found = via("10.0.0.2", how, forwarded=text, x_forwarded_for=text, x_forwarded_proto=text, host=text)
        network(found.address)


class SubPathTests(unittest.TestCase):
    """`base`."""

    def test_paths_begin_with_it(self) -> None:
        """It itself leads to the page below it; what is beside it is not here."""
        self.assertEqual(split(b"/m/n/api/x?y=1", "/m/n"), (("api", "x"), "y=1"))
        self.assertEqual(split(b"/m/n/", "/m/n"), (("/",), ""))
        for target, status in ((b"/m/n", 308), (b"/api/x", 404), (b"/m/nn/x", 404), (b"/", 404)):
            with self.assertRaises(Refusal) as caught:
                split(target, "/m/n")
            self.assertEqual(caught.exception.status, status, target)
