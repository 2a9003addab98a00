"""`agent436.pyz doctor` on a LAN in which this or that does not work."""

import json
import os
from pathlib import Path
from typing import Any

from msgspec import structs

from monitor436.model.settings.hosts import Heartbeat
from monitor436.model.settings.whole import Settings
from monitor436.packer import pack
from monitor436.services.agent_file import packed
from monitor436.site import Site
from tests.e2e.lan import Namespace, made_lan
from tests.e2e.processes import Process, run
from tests.e2e.servers import Server, on_segment
from tests.e2e.stage import Agent, Stage

DROP = """\
table inet doctor {{
    chain in {{
        type filter hook input priority 0;
        {rule}
    }}
}}
"""
HOLDER = "import signal, socket; s = socket.socket(2, 2); s.bind(('', 4361)); print('bound', flush=1); signal.pause()"
SECONDS = "15"  # of listening at most; it ends a second after a beacon of this site was heard
SILENCE = "2"  # of listening where none is to be heard
OTHERS = "5"  # of listening where one is to be heard that does not end it; the servers here send two a second


class DoctorTests(Stage):
    """A server on s1, and a host h1 that is examined."""

    def setUp(self) -> None:
        self.lan = made_lan(["s1", "s2", "h1"])
        self.addCleanup(self.lan.close)
        super().setUp()

    @property
    def host(self) -> Namespace:
        """The host that is examined."""
        return self.lan.hosts["h1"]

    def site(self, name: str = "s1", settings: Settings | None = None) -> Server:
        """A server of a site of its own."""
        return self.server(settings or on_segment(name), self.lan.hosts[name].prefix, name).start()

    def joined_agent(self, server: Server) -> Agent:
        """The agent of h1, which runs and has its plan."""
        agent = Agent(self.folder / "h1", server.agent_file(), self.host.prefix)
        self.agents.append(agent)
        server.follow(agent.log, "h1")
        agent.start()
        server.follows("h1")
        return agent

    def drop(self, host: Namespace, rule: str) -> None:
        """Have the firewall of a host refuse what comes in by a rule."""
        host.run("nft", "-f", "-", given=DROP.format(rule=rule))

    def examine(
        self, server: Server, *options: str, file: Path | None = None, seconds: str = SECONDS
    ) -> tuple[int, dict[str, Any]]:
        """The status, and what it found, by the word for it: (how, sentence)."""
        state = self.folder / "h1" / "state"
        argv: list[str | Path] = [file or server.agent_file(), "doctor", "--seconds", seconds, "--json"]
        argv += ["--state", state, *options]
        status, output = run(argv, self.host.prefix)
        self.assertNotIn("Traceback", output)
        told = json.loads(output)
        self.assertEqual(told["works"], status == 0, output)
        return status, {each["what"]: (each["how"], each["sentence"]) for each in told["findings"]}

    def bad(self, found: dict[str, Any]) -> dict[str, str]:
        """The sentences about what is in the way."""
        return {what: sentence for what, (how, sentence) in found.items() if how == "bad"}

    def test_all_is_well_beside_a_running_agent(self) -> None:
        """And the agent goes on: its session is the same one afterwards."""
        server = self.site(settings=structs.replace(on_segment("s1"), heartbeat=Heartbeat()))
        agent = self.joined_agent(server)  # it would greet anew after two beats without an answer: 10 s, as they come
        status, found = self.examine(server)
        self.assertEqual((status, self.bad(found)), (0, {}))
        assert agent.process is not None
        self.assertIn("this host is h1; an agent runs here, process ", found["host"][1])
        self.assertEqual(found["heard"][1], "s1 is heard at 10.43.6.1 on eth0")
        self.assertEqual(found["greeted"][1], "s1 at 10.43.6.1 answers greetings on 4360/udp")
        agent.write(["line after"])
        server.event(host="h1", text="line after")
        self.assertEqual(agent.output.count("greeted by"), 1)
        self.assertEqual(agent.stop(), 0)
        self.complete(server)

    def test_a_host_that_has_not_joined_is_told_that_it_can(self) -> None:
        """Nothing is joined by asking."""
        server = self.site()
        status, found = self.examine(server)
        self.assertEqual((status, self.bad(found)), (0, {}))
        self.assertIn("has not joined yet", found["not_joined"][1])
        self.assertIn("takes the join token at its door", found["door"][1])
        self.assertEqual(server.hosts(), {})
        self.assertFalse((self.folder / "h1").exists())

    def test_no_beacon_names_the_interfaces_and_the_port(self) -> None:
        """The server has ended."""
        server = self.site()
        server.stop()
        status, found = self.examine(server, seconds=SILENCE)
        self.assertEqual(status, 1)
        self.assertEqual(list(self.bad(found)), ["no_beacon"])
        self.assertIn("on 4361/udp (lo 127.0.0.1/8, eth0 10.43.6.3/24)", found["no_beacon"][1])

    def test_a_server_named_by_hand_makes_up_for_beacons(self) -> None:
        """Where no beacon gets through, --server does."""
        server = self.site()
        self.joined_agent(server)
        self.drop(self.lan.hosts["s1"], "udp dport 4361 drop")
        self.lan.hosts["s1"].run(
            "nft",
            "add chain inet doctor out { type filter hook output priority 0; }; "
            "add rule inet doctor out udp dport 4361 drop",
        )
        status, found = self.examine(server, "--server", "10.43.6.1", seconds=SILENCE)
        self.assertEqual((status, self.bad(found)), (0, {}))
        self.assertEqual(found["no_beacon"][0], "note")

    def test_beacons_that_the_hosts_own_firewall_drops_are_seen_all_the_same(self) -> None:
        """By root, as here."""
        server = self.site()
        self.drop(self.host, "udp dport 4361 drop")
        status, found = self.examine(server, seconds=OTHERS)
        self.assertEqual(status, 1)
        self.assertEqual(list(self.bad(found)), ["dropped_here"])

    def test_a_server_of_another_site_is_named(self) -> None:
        """The agent file is of a site whose server is not there."""
        ours = self.site("s2")
        ours.stop()
        self.site("s1")
        status, found = self.examine(ours, seconds=OTHERS)
        self.assertEqual(status, 1)
        self.assertEqual(list(self.bad(found)), ["other_site"])
        self.assertIn("from 10.43.6.1, are of another site", found["other_site"][1])

    def test_blocked_udp_is_told_from_a_refused_key(self) -> None:
        """The door takes the key, so it is not that."""
        server = self.site()
        self.joined_agent(server)
        self.drop(self.lan.hosts["s1"], "udp dport 4360 drop")
        status, found = self.examine(server)
        self.assertEqual(status, 1)
        self.assertEqual(list(self.bad(found)), ["udp_silent"])
        self.assertIn("4360/udp is blocked in between", found["udp_silent"][1])

    def test_a_key_that_is_not_taken_is_told(self) -> None:
        """The name was given to another machine."""
        server = self.site()
        agent = self.joined_agent(server)
        agent.stop()
        server.stop()
        names = server.var / "names.jsonl"
        names.write_text(names.read_text().replace(self.serial(), "0" * 16))
        server.start()
        status, found = self.examine(server)
        self.assertEqual(status, 1)
        self.assertEqual(list(self.bad(found)), ["refused"])
        self.assertIn("does not take the key of h1", found["refused"][1])

    def serial(self) -> str:
        """That of h1."""
        kept = json.loads((self.folder / "h1" / "state" / "identity.json").read_text())
        return str(kept["serial"])

    def test_a_blocked_door_is_told_and_a_refusing_one_too(self) -> None:
        """Greetings go through, so plans alone do not come."""
        server = self.site()
        self.joined_agent(server)
        for rule, what in (
            ("tcp dport 4360 drop", "tcp_silent"),
            ("tcp dport 4360 reject with tcp reset", "tcp_closed"),
        ):
            self.drop(self.lan.hosts["s1"], rule)
            status, found = self.examine(server)
            self.assertEqual(status, 1)
            self.assertEqual(list(self.bad(found)), [what])
            self.assertIn("greeted", found)
            self.lan.hosts["s1"].run("nft", "flush", "ruleset")

    def test_another_certificate_is_told(self) -> None:
        """The site folder was made anew, but for the key."""
        server = self.site()
        self.joined_agent(server)
        file = self.folder / "old.pyz"
        file.write_bytes(server.agent_file().read_bytes())
        file.chmod(0o700)
        server.stop()
        (server.var / "site" / "site.pem").unlink()
        server.start()
        status, found = self.examine(server, file=file)
        self.assertEqual(status, 1)
        self.assertEqual(list(self.bad(found)), ["tcp_foreign"])

    def test_an_expired_token_is_told_to_a_host_that_has_not_joined(self) -> None:
        """Its certificate is the right one, so the file is only old."""
        server = self.site()
        site = Site(server.var / "site")
        old = self.folder / "old.pyz"
        old.write_bytes(pack(packed(site, (4360, 4361), "239.255.4.36", site.token(0.0, 60.0))))
        old.chmod(0o700)
        status, found = self.examine(server, file=old)
        self.assertEqual(status, 1)
        self.assertEqual(list(self.bad(found)), ["token"])
        self.assertIn("has expired", found["token"][1])

    def test_a_host_in_another_network_is_told_so(self) -> None:
        """On the same wire, with an address of another network: its beacons come, and there is no way back."""
        server = self.site()
        self.host.run("ip", "address", "flush", "dev", "eth0")
        self.host.run("ip", "address", "add", "10.99.0.3/24", "broadcast", "+", "dev", "eth0")
        status, found = self.examine(server)
        self.assertEqual(status, 1)
        self.assertIn("wrong_network", self.bad(found), found)
        self.assertIn("eth0", found["wrong_network"][1])

    def test_a_port_that_another_program_has_is_told(self) -> None:
        """One that does not share."""
        server = self.site()
        holder = Process(["python3", "-c", HOLDER], self.folder / "holder.log", self.host.prefix)
        self.addCleanup(holder.kill)
        holder.says("bound", 10.0)
        status, found = self.examine(server)
        self.assertEqual(status, 1)
        self.assertEqual(list(self.bad(found)), ["port_in_use"])

    def test_people_get_sentences(self) -> None:
        """One a line, the last one is the verdict."""
        server = self.site()
        state = self.folder / "none"
        status, output = run([server.agent_file(), "doctor", "--seconds", SECONDS, "--state", state], self.host.prefix)
        self.assertEqual(status, 0)
        self.assertTrue(output.startswith("note  this host has not joined yet; no agent runs with "), output)
        self.assertTrue(output.endswith("everything works\n"), output)
        self.assertEqual(os.listdir(self.folder).count("none"), 0)
