"""What was found out about servers becomes sentences that name what is in the way."""

import unittest

from monitor436.agent.tools.diagnosis import BAD, NOTE, OK, Finding, Heard, Knock, Tried, beacons, server

TAKEN, SILENT = Knock("taken", ""), Knock("silent", "")
OURS = Heard("ours", "10.0.0.1", "eth0", "srv", 4360, 4360, False)


def tried(greeted: "Knock | None", said: "Knock | None", away: str = "", name: str = "srv") -> Tried:
    """A server at 10.0.0.1 that was tried."""
    return Tried(name, "10.0.0.1", 4360, 4360, OURS, away, greeted, said)


def bad(found: "list[Finding]") -> "list[str]":
    """The words of what is in the way."""
    return [each.what for each in found if each.how == BAD]


class BeaconTests(unittest.TestCase):
    """What was heard."""

    def told(self, *heard: Heard, named: bool = False) -> "list[Finding]":
        """What is said of it."""
        return beacons(list(heard), 4361, 6, "eth0 10.0.0.2/24", named)

    def test_beacons_of_another_site_do_not_matter_where_ours_is_heard(self) -> None:
        """Each of ours has a sentence."""
        other = Heard("other", "10.0.0.9", "eth0", "", 0, 0, False)
        self.assertEqual(self.told(other, OURS), [Finding(OK, "heard", "srv is heard at 10.0.0.1 on eth0")])
        self.assertEqual(bad(self.told(other)), ["other_site"])

    def test_what_is_no_beacon_is_none(self) -> None:
        """Somebody else uses the port."""
        self.assertEqual(bad(self.told(Heard("none", "10.0.0.9", "eth0", "", 0, 0, False))), ["no_beacon"])

    def test_silence_is_a_note_where_servers_are_named_by_hand(self) -> None:
        """Beacons are not needed then."""
        self.assertEqual([each.how for each in self.told(named=True)], [NOTE])
        self.assertEqual(bad(self.told()), ["no_beacon"])

    def test_a_beacon_that_reaches_the_host_alone_was_dropped_here(self) -> None:
        """The port is named."""
        [found] = self.told(OURS._replace(seen=True))
        self.assertEqual((found.how, found.what), (BAD, "dropped_here"))
        self.assertIn("4361/udp", found.sentence)


class ServerTests(unittest.TestCase):
    """One server that was tried."""

    def test_all_is_well(self) -> None:
        """A joined host is greeted and let in; another one could join."""
        self.assertEqual([each.what for each in server(tried(TAKEN, TAKEN), "h1", True)], ["greeted", "door"])
        self.assertEqual([each.what for each in server(tried(None, TAKEN), "", False)], ["door"])

    def test_the_door_tells_why_greetings_are_not_answered(self) -> None:
        """A refused key is one thing to say, and not two."""
        for said, words, sentence in (
            (TAKEN, ["udp_silent"], "4360/udp is blocked in between"),
            (Knock("refused", "no proof"), ["refused"], "does not take the key of h1"),
            (SILENT, ["udp_silent", "tcp_silent"], "it does not run, or a firewall is in between"),
            (Knock("closed", ""), ["udp_silent", "tcp_closed"], "it does not run"),
        ):
            found = server(tried(SILENT, said), "h1", True)
            self.assertEqual(bad(found), words)
            self.assertIn(sentence, found[0].sentence)

    def test_the_network_tells_why_greetings_are_not_answered(self) -> None:
        """By what it sends back."""
        for greeted, what in (
            (Knock("closed", ""), "udp_closed"),
            (Knock("unreachable", "No route"), "udp_unreachable"),
        ):
            self.assertEqual(bad(server(tried(greeted, TAKEN), "h1", True)), [what])

    def test_each_way_in_which_a_door_is_shut_has_its_sentence(self) -> None:
        """Whatever stands in the reason is told as it is."""
        for outcome in ("closed", "silent", "unreachable", "foreign", "odd"):
            found = server(tried(TAKEN, Knock(outcome, "so {0} it is")), "h1", True)
            self.assertEqual(bad(found), ["tcp_" + outcome])
            self.assertIn("10.0.0.1", found[-1].sentence)
            self.assertEqual(outcome in ("unreachable", "odd"), "so {0} it is" in found[-1].sentence, outcome)

    def test_a_key_that_only_the_door_refuses_is_told(self) -> None:
        """It was revoked a moment ago."""
        self.assertEqual(bad(server(tried(TAKEN, Knock("refused", "x")), "h1", True)), ["refused"])

    def test_a_token_that_is_not_taken_is_told(self) -> None:
        """Before the host has joined."""
        self.assertEqual(bad(server(tried(None, Knock("refused", "x")), "", False)), ["token"])

    def test_where_no_way_leads_nothing_else_is_said(self) -> None:
        """A name that is the address is told once."""
        found = server(tried(None, None, "no way leads there", "10.0.0.1"), "h1", True)
        self.assertEqual(found, [Finding(BAD, "wrong_network", "10.0.0.1: no way leads there")])
