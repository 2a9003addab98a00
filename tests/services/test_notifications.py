"""Board and notifications as a server has them, on real files: killed and started again wherever it may be."""

import errno
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from msgspec import structs
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from monitor436.acts import Act, Acts
from monitor436.model import event as kinds
from monitor436.model.event import Event
from monitor436.model.notify.notice import Item, Notice
from monitor436.model.settings.notify import Command, Notify
from monitor436.model.settings.status import Status
from monitor436.model.status.change import Subject
from monitor436.notifiers.notifier import Notifier, NotSent
from monitor436.services.board import BoardService, read_board
from monitor436.services.event_log import lines
from monitor436.services.notifications import Notifications
from tests.model.notified import BEGIN, OPS, check, down, happening, up

NOTIFY = Notify(command=OPS, group_wait=2.0)


class Told:
    """A notifier of whoever is told."""

    refresh = 0.0

    def __init__(self, house: "House") -> None:
        self._house = house

    async def send(self, notice: Notice) -> None:
        """Unless nobody is there; one that is held takes as long as that."""
        if self._house.away:
            raise NotSent("away")
        held, self._house.held = self._house.held, None
        if held is not None:
            await held
        self._house.sent.append(notice)

    async def restate(self, items: Sequence[Item]) -> None:
        """It wants nothing."""


class House:
    """One run of a server's board and notifications after another, over the same files."""

    def __init__(self, folder: Path, notify: Notify = NOTIFY) -> None:
        self.folder = folder
        self.file = folder / "events.jsonl"
        self.file.touch()
        self.notify = notify
        self.clock = Clock()
        self.sent: list[Notice] = []
        self.away = False
        self.held: Deferred[None] | None = None
        self.broken = False
        self.slow: list[Callable[[], None]] | None = None
        self.plan: list[str] | None = None
        self.number, self.run = 0, "a"
        self.start()

    def start(self) -> None:
        """The next run."""
        wall = lambda: BEGIN + self.clock.seconds()  # noqa: E731
        acts = Acts(self.folder / "acts.jsonl")
        keeps = self.folder / "status.json"
        self.board = BoardService(
            Status(), self.file, keeps, acts, self.state, lambda host: self.plan, self.in_thread, self.clock,
            self.clock.seconds, wall,
        )  # fmt: skip
        make: Callable[[Notify, str, Any], dict[str, Notifier]] = lambda notify, server, reactor: {  # noqa: E731
            name: Told(self) for name in notify.named()
        }
        self.notifications = Notifications(
            self.notify, self.board.board, "srv", (self.file, self.folder / "notices.jsonl"), self.state,
            self.in_thread, lambda: self.board.now, self.clock, wall, make,
        )  # fmt: skip
        self.board.tell, self.board.may_keep = self.notifications.told, self.notifications.settled
        self.board.startService()
        self.notifications.startService()

    def kill(self) -> None:
        """It ends without a goodbye: nothing of it does anything any more."""
        for call in list(self.clock.getDelayedCalls()):
            call.cancel()

    def stop(self) -> None:
        """It ends cleanly."""
        ended = self.notifications.stopService()
        self.clock.pump([0, 0, 6])
        assert ended.called
        self.board.stopService()

    def in_thread(self, call: Callable[[], Any]) -> "Deferred[Any]":
        """At once, unless the disk is broken, or slow: then `slow` has what is to be done."""
        if self.slow is not None:
            done: Deferred[Any] = Deferred()
            self.slow.append(lambda: done.callback(call()))
            return done
        if self.broken:
            return fail(OSError(errno.ENOSPC, "No space left on device"))
        return succeed(call())

    def state(self, events: Sequence[Event], heard: bool = True) -> None:
        """Events become durable, and are heard of."""
        stamped = []
        for event in events:
            self.number += 1
            stamped.append(structs.replace(event, id=f"@srv/{self.run}/{self.number}", time=self.at))
        with open(self.file, "ab") as file:
            file.write(lines(stamped))
        if heard:
            self.board.heard(stamped)

    @property
    def at(self) -> Any:
        """The time of day."""
        from datetime import UTC, datetime

        return datetime.fromtimestamp(BEGIN + self.clock.seconds(), UTC)

    def passes(self, seconds: int) -> None:
        """Time passes."""
        self.clock.pump([0.5] * (2 * seconds))

    def told(self) -> list[tuple[str, str]]:
        """(what, about what)."""
        return [(item.what, str(item.subject)) for notice in self.sent for item in notice.items]


class NotificationsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.house = House(self.folder())

    def folder(self) -> Path:
        """A folder of its own."""
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        return folder

    def test_a_server_that_is_killed_goes_on_where_it_was(self) -> None:
        """Between the event and its notice, before it was sent, and after."""
        house = self.house
        house.state([down("a")])
        house.kill()
        house.start()
        house.away = True
        house.passes(5)
        house.kill()
        house.start()
        house.away = False
        house.passes(60)
        house.kill()
        house.start()
        house.state([up("a")], heard=False)
        house.kill()
        house.start()
        house.passes(60)
        self.assertEqual(house.told(), [("alarm", "a"), ("recovery", "a")])

    def test_a_clean_end_and_a_start_repeat_nothing(self) -> None:
        """Nor do they lose what happened between."""
        house = self.house
        house.state([down("a"), happening("log_line", "critical", "b", "log")])
        house.passes(10)
        house.stop()
        house.state([up("a"), down("c")], heard=False)
        house.start()
        house.passes(60)
        self.assertEqual(house.told(), [("alarm", "a"), ("happened", "b/log"), ("recovery", "a"), ("alarm", "c")])
        house.stop()

    def test_nothing_is_sent_before_it_is_on_the_disk(self) -> None:
        """A disk that is full is tried again; then everything is sent."""
        house = self.house
        house.broken = True
        house.state([down("a")])
        house.passes(10)
        house.state([down("b")])
        house.passes(10)
        self.assertEqual(house.sent, [])
        house.broken = False
        house.passes(10)
        self.assertEqual(house.told(), [("alarm", "a"), ("alarm", "b")])
        house.kill()
        house.start()
        house.passes(60)
        self.assertEqual(len(house.sent), 2)

    def test_a_notifier_that_fails_is_an_event_and_so_is_its_end(self) -> None:
        """Once each."""
        house = self.house
        house.away = True
        house.state([down("a")])
        house.passes(120)
        house.away = False
        house.passes(200)
        states = [b'"state":"failing"', b'"state":"works"']
        self.assertEqual([house.file.read_bytes().count(state) for state in states], [1, 1])
        self.assertEqual([what for what in house.told() if what[1] == "a"], [("alarm", "a")])

    def test_the_first_start_with_notifiers_tells_what_is_bad_and_nothing_of_the_past(self) -> None:
        """Also when they come with HUP."""
        house = House(self.folder(), Notify())
        house.state([down("a"), down("b"), up("b"), happening("log_line", "critical", "c", "log")])
        house.passes(10)
        house.notifications.follow(NOTIFY)
        house.notify = NOTIFY
        house.passes(10)
        self.assertEqual(house.told(), [("alarm", "a")])
        house.kill()
        house.start()
        house.state([up("a")])
        house.passes(10)
        self.assertEqual(house.told(), [("alarm", "a"), ("recovery", "a")])

    def test_other_settings_take_over_what_is_owed(self) -> None:
        """A notifier that changed is made anew; one that is gone is owed nothing."""
        house = self.house
        house.away = True
        house.state([down("a")])
        house.passes(5)
        house.away = False
        house.notifications.follow(Notify(command={"ops": Command(argv=("/bin/false",))}, group_wait=2.0))
        house.passes(5)
        self.assertEqual(house.told(), [("alarm", "a")])
        house.notifications.follow(Notify(command={"dev": OPS["ops"]}, group_wait=2.0))
        house.passes(10)
        self.assertEqual([(notice.to, len(notice.items)) for notice in house.sent], [("ops", 1), ("dev", 1)])

    def test_whatever_is_just_sent_when_settings_change_is_sent_once(self) -> None:
        """They change again before it is over: only then the last of them has its notifier."""
        house = self.house
        house.held = held = Deferred()
        house.state([down("a")])
        house.passes(4)
        self.assertIsNone(house.held)
        for program in ("/bin/false", "/bin/true"):
            house.notifications.follow(Notify(command={"ops": Command(argv=(program,))}, group_wait=2.0))
            house.passes(1)
        house.state([down("b")])
        house.passes(1)
        held.callback(None)
        house.passes(10)
        self.assertEqual(house.told(), [("alarm", "a"), ("alarm", "b")])
        self.assertEqual(list(house.notifications.outgoing), ["ops"])

    def test_a_server_that_ends_while_a_notifier_is_exchanged_waits_for_what_is_just_sent(self) -> None:
        """And nothing is sent after that: it would not be known in the next run."""
        house = self.house
        house.held = held = Deferred()
        house.state([down("a")])
        house.passes(4)
        house.notifications.follow(Notify(command={"ops": Command(argv=("/bin/false",))}, group_wait=2.0))
        ended = house.notifications.stopService()
        house.clock.advance(1.0)
        self.assertNoResult(ended)
        held.callback(None)
        self.successResultOf(ended)
        house.board.stopService()
        house.start()
        house.passes(60)
        self.assertEqual(house.told(), [("alarm", "a")])

    def test_acts_of_operators_become_events_once(self) -> None:
        """Over restarts, too."""
        house = self.house
        acts = Acts(house.folder / "acts.jsonl")
        house.state([down("a")])
        acts.add(Act("1", kinds.ACKNOWLEDGED, 1.0, "ann", "a", text="I know"))
        acts.add(
            Act("2", kinds.SILENCE_ADDED, 1.0, "ann", text="y", fields={"silence": "s", "until": 9e9, "host": "b"})
        )
        house.passes(2)
        house.kill()
        house.start()
        house.passes(10)
        self.assertEqual(house.file.read_bytes().count(b'"act":'), 2)
        house.state([down("b")])
        house.passes(10)
        self.assertEqual(house.sent, [])
        self.assertEqual(list(house.board.board.silences.known), ["s"])

    def test_a_check_that_left_the_plan_is_over(self) -> None:
        """By an event, as soon as the host follows the plan."""
        house = self.house
        house.state([check("a", "disk", "critical")])
        house.passes(10)
        house.plan = ["load"]
        house.state([happening("plan_in_force", "info", "a")])
        house.passes(10)
        self.assertEqual(house.told(), [("alarm", "a/disk"), ("recovery", "a/disk")])
        self.assertIn(b"check_removed", house.file.read_bytes())

    def test_a_host_that_says_so_many_times_is_followed_once(self) -> None:
        """What is over is an event for each check: a few datagrams would leave no room for those of others."""
        house, stated = self.house, list[Event]()
        house.state([check("a", f"c{number}", "critical") for number in range(20)])
        house.plan = []
        house.board._state = stated.extend
        house.board.heard([happening("plan_in_force", "info", host) for host in "aab" * 20])
        self.assertEqual(len(stated), 20)

    def test_without_its_copy_the_board_is_read_from_the_events(self) -> None:
        """Or with one that is older than the file."""
        house = self.house
        house.state([down("a"), check("b", "disk", "warning"), happening("log_line", "critical", "c", "log")])
        house.passes(20)
        bad = {str(subject) for subject, _ in house.board.board.standings.bad()}
        for spoil in ("{", None):
            house.kill()
            path = house.folder / "status.json"
            path.unlink() if spoil is None else path.write_text(spoil)
            house.start()
            self.assertEqual({str(subject) for subject, _ in house.board.board.standings.bad()}, bad)
            house.passes(600)
        self.assertEqual(sorted(house.told()), [("alarm", "a"), ("alarm", "b/disk"), ("happened", "c/log")])

    def test_the_last_copy_of_the_board_stands_behind_one_that_is_just_written(self) -> None:
        """They have one file, which would be that of the slower one, or of both."""
        house = House(self.folder(), Notify())
        house.passes(10)
        house.slow = []
        house.state([down("a")])
        house.passes(10)
        [write] = house.slow
        house.state([down("b")])
        ended = house.board.stopService()
        self.assertNoResult(ended)
        write()
        self.successResultOf(ended)
        copy = read_board(house.folder / "status.json")
        self.assertEqual(copy and copy.at, "@srv/a/2")

    def test_what_fell_silent_at_once_before_a_start_is_told_to_be_over_once(self) -> None:
        """In the file as well, which has its begin; the next time is news again."""
        house, subject = self.house, "this server/isolation"
        for run, end in (("b", house.kill), ("c", house.stop)):
            house.state([happening(kinds.ISOLATED, "critical")])
            house.passes(20)
            end()
            house.clock.advance(600.0)
            house.start()
            house.run = run
            house.state([happening(kinds.SERVER_STARTED, "info")])
            house.passes(400)
        self.assertEqual(house.told(), [("alarm", subject), ("recovery", subject)] * 2)
        self.assertEqual(house.file.read_text().count(f'"{kinds.ISOLATION_OVER}"'), 2)

    def test_what_time_does_is_in_the_copy_too(self) -> None:
        """Others read it: it is not to say for ever that a check flaps."""
        house = self.house
        for severity in ("critical", "info") * 2:
            house.state([check("a", "disk", severity)])  # type: ignore[arg-type]
        house.passes(30)
        copies = [read_board(house.folder / "status.json")]
        house.passes(620)
        copies.append(read_board(house.folder / "status.json"))
        self.assertEqual([len(copy.turns) for copy in copies if copy], [1, 0])

    def test_if_the_last_events_are_gone_their_time_tells_what_is_known(self) -> None:
        """The file was moved away, or ends sooner than it did; what comes then is new."""
        house = self.house
        house.state([check("f", "disk", "critical"), check("f", "disk", "info")])
        house.state([happening("log_line", "critical", "c", "log")])
        house.passes(5)
        house.state([down("a")])
        house.passes(20)
        house.kill()
        written = house.file.read_bytes().splitlines(keepends=True)
        house.file.write_bytes(b"".join(written[:-1]))
        house.start()
        self.assertEqual([str(subject) for subject, _ in house.board.board.standings.bad()], ["a"])
        house.state([check("f", "disk", "critical")])
        self.assertFalse(house.board.board.flaps(Subject("f", "disk")))
        house.passes(600)
        house.kill()
        house.file.write_bytes(b"")
        house.state([up("a")], heard=False)
        house.start()
        house.passes(600)
        self.assertEqual(
            [told for told in house.told() if told[1] != "f/disk"],
            [
                ("happened", "c/log"),
                ("alarm", "a"),
                ("recovery", "a"),
            ],
        )
