"""What was bad before a start: it stays so until whoever was started has had the time, and the way, to tell it anew."""

import unittest
from datetime import UTC, datetime

from msgspec import json, structs

from monitor436.model import event as kinds
from monitor436.model.event import Event, Field
from monitor436.model.settings.status import Status
from monitor436.model.status.board import Board
from monitor436.model.status.change import Change, Subject
from monitor436.model.status.kept import KeptBoard, kept, restore
from tests.model.notified import BEGIN, down, happening, up

ONE, TWO = (happening("log_unreadable", "warning", "a", path=path) for path in ("/1", "/2"))
STARTED, METRIC = happening("agent_started", "info", "a"), happening("metric", "info", "a", "load")
ISOLATED, ISOLATION_OVER = happening(kinds.ISOLATED, "critical"), happening(kinds.ISOLATION_OVER, "info")


class Started(unittest.TestCase):
    """A board that is asked each second what time does, of the host a, whose first run could not read /1."""

    def setUp(self) -> None:
        self.board, self.now = Board(Status()), BEGIN
        self.runs, self.number = {"": "s1", "a": "a1"}, 0
        self.board.turn(self.now)
        self.take(happening(kinds.HOST_FOUND, "info", "a"), ONE)

    def take(self, *events: Event, ago: float = 0.0) -> list[str]:
        """What the next events change; they happened `ago`, by the clock of who states them."""
        return [str(change.subject) for event in events for change in self._take(event, ago)]

    def _take(self, event: Event, ago: float) -> list[Change]:
        self.number += 1
        origin = f"a/{self.runs['a']}" if event.kind not in kinds.OF_SERVERS else f"@srv/{self.runs['']}"
        at = datetime.fromtimestamp(self.now - ago, UTC)
        return list(self.board.take(structs.replace(event, id=f"{origin}/{self.number}", time=at), self.now))

    def starts(self, ago: float = 0.0) -> None:
        """The agent of a does."""
        self.runs["a"] = f"a{self.number}"
        self.assertEqual(self.take(STARTED, ago=ago), [])

    def passes(self, seconds: int) -> list[str]:
        """What time changes."""
        changes: list[Change] = []
        for _ in range(seconds):
            self.now += 1.0
            changes += self.board.turn(self.now)
        return [str(change.subject) for change in changes]

    def away(self, seconds: float) -> None:
        """The server ends and starts; what it keeps is all that is left."""
        copy = json.decode(json.encode(kept(self.board, self.now)), type=KeptBoard)
        self.now += seconds
        self.runs[""] = f"s{self.number}"
        self.board = Board(Status())
        restore(self.board, copy, self.now)
        self.assertEqual(self.board.turn(self.now), [])  # before it says that it has started
        self.assertEqual(self.take(happening(kinds.SERVER_STARTED, "info")), [])

    def bad(self) -> set[str]:
        """What is bad."""
        return {str(subject) for subject, _ in self.board.standings.bad()}


class AgentTests(Started):
    def test_what_it_does_not_tell_anew_is_over(self) -> None:
        """In a while: what it tells again was never well, whatever was acknowledged of it."""
        self.take(TWO, happening("check_refused", "warning", "a", "disk"))
        self.take(happening(kinds.ACKNOWLEDGED, "info", "a", "log /2", by="ann"))
        self.starts()
        self.assertEqual(self.take(TWO), [])
        self.assertEqual(self.passes(89), [])
        self.assertEqual(self.passes(1), ["a: log /1", "a/disk/refused"])
        self.assertIn("by ann", self.board.held(Subject("a", "log /2", ":unreadable"), "warning", (), self.now))
        self.assertEqual(self.passes(3600), [])

    def test_something_that_happened_a_while_after_the_start_shows_that_all_is_told(self) -> None:
        """Events of one run come in their order."""
        self.starts()
        self.passes(29)
        self.take(METRIC)
        self.assertEqual(self.passes(1), [])
        self.take(METRIC, happening("reported", "info", "a"), happening(kinds.HOST_LATE, "warning", "a"))
        self.assertEqual(self.passes(1), ["a: log /1"])

    def test_as_long_as_events_of_its_first_seconds_come_more_may_follow(self) -> None:
        """Many lines waited for it, and it is held to its pace."""
        self.starts()
        for second in range(200):
            self.take(happening("log_line", "info", "a", "log"), ago=second - 5.0)
            self.assertEqual(self.passes(1), [])
        self.assertEqual(self.take(ONE, ago=200.0), [])
        self.take(METRIC, ago=120.0)
        self.assertEqual((self.passes(3600), self.bad()), ([], {"a: log /1"}))

    def test_while_the_server_is_away_nobody_can_tell_anything(self) -> None:
        """Nor while it stands still."""
        self.starts()
        self.passes(80)
        self.away(3600.0)
        self.assertEqual(self.passes(80), [])
        self.now += 3600.0
        self.assertEqual(self.passes(80), [])
        self.assertEqual(self.take(ONE), [])
        self.assertEqual((self.passes(3600), self.bad()), ([], {"a: log /1"}))

    def test_a_server_that_is_back_at_once_gives_it_the_whole_time_too(self) -> None:
        """Though nothing shows that it was away but its start, as the events file tells it."""
        self.starts()
        self.passes(85)
        self.take(happening(kinds.SERVER_STARTED, "info"))
        self.assertEqual(self.passes(89), [])
        self.assertEqual(self.passes(1), ["a: log /1"])

    def test_while_its_host_is_not_heard_it_can_tell_nothing(self) -> None:
        """It has the whole time once that is up again."""
        late, stopped = (happening(kind, "warning", "a") for kind in (kinds.HOST_LATE, kinds.HOST_STOPPED))
        flaps = happening(kinds.HOST_FLAPPING, "warning", "a", state="up")
        steady = happening(kinds.HOST_STEADY, "info", "a", state="up")
        for silence, back in ((late, up("a")), (down("a"), up("a")), (stopped, up("a")), (flaps, steady)):
            self.starts()
            self.take(silence)
            self.assertEqual(self.passes(300), [], silence.kind)
            self.take(back)
            self.assertEqual(self.passes(89), [], silence.kind)
            self.assertEqual(self.take(ONE), [], silence.kind)
            self.assertEqual((self.passes(200), self.bad()), ([], {"a: log /1"}), silence.kind)

    def test_nor_while_the_server_is_isolated(self) -> None:
        """Those that fell silent at once have no events of their own, also when they come back."""
        self.starts()
        self.passes(60)
        self.take(ISOLATED, down("c", "segment_lost"))
        self.assertEqual(self.passes(250), [])
        self.take(ISOLATION_OVER)
        self.assertEqual(self.passes(89), [])
        self.assertEqual(self.passes(1), ["a: log /1"])

    def test_a_plan_that_comes_into_force_gives_it_the_whole_time(self) -> None:
        """An agent without one looks at no log."""
        self.starts()
        self.passes(80)
        self.take(happening("plan_in_force", "info", "a"))
        self.passes(29)
        self.take(METRIC)
        self.assertEqual(self.passes(80), [])
        self.assertEqual(self.take(ONE), [])

    def test_what_a_script_states_shows_nothing(self) -> None:
        """It may say any time."""
        self.starts()
        self.passes(40)
        self.take(happening("reported", "info", "a", "backup"), ago=-9999.0)
        self.assertEqual(self.passes(60), [])

    def test_a_clock_that_is_set_right_shows_nothing(self) -> None:
        """It was an hour slow, and a while has not passed."""
        self.starts(ago=3600.0)
        self.passes(29)
        self.take(METRIC)
        self.assertEqual(self.passes(80), [])

    def test_events_of_the_run_before_show_nothing(self) -> None:
        """Nor do those that a server states about the host."""
        self.starts()
        run, self.runs["a"] = self.runs["a"], "a1"
        self.passes(40)
        self.take(METRIC)
        self.runs["a"] = run
        self.take(happening(kinds.CHECK_REMOVED, "info", "a", "load"))
        self.assertEqual(self.passes(40), [])

    def test_a_clock_that_was_set_back_does_not_keep_it_for_ever(self) -> None:
        """Whatever it measures happened before its start then."""
        self.starts(ago=-7200.0)
        over = []
        for _ in range(3600):
            self.take(METRIC)
            self.assertEqual(over, [])
            over += self.passes(1)
        self.assertEqual(over, ["a: log /1"])

    def test_a_host_that_is_forgotten_has_nothing_to_tell(self) -> None:
        """Nothing is left of it."""
        self.starts()
        self.take(happening(kinds.HOST_FORGOTTEN, "info", "a"))
        self.assertEqual((self.passes(100), self.board.doubts.known), ([], {}))


class ServerTests(Started):
    def test_troubles_before_its_last_start_are_over_if_it_does_not_tell_them_anew(self) -> None:
        """Those that it keeps nowhere: polls and sweeps say by themselves when they are over."""
        fields: dict[str, Field] = {"poll": "shop", "application": "web", "version": "2", "failing": 2, "of": 2}
        failing = [happening(kinds.NOTIFY_FAILED, "warning", notifier=name, state="failing") for name in ("ops", "dev")]
        self.take(happening(kinds.SERVER_TROUBLE, "warning", trouble="refused", state="begun"), *failing)
        self.take(happening(kinds.POLL_FAILED, "critical", **fields))
        self.runs[""] = "s2"
        self.take(failing[1])  # before the start is told of
        self.take(happening(kinds.SERVER_STARTED, "info"))
        self.assertEqual(self.passes(179), [])
        self.assertEqual(self.passes(1), ["this server/trouble refused", "this server/notifier ops"])
        self.assertEqual(self.bad(), {"this server/notifier dev", "this server/poll shop/web 2", "a: log /1"})

    def test_an_isolation_that_it_does_not_tell_anew_is_over(self) -> None:
        """Who was late had the whole time once more, and was heard: so the next one is news again."""
        self.take(ISOLATED)
        self.away(5.0)
        self.assertEqual(self.passes(179), [])
        self.assertEqual(self.passes(1), ["this server/isolation"])
        self.assertEqual(self.take(ISOLATED), ["this server/isolation"])

    def test_one_that_goes_on_is_told_once(self) -> None:
        """Its end is told when it comes."""
        self.take(ISOLATED)
        self.away(5.0)
        self.passes(20)
        self.assertEqual(self.take(ISOLATED), [])
        self.assertEqual(self.passes(600), [])
        self.assertEqual(self.take(ISOLATION_OVER), ["this server/isolation"])

    def test_who_was_lost_in_it_is_still_behind_it(self) -> None:
        """Until the last of them is back: nobody is told of each of them because the server was started."""
        for end in (ISOLATION_OVER, happening(kinds.HOST_LATE, "warning", "a")):
            self.take(ISOLATED, down("c", "segment_lost"), end)
            self.away(5.0)
            self.assertEqual(self.passes(600), [])
            self.assertEqual(self.board.held(Subject("c"), "critical", (), self.now), "behind this server/isolation")
            self.assertEqual(self.board.standings.hosts["a"].state, "up")
            self.assertEqual(self.take(up("c")), ["c", "this server/isolation"])
