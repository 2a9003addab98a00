"""What was found on the machine of a server, as sentences that say what to do."""

import unittest
from collections.abc import Iterable

from monitor436.model.server import checkup
from monitor436.model.server.checkup import BAD, NOTE, OK, Finding, Held, Kept, Room, Unit
from monitor436.model.server.vitals import Vitals
from monitor436.model.words import size

WELL = Vitals("srv", 77, 3600.0, {"BEAT": 900, "HELLO": 3}, {}, 0, 0.004, 0.01)
PLACE = "0.0.0.0:4360/udp"


def hows(found: Iterable[Finding]) -> list[tuple[str, str]]:
    """How and what, of each."""
    return [(each.how, each.what) for each in found]


class ServerTests(unittest.TestCase):
    """What a server says of itself."""

    def about(self, vitals: Vitals | None, age: float = 1.0, runs: bool = True) -> list[Finding]:
        """All findings."""
        return list(checkup.server(vitals, age, runs))

    def test_one_that_runs_well_is_two_sentences(self) -> None:
        """It, and its datagrams."""
        found = self.about(WELL)
        self.assertEqual(hows(found), [(OK, "server"), (OK, "datagrams")])
        self.assertIn("srv runs, process 77, up for 1h", found[0].sentence)
        self.assertIn("903 datagrams heard in 1h, 0 refused", found[1].sentence)

    def test_one_that_does_not_run_is_not_bad(self) -> None:
        """It may be about to be started; what it said of itself is old."""
        for vitals, runs in ((None, False), (WELL, False)):
            found = self.about(vitals, 200, runs)
            self.assertEqual(hows(found), [(NOTE, "server")])
            self.assertIn("monitor436 run", found[0].sentence)

    def test_its_troubles_are_bad(self) -> None:
        """In the words that it told; a disk that fails is told once."""
        told = {"disk": "events cannot be made durable (full)", "lag": "this server is 2 s late"}
        troubled = Vitals("srv", 7, 1.0, {}, {}, 0, 2.0, 0.0, "full", {}, told)
        self.assertEqual(hows(self.about(troubled))[1:3], [(BAD, "disk"), (BAD, "lag")])
        failing = Vitals("srv", 7, 1.0, {}, {}, 0, 0.0, 0.0, "full")
        self.assertEqual(hows(self.about(failing))[1:2], [(BAD, "disk")])

    def test_what_was_refused_is_told_by_reason_with_what_that_means(self) -> None:
        """The most frequent first."""
        found = checkup.datagrams({"BEAT": 10}, {"size": 1, "tag": 20}, 3, 60.0)
        self.assertEqual(found.how, NOTE)
        self.assertIn("10 datagrams heard in 1m, 21 refused, 3 dropped", found.sentence)
        self.assertTrue(found.sentence.endswith(": 20 tag (under the key of another site, or altered), 1 size"))


class PortTests(unittest.TestCase):
    """Free, ours, or in the way."""

    def test_a_free_port_is_well_unless_the_server_runs(self) -> None:
        """Then it has other settings."""
        self.assertEqual(checkup.port("agents", PLACE, Held(True), 0).how, OK)
        self.assertIn("restart", checkup.port("agents", PLACE, Held(True), 77).sentence)

    def test_a_port_of_this_server_is_well(self) -> None:
        """Also where its holder cannot be seen."""
        for process in (77, 0):
            self.assertEqual(checkup.port("agents", PLACE, Held(False, process), 77).how, OK)

    def test_a_port_of_another_program_is_bad(self) -> None:
        """With its name and number, and the setting to change."""
        found = checkup.port("door", PLACE, Held(False, 5, "nginx"), 77)
        self.assertEqual(found.how, BAD)
        self.assertIn("held by nginx, process 5: stop it, or choose another plans.port", found.sentence)
        self.assertIn("you cannot see", checkup.port("agents", PLACE, Held(False), 0).sentence)
        self.assertIn(
            "Permission denied", checkup.port("agents", PLACE, Held(False, problem="Permission denied"), 0).sentence
        )

    def test_the_http_door_is_one_setting(self) -> None:
        """Address and port together."""
        self.assertIn("choose another http.listen", checkup.port("http", PLACE, Held(False, 5, "nginx"), 0).sentence)
        found = checkup.port("http", PLACE, Held(False, problem="no such address"), 0)
        self.assertTrue(found.sentence.endswith("cannot be had: no such address (http.listen)"), found.sentence)

    def test_the_door_shows_the_certificate_of_the_site(self) -> None:
        """Refused is well too: it took the trouble to say so."""
        self.assertEqual([checkup.door(each, "", PLACE).how for each in ("taken", "refused")], [OK, OK])
        self.assertIn("restart it", checkup.door("foreign", "x", PLACE).sentence)
        self.assertIn("broken", checkup.door("odd", "broken", PLACE).sentence)


class BeaconTests(unittest.TestCase):
    """By every address, or not."""

    here = ("192.0.2.1", "198.51.100.1")

    def test_all_leave(self) -> None:
        """One sentence with all addresses."""
        for heard, verb in ((None, "can leave"), (self.here, "leave")):
            [found] = checkup.beacons(self.here, {}, heard, "4361/udp")
            self.assertEqual(
                (found.how, found.sentence), (OK, f"beacons {verb} by 192.0.2.1, 198.51.100.1 on 4361/udp")
            )

    def test_one_that_cannot_be_sent_and_one_that_is_not_seen_are_bad(self) -> None:
        """Each with what may be the cause."""
        failed, silent = checkup.beacons(self.here, {"192.0.2.1": "Network is unreachable"}, [], "4361/udp")
        self.assertEqual((failed.how, silent.how), (BAD, BAD))
        self.assertIn("by 192.0.2.1: Network is unreachable", failed.sentence)
        self.assertIn("by 198.51.100.1 on 4361/udp: a firewall", silent.sentence)

    def test_a_server_that_only_this_machine_hears_is_noted(self) -> None:
        """It may be meant so."""
        self.assertEqual(hows(checkup.beacons(["127.0.0.1"], {}, None, "1/udp")), [(OK, "beacon"), (NOTE, "beacon")])


class FileTests(unittest.TestCase):
    """Modes, owners, room."""

    def test_a_secret_that_others_can_read_is_bad(self) -> None:
        """With the command that mends it; stricter is well."""
        for mode, how in ((0o600, OK), (0o400, OK), (0o640, BAD), (0o604, BAD), (0o700, BAD)):
            self.assertEqual(checkup.secret(Kept("site.key", True, mode, "m436"), 0o600, "m436").how, how, oct(mode))
        self.assertIn(
            "chmod 600 site.key", checkup.secret(Kept("site.key", True, 0o644, "m436"), 0o600, "m436").sentence
        )

    def test_a_secret_of_another_user_is_bad(self) -> None:
        """The server could not read it."""
        found = checkup.secret(Kept("site.key", True, 0o600, "root"), 0o600, "m436")
        self.assertEqual((found.how, "chown m436 site.key" in found.sentence), (BAD, True))

    def test_what_the_server_writes_must_be_writable_with_its_folder(self) -> None:
        """Rotation makes new files there."""
        good, bad = (Kept(name, True, 0o755, "m436", writable) for name, writable in (("good", True), ("bad", False)))
        none = Kept("none", False)
        for file, folder, how in (
            (good, good, OK),
            (none, good, OK),
            (bad, good, BAD),
            (good, bad, BAD),
            (none, none, NOTE),
        ):
            self.assertEqual(checkup.written("events", file, folder, "m436").how, how, (file, folder))
        self.assertIn("chown m436 bad", checkup.written("events", good, bad, "m436").sentence)

    def test_room_is_compared_with_what_events_files_may_take(self) -> None:
        """Little is a note, next to nothing is bad; so is no file more."""
        wants = 960 << 20
        for free, files, how in (
            (10 << 30, 1000, OK),
            (10 << 30, None, OK),
            (500 << 20, 9, NOTE),
            (1 << 20, 9, BAD),
            (1 << 40, 0, BAD),
        ):
            self.assertEqual(checkup.room(Room("/var", free, files), wants).how, how, (free, files))

    def test_a_receive_buffer_that_is_cut_is_bad(self) -> None:
        """With the command that mends it."""
        self.assertEqual(checkup.receive_buffer(4 << 20, 4 << 20).how, OK)
        found = checkup.receive_buffer(4 << 20, 212992)
        self.assertEqual(found.how, BAD)
        self.assertIn("208 KiB of 4 MiB for bursts: sysctl -w net.core.rmem_max=4194304", found.sentence)

    def test_sizes_have_three_digits(self) -> None:
        """In the unit that people read."""
        for number, shown in (
            (12, "12 B"),
            (4096, "4 KiB"),
            (1 << 20, "1 MiB"),
            (960 << 20, "960 MiB"),
            (int(26.14 * (1 << 30)), "26.1 GiB"),
        ):
            self.assertEqual(size(number), shown)


class PlanAndUnitTests(unittest.TestCase):
    """What hosts are to do, who waits, and what starts the server."""

    def test_plans_with_mistakes_are_bad(self) -> None:
        """Some of them are told."""
        self.assertEqual(checkup.plans(2, 7, []).sentence, "the plans are good: 2 files, 7 checks")
        found = checkup.plans(0, 0, [f"mistake {number}" for number in range(8)])
        self.assertEqual((found.how, "mistake 4 and 3 more" in found.sentence), (BAD, True))

    def test_hosts_that_wait_are_noted(self) -> None:
        """With the command that lets them in."""
        self.assertEqual(list(checkup.waiting([])), [])
        [found] = checkup.waiting(["web7"])
        self.assertIn("1 host waits to be let in (web7): monitor436 host approve", found.sentence)

    def test_a_unit_that_could_not_start_is_bad(self) -> None:
        """None at all, or one that is not enabled, may be meant so."""
        self.assertEqual(hows(checkup.unit(None, "x.service")), [(NOTE, "unit")])
        self.assertEqual(hows(checkup.unit(Unit("x.service", [], True), "x.service")), [(OK, "unit")])
        self.assertEqual(hows(checkup.unit(Unit("x.service", ["a", "b"], True), "x.service")), [(BAD, "unit")] * 2)
        [found] = checkup.unit(Unit("x.service", [], False), "x.service")
        self.assertIn("systemctl enable x.service", found.sentence)
