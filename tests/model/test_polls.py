"""What rounds of a poll lead to: one event a change, and none from a round that says more of us than of others."""

import unittest
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from msgspec import json

from monitor436.model.event import POLL_FAILED, POLL_RECOVERED, POLL_UNTRUSTED, Event
from monitor436.model.fleet.polls import ROUNDS, Found, Kept, Polled, suspicion

SHOP = ("shop", "2.1")


def well(name: str, group: tuple[str, str] | None = SHOP) -> Found:
    """A target that is well."""
    return Found(name, group=group)


def bad(name: str, reason: str = "refused") -> Found:
    """A target that is not."""
    return Found(name, reason, "refuses connections")


class Rounds:
    """A poll, round after round."""

    def __init__(self, bad: int = 2, of: int = 3) -> None:
        self.polled = Polled("shops", bad, of)
        self.at = 1000.0

    def __call__(self, *found: Found, untrusted: str = "") -> list[Event]:
        """The next round, ten seconds later."""
        self.at += 10
        return self.polled.round(found, self.at, 0.5, untrusted)


class ChangeTests(unittest.TestCase):
    def setUp(self) -> None:
        self.round = Rounds()

    def test_who_fails_and_is_asked_no_more_fails_no_more(self) -> None:
        """Or it would stand on the board for ever."""
        for _ in range(2):
            self.round(bad("web1"), bad("web2"), well("web3"))
        (event,) = self.round(bad("web2"), well("web3"))
        self.assertEqual((event.kind, event.severity), (POLL_RECOVERED, "info"))
        self.assertEqual(event.text, "poll shops: asked no more: web1; 1 of 1 still fail")
        self.assertEqual(self.round(bad("web2"), well("web3")), [])

    def test_a_poll_that_ends_leaves_nobody_failing(self) -> None:
        """And nothing untrusted."""
        for _ in range(2):
            self.round(bad("web1"), well("web3"))
        self.round(bad("web1"), untrusted="the canary does not answer")
        doubt, over = self.round.polled.end()
        self.assertEqual((doubt.kind, doubt.severity), (POLL_UNTRUSTED, "info"))
        self.assertEqual((over.kind, over.fields["failing"]), (POLL_RECOVERED, 0))
        self.assertEqual(self.round.polled.end(), [])

    def test_a_version_that_fails_is_one_event_and_so_is_its_recovery(self) -> None:
        """However many targets, and however long."""
        names = [f"web{number}" for number in range(10)]
        other = [well(f"db{number}", ("db", "1")) for number in range(3)]
        self.assertEqual(self.round(*map(well, names), *other), [])
        self.assertEqual(self.round(*map(bad, names), *other), [])
        (event,) = self.round(*map(bad, names), *other)
        self.assertEqual((event.kind, event.severity), (POLL_FAILED, "critical"))
        text = "poll shops shop 2.1: 10 of 10 fail: refused 10: web0, web1, web2, web3, web4 and 5 more"
        self.assertEqual(event.text, text)
        told = {"poll": "shops", "application": "shop", "version": "2.1", "targets": 10, "failing": 10, "of": 10}
        self.assertEqual(event.fields, told | {"reasons": "refused 10"})
        for _ in range(5):
            self.assertEqual(self.round(*map(bad, names), *other), [])
        self.assertEqual(self.round(*map(well, names), *other), [])
        (event,) = self.round(*map(well, names), *other)
        self.assertEqual((event.kind, event.severity), (POLL_RECOVERED, "info"))
        self.assertEqual((event.fields["failing"], event.fields["of"], event.fields["seconds"]), (0, 10, 70))

    def test_a_version_that_fails_in_two_steps_is_told_at_each(self) -> None:
        """The first half does not wait for the second, whose event counts both."""
        names = [f"web{number}" for number in range(10)]
        self.round(*map(well, names))
        self.round(*map(bad, names[:5]), *map(well, names[5:]))
        (first,) = self.round(*map(bad, names))
        self.assertEqual((first.severity, first.fields["failing"], first.fields["of"]), ("warning", 5, 10))
        (second,) = self.round(*map(bad, names))
        self.assertEqual((second.severity, second.fields["targets"]), ("critical", 5))
        self.assertEqual((second.fields["failing"], second.fields["of"]), (10, 10))

    def test_one_failure_among_good_rounds_is_none(self) -> None:
        """N of M: 2 of 3."""
        for letter in "..x..x..x.":
            self.assertEqual(self.round(bad("a") if letter == "x" else well("a")), [])

    def test_a_single_target_is_told_with_its_sentence(self) -> None:
        """And as a warning."""
        self.round(well("a"), well("b"))
        self.round(bad("a"), well("b"))
        (event,) = self.round(bad("a"), well("b"))
        self.assertEqual(event.severity, "warning")
        self.assertEqual(event.text, "poll shops shop 2.1: a fails: refuses connections")
        self.assertEqual((event.fields["failing"], event.fields["of"]), (1, 2))

    def test_a_target_that_never_answered_has_no_version(self) -> None:
        """So its event names none."""
        self.round(bad("a"))
        (event,) = self.round(bad("a"))
        self.assertNotIn("version", event.fields)
        self.assertEqual(event.text, "poll shops: a fails: refuses connections")

    def test_a_rollback_is_the_recovery_of_what_failed(self) -> None:
        """Though the targets tell another version by then."""
        self.round = Rounds(1, 1)
        self.round(well("a"), well("b"))
        self.round(bad("a"), bad("b"))
        (event,) = self.round(well("a", ("shop", "2.0")), well("b", ("shop", "2.0")))
        self.assertEqual((event.kind, event.fields["version"]), (POLL_RECOVERED, "2.1"))
        self.round(bad("a"), bad("b"))
        (event,) = self.round(well("a", ("shop", "2.0")), well("b", ("shop", "2.0")))
        self.assertEqual(event.fields["version"], "2.0")

    def test_targets_that_are_not_asked_any_more_are_forgotten(self) -> None:
        """If they come back, they begin anew."""
        self.round(bad("a"), well("b"), well("c"))
        self.round(bad("a"), well("b"), well("c"))
        self.assertEqual([event.kind for event in self.round(well("b"))], [POLL_RECOVERED])
        self.assertEqual(self.round(bad("a"), well("b")), [])
        self.assertEqual(set(self.round.polled.kept.targets), {"a", "b"})

    def test_a_restart_neither_repeats_nor_forgets(self) -> None:
        """What is kept is all there is."""
        self.round(well("a"))
        self.round(bad("a"))
        self.restart()
        self.assertEqual(len(self.round(bad("a"))), 1)
        self.restart()
        self.assertEqual(self.round(bad("a")), [])
        self.restart()
        self.round(well("a"))
        self.restart()
        (event,) = self.round(well("a"))
        self.assertEqual((event.kind, event.fields["version"], event.fields["seconds"]), (POLL_RECOVERED, "2.1", 30))

    def restart(self) -> None:
        """Through the bytes of the file."""
        kept = json.decode(json.encode(self.round.polled.kept), type=Kept)
        self.round.polled = Polled("shops", 2, 3, kept)

    def test_the_last_hundred_rounds_are_kept(self) -> None:
        """As summaries."""
        for _ in range(ROUNDS + 20):
            self.round(well("a"), bad("b", "header"), bad("c"))
        rounds = self.round.polled.kept.rounds
        self.assertEqual(len(rounds), ROUNDS)
        last = rounds[-1]
        self.assertEqual((last.at, last.seconds, last.targets, last.well, last.failing), (2200.0, 0.5, 3, 1, 2))
        self.assertEqual(last.reasons, {"header": 1, "refused": 1})

    @given(st.lists(st.lists(st.booleans(), min_size=4, max_size=4), max_size=40), st.integers(1, 4), st.integers(0, 3))
    def test_events_add_up_to_the_state(self, rounds: Sequence[Sequence[bool]], least: int, more: int) -> None:
        """Whatever fails when: failed less recovered is what fails, and a change is told when it is one."""
        round = Rounds(least, least + more)
        failing = 0
        history: list[list[bool]] = [[] for _ in range(4)]
        state = [False] * 4
        for each in rounds:
            events = round(*(bad(str(place)) if fails else well(str(place)) for place, fails in enumerate(each)))
            failing += sum(int(event.fields["targets"]) for event in events if event.kind == POLL_FAILED)
            failing -= sum(int(event.fields["targets"]) for event in events if event.kind == POLL_RECOVERED)
            for place, fails in enumerate(each):
                history[place].append(fails)
                many = sum(history[place][-(least + more) :]) >= least
                if fails == many:
                    state[place] = many
            self.assertEqual(failing, sum(state))


class UntrustedTests(unittest.TestCase):
    def test_an_untrusted_round_changes_nothing_but_is_told(self) -> None:
        """Once when it begins, once when it is over."""
        round = Rounds()
        round(well("a"))
        round(bad("a"))
        (event,) = round(bad("a"), untrusted="the name server is gone")
        self.assertEqual((event.kind, event.severity), (POLL_UNTRUSTED, "warning"))
        self.assertEqual(event.text, "poll shops: the name server is gone")
        self.assertEqual(round(bad("a"), untrusted="still"), [])
        (event,) = round(well("a"))
        self.assertEqual((event.kind, event.fields["state"]), (POLL_UNTRUSTED, "trusted"))
        self.assertEqual(
            [summary.untrusted for summary in round.polled.kept.rounds][2:4], ["the name server is gone", "still"]
        )

    def test_what_makes_a_round_suspect(self) -> None:
        """Own lag, own network, own name server, own limits, and the canary."""
        some = [well(str(number)) for number in range(8)]
        cases = [
            (some, 9.0, "", ""),
            ([*some, bad("x")], 9.0, "", ""),
            ([*some, bad("x", "header")], 0.1, "", ""),
            ([*some, bad("x", "header")], 1.5, "", "stood still for 1.5 s"),
            ([*some, bad("x")], 0.0, "answers 503", "canary does not answer: answers 503"),
            ([bad(str(number), "unreachable") for number in range(4)], 0.0, "", "none of 4 targets can be reached"),
            ([bad(str(number), "unreachable") for number in range(3)], 0.0, "", ""),
            ([bad(str(number)) for number in range(9)], 0.0, "", ""),
            ([*some, *(bad(str(number), "name") for number in range(5))], 0.0, "", "5 names are not known"),
            ([*some, *(bad(str(number), "name") for number in range(3))], 0.0, "", ""),
            ([*some, Found("x", "unreachable", "this machine can open no more")], 0.0, "", "can open no more"),
        ]
        for found, late, canary, expected in cases:
            said = suspicion(found, late, 5.0, canary)
            self.assertEqual(bool(said), bool(expected), (found, said))
            self.assertIn(expected, said)
