"""`monitor436 doctor` and `explain` beside a server that runs, stands still, or was never started."""

import json
import os
import signal
import socket
import unittest
from typing import Any

from monitor436.model.settings.http import place
from tests.e2e.lan import made_lan
from tests.e2e.patience import eventually
from tests.e2e.processes import MONITOR436, run
from tests.e2e.servers import SOON, Server, on_segment
from tests.e2e.stage import Stage
from tests.e2e.test_ordinary_user import AS_NOBODY

BY_ITSELF = ("lag", "sync")  # what a busy machine brings about: the server tells it of itself
FIREWALL = """\
table ip firewall {{
    chain output {{
        type filter hook output priority 0;
        oifname "eth0" udp dport {port} drop
    }}
}}
"""


class DoctorTests(Stage):
    """A server on loopback."""

    def findings(self, server: Server) -> dict[str, tuple[str, str]]:
        """How and why, by the word for programs; of several with one word, the last that is worst."""
        status, text = server.command("doctor", "--json")
        told = json.loads(text)
        self.assertEqual(status, 0 if told["well"] else 1, text)
        found: dict[str, tuple[str, str]] = {}
        for each in sorted(told["findings"], key=lambda each: ("ok", "note", "bad").index(each["how"])):
            found[each["what"]] = each["how"], each["sentence"]
        return found

    def test_before_the_first_start_and_while_it_runs_and_after(self) -> None:
        """Well each time; it changes nothing before."""
        server = self.server()
        found = self.findings(server)
        self.assertEqual(
            [found[each][0] for each in ("server", "agents", "door", "site")], ["note", "ok", "ok", "note"]
        )
        self.assertFalse(server.var.exists())
        server.start()
        found = eventually(
            lambda: (each := self.findings(server))["server"][0] == "ok" and each, SOON, "it is seen to run"
        )
        self.assertEqual([what for what, (how, _) in found.items() if how == "bad" and what not in BY_ITSELF], [])
        for what in ("agents", "door", "http"):
            self.assertIn("held by this server", found[what][1])
        self.assertEqual([found[each][0] for each in ("tls", "site", "events", "plans", "space")], ["ok"] * 5)
        server.stop()
        self.assertIn("is free", self.findings(server)["agents"][1])

    def test_what_it_refused_is_shown(self) -> None:
        """By reason."""
        server = self.server().start()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for _ in range(3):
                stranger.sendto(b"x" * 64, ("127.0.0.1", server.settings.agents.port))

        def told() -> bool:
            return "3 refused, 0 dropped by the kernel: 3 magic" in self.findings(server).get("datagrams", ("", ""))[1]

        eventually(told, SOON, "the server has kept what it counted")

    def test_a_port_that_another_program_has_is_bad(self) -> None:
        """With its process: this one."""
        server = self.server()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("127.0.0.1", server.settings.agents.port))
            how, why = self.findings(server)["agents"]
        self.assertEqual(how, "bad")
        self.assertIn(f"process {os.getpid()}: stop it", why)

    def test_a_port_of_the_http_door_that_another_program_has_is_bad(self) -> None:
        """The server would not start."""
        server = self.server()
        address, port = place(server.settings.http.listen)
        with socket.create_server((address, port)):
            how, why = self.findings(server)["http"]
        self.assertEqual((how, f"{address}:{port}/tcp is held by" in why), ("bad", True))

    def test_a_key_that_others_can_read_is_bad(self) -> None:
        """And stays as it is."""
        server = self.server().start()
        server.stop()
        (server.var / "site" / "site.key").chmod(0o640)
        how, why = self.findings(server)["site"]
        self.assertEqual((how, "chmod 600" in why), ("bad", True))
        self.assertEqual((server.var / "site" / "site.key").stat().st_mode & 0o777, 0o640)

    def test_a_server_that_stands_still_is_bad(self) -> None:
        """Its ports are held, and its door answers nobody."""
        server = self.server().start()
        eventually(lambda: self.findings(server)["server"][0] == "ok", SOON, "it is seen to run")
        assert server.process is not None
        server.process.send(signal.SIGSTOP)
        try:
            self.assertEqual(self.findings(server)["tls"][0], "bad")
        finally:
            server.process.send(signal.SIGCONT)

    def test_plans_with_mistakes_are_bad(self) -> None:
        """With file and line."""
        server = self.server()
        server.plan("checks: {a: {reading: laod1, warning: above 1}}\n")
        how, why = self.findings(server)["plans"]
        self.assertEqual((how, "all.yaml:1:" in why), ("bad", True))

    @unittest.skipUnless(os.geteuid() == 0, "needs to be root, to be another user for a moment")
    def test_whoever_may_not_look_is_told_so(self) -> None:
        """A sentence, not a traceback."""
        server = self.server().start()
        server.stop()
        for each in (self.folder, server.folder, server.var):
            each.chmod(0o755)
        server.config.chmod(0o644)
        server.prefix = AS_NOBODY
        if run([*MONITOR436, "--version"], AS_NOBODY)[0]:
            self.skipTest("others cannot read this tree")
        how, why = self.findings(server)["site"]
        self.assertEqual((how, "call this as" in why), ("bad", True))


class BeaconTests(Stage):
    """A server with a network."""

    def setUp(self) -> None:
        self.lan = made_lan(["s1"])
        self.addCleanup(self.lan.close)
        super().setUp()

    def beacons(self, server: Server) -> list[str]:
        """What is said of them."""
        told = json.loads(server.command("doctor", "--json")[1])
        return [each["sentence"] for each in told["findings"] if each["what"] == "beacon"]

    def test_beacons_are_seen_to_leave_and_a_firewall_that_drops_them_is_told(self) -> None:
        """Also by an address that was given without a broadcast address."""
        here = self.lan.hosts["s1"]
        here.run("ip", "address", "add", "10.43.7.1/24", "dev", "eth0")
        server = self.server(on_segment("s1"), here.prefix, "s1").start()
        eventually((server.var / "vitals.json").exists, SOON, "it is known to run")
        port = server.settings.beacon.port
        self.assertEqual(self.beacons(server), [f"beacons leave by 127.0.0.1, 10.43.6.1, 10.43.7.1 on {port}/udp"])
        here.run("nft", "-f", "-", given=FIREWALL.format(port=port))
        told = self.beacons(server)
        for address in ("10.43.6.1", "10.43.7.1"):
            self.assertIn(f"no beacon can leave by {address}: Operation not permitted", told)
        self.assertIn(f"beacons leave by 127.0.0.1 on {port}/udp", told)


class ExplainTests(Stage):
    """A host that really is there."""

    def test_a_host_is_explained_while_it_runs_and_when_the_server_is_gone(self) -> None:
        """With its plan, where its check is written, and what it says when it stops."""
        server = self.server().start()
        agent = self.joined(server, "h1")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:  # the next heartbeat comes with a look at it
            stranger.sendto(b"x" * 64, ("127.0.0.1", server.settings.beacon.port))
        server.plan("checks: {root: {reading: filesystem_used_percent, of: /, every: 1s, warning: above -1}}\n")
        server.event(host="h1", kind="check_state")

        def kept() -> dict[str, Any] | None:
            """What is told once the server has kept which plan is in force; on a busy machine h1 may be late before."""
            told = self.explained(server, "h1")
            return told if told["plan"]["in_force"] == told["plan"]["wanted"] and told["state"] == "up" else None

        told = eventually(kept, SOON, "the server has kept which plan is in force")
        assert told is not None
        self.assertEqual((told["runs"], told["well"]), (True, False))
        [check] = [each for each in told["checks"] if each["name"] == "root"]
        self.assertEqual((check["line"], check["state"]), (1, "warning"))
        self.assertEqual((told["key"]["way"], told["key"]["greeted"]), ("token", True))
        self.assertEqual(agent.stop(), 0)
        server.event(host="h1", kind="host_stopped")
        self.assertIn("magic 1", server.event(host="h1", kind="agent_stopped")["fields"]["refused"])
        server.stop()
        told = self.explained(server, "h1")
        self.assertEqual((told["state"], told["reason"]), ("stopped", "stopped"))
        self.assertEqual(server.command("explain", "h2")[0], 2)

    def explained(self, server: Server, host: str) -> dict[str, Any]:
        """What `explain` tells scripts."""
        status, text = server.command("explain", host, "--json")
        self.assertIn(status, (0, 1), text)
        return json.loads(text)  # type: ignore[no-any-return]
