"""Events that scripts state: each is told once, whatever happens, and nothing in the folder can break the agent."""

import json
import os
import resource
import shutil
import tempfile
import unittest

from monitor436.agent.options import InTheWay, UsageError
from monitor436.agent.store import inbox
from monitor436.agent.store.inbox import A_TURN, LOOK_EVERY, REFUSED_EVERY, STALE, Inbox
from monitor436.agent.store.statement import FOLDER, MAX_FILES, NotAnEvent, read
from monitor436.agent.tools import report

NOW = 1700000000.0


class InboxCase(unittest.TestCase):
    """A state folder; the clocks are ours."""

    def setUp(self) -> None:
        self.state = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.state)
        self.folder = os.path.join(self.state, FOLDER)
        self.now = 0.0
        self.changes = 0
        self.kept = {}  # type: dict[str, object]

    def inbox(self) -> Inbox:
        """The inbox of an agent that starts."""
        return Inbox(self.folder, lambda: NOW, dict(self.kept))

    def take(self, box: Inbox) -> "list[tuple[str, dict[str, object]]]":
        """Take, a look later."""
        self.now += LOOK_EVERY
        return box.take(self.now)

    def state_event(self, text: str = "backup done", **more: object) -> str:
        """A script states an event; the name of its file."""
        before = set(os.listdir(self.folder)) if os.path.isdir(self.folder) else set()
        event = dict({"at": 1600000000.5, "severity": "info", "kind": "reported", "text": text}, **more)
        report.leave(self.state, json.dumps(event).encode())
        [name] = set(os.listdir(self.folder)) - before
        self.changed()
        return str(name)

    def changed(self) -> None:
        """The folder's time is another one, as it is a look later: many kernels count them by milliseconds."""
        self.changes += 1
        os.utime(self.folder, (self.changes, self.changes))

    def put(self, name: str, content: bytes) -> str:
        """Somebody else puts a file there; its path."""
        os.makedirs(self.folder, exist_ok=True)
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            file.write(content)
        self.changed()
        return path

    def texts(self, taken: "list[tuple[str, dict[str, object]]]") -> "list[object]":
        """What was said."""
        return [event["text"] for _, event in taken]

    def make_durable(self, box: Inbox, taken: "list[tuple[str, dict[str, object]]]") -> None:
        """What the agent's loop does: one record of events and names, with what may be forgotten."""
        self.keep(dict({box.key(name): 1 for name, _ in taken}, **box.forget()))
        for name, _ in taken:
            box.done(name)

    def keep(self, kept: "dict[str, object]") -> None:
        """As the spool keeps: None forgets."""
        self.kept.update(kept)
        self.kept = {key: value for key, value in self.kept.items() if value is not None}


class OnceTests(InboxCase):
    """From a script to the spool."""

    def test_an_event_is_taken_as_it_was_stated(self) -> None:
        """With its time, that of the script."""
        name = self.state_event("disk swapped", severity="warning", check="disks", fields={"slot": 3}, tags=["os"])
        [(taken, event)] = self.take(self.inbox())
        self.assertEqual(taken, name)
        told = {"at": 1600000000.5, "severity": "warning", "kind": "reported", "text": "disk swapped"}
        self.assertEqual(event, dict(told, check="disks", fields={"slot": 3}, tags=["os"]))

    def test_events_come_in_their_order_and_once(self) -> None:
        """A second look does not bring them again, whether they are done by then or not."""
        box = self.inbox()
        for number in range(5):
            self.state_event(str(number))
        taken = self.take(box)
        self.assertEqual(self.texts(taken), ["0", "1", "2", "3", "4"])
        self.state_event("5")
        self.assertEqual(self.texts(self.take(box)), ["5"])
        for name, _ in taken:
            box.done(name)
        self.assertEqual([self.take(box) for _ in range(4)], [[]] * 4)
        self.assertEqual(len(os.listdir(self.folder)), 1)

    def test_a_crash_before_the_record_tells_it_after_the_start(self) -> None:
        """Nothing was kept, the file is still there."""
        self.state_event("x")
        self.assertEqual(self.texts(self.take(self.inbox())), ["x"])
        self.assertEqual(self.texts(self.take(self.inbox())), ["x"])

    def test_a_crash_between_the_record_and_the_removal_tells_it_once(self) -> None:
        """The name was kept with the event: the file is only removed."""
        name = self.state_event("x")
        box = self.inbox()
        self.take(box)
        self.keep({box.key(name): 1})
        again = self.inbox()
        self.assertEqual(self.take(again), [])
        self.assertEqual(os.listdir(self.folder), [])
        self.keep(again.forget())
        self.assertEqual(self.kept, {})

    def test_a_crash_after_the_removal_leaves_a_name_that_is_forgotten(self) -> None:
        """What is kept does not grow."""
        name = self.state_event("x")
        box = self.inbox()
        self.make_durable(box, self.take(box))
        self.assertEqual(self.kept, {"inbox:" + name: 1})
        again = self.inbox()
        self.keep(again.forget())
        self.assertEqual((self.kept, self.take(again)), ({}, []))

    def test_what_is_kept_does_not_grow(self) -> None:
        """Each record forgets the names before it."""
        box = self.inbox()
        for number in range(20):
            self.state_event(str(number))
            self.make_durable(box, self.take(box))
            self.assertEqual(len(self.kept), 1)

    def test_every_crash_at_every_step_tells_each_event_once(self) -> None:
        """A start after any of the steps of the loop."""
        for steps in range(8):
            told = []  # type: list[object]
            self.kept = {}
            for number in range(3):
                self.state_event(str(number))
            for left in (steps, 100):  # an agent that crashes, and the next one
                told += self.run_steps(left)
            self.assertEqual(told, ["0", "1", "2"], steps)
            self.assertEqual(os.listdir(self.folder), [], steps)

    def run_steps(self, steps: int) -> "list[object]":
        """An agent that does so many steps; what is durable by then."""
        box, told = self.inbox(), []
        for name, event in self.take(box):
            if steps > 0:
                self.keep(dict({box.key(name): 1}, **box.forget()))
                told.append(event["text"])
            if steps > 1:
                box.done(name)
            steps -= 2
        return told

    def test_many_are_taken_a_few_at_a_time(self) -> None:
        """At once again, until all are taken: heartbeats come in between."""
        for number in range(A_TURN + 1):
            self.state_event(str(number))
        box = self.inbox()
        self.assertEqual(len(self.take(box)), A_TURN)
        self.assertEqual(box.due, self.now)
        self.assertEqual(len(self.take(box)), 1)
        self.assertEqual(box.due, self.now + LOOK_EVERY)

    def test_a_folder_that_does_not_change_is_not_listed(self) -> None:
        """A file that is put there without a trace in the folder's time is not seen: that is how cheap it is."""
        box = self.inbox()
        for _ in range(3):
            self.take(box)
        seen = os.stat(self.folder)
        self.put("a.json", b'{"text": "x", "severity": "info"}')
        os.utime(self.folder, ns=(seen.st_atime_ns, seen.st_mtime_ns))
        self.assertEqual(self.take(box), [])
        self.changed()
        self.assertEqual(self.texts(self.take(box)), ["x"])

    def test_two_events_in_one_tick_of_the_clock_are_both_seen(self) -> None:
        """The second one leaves the folder's time as it is."""
        box = self.inbox()
        self.state_event("one")
        self.assertEqual(self.texts(self.take(box)), ["one"])
        seen = os.stat(self.folder)
        self.state_event("two")
        os.utime(self.folder, ns=(seen.st_atime_ns, seen.st_mtime_ns))
        self.assertEqual(self.texts(self.take(box)), ["two"])

    def test_what_was_never_finished_is_not_taken_and_goes_in_the_end(self) -> None:
        """A script that was killed; one that writes now is left alone."""
        old, young = self.put(".1-old", b"{"), self.put(".2-young", b"{")
        os.utime(old, (NOW - STALE - 1, NOW - STALE - 1))
        os.utime(young, (NOW - 1, NOW - 1))
        self.assertEqual(self.take(self.inbox()), [])
        self.assertEqual(os.listdir(self.folder), [".2-young"])


class OtherHandTests(InboxCase):
    """What else may lie there."""

    def test_a_file_that_is_no_event_is_moved_aside_and_told_once(self) -> None:
        """In one event, with the reason of the last one."""
        box = self.inbox()
        for name, content in (("a", b"{"), ("b", b"[]"), ("c", b"\xff")):
            self.put(name, content)
        [(name, event)] = self.take(box)
        self.assertEqual((event["kind"], event["severity"]), ("reported", "warning"))
        self.assertIn("3 files in the inbox held no event", str(event["text"]))
        self.assertIn("the last one: c: it is not JSON", str(event["text"]))
        self.make_durable(box, [(name, event)])
        self.assertEqual(sorted(os.listdir(os.path.join(self.folder, inbox.REFUSED))), ["a", "b", "c"])
        self.assertEqual([self.take(box) for _ in range(3)], [[]] * 3)
        self.keep(box.forget())
        self.assertEqual(self.kept, {})

    def test_a_flood_of_them_is_told_once_a_minute_and_not_kept(self) -> None:
        """The first hundred are there to look at."""
        box = self.inbox()
        told = []
        for number in range(inbox.MAX_REFUSED + 20):
            self.put("x{}".format(number), b"")
            told += self.take(box)
        self.assertEqual(len(os.listdir(os.path.join(self.folder, inbox.REFUSED))), inbox.MAX_REFUSED)
        self.assertLess(len(told), 2 + len(range(0, inbox.MAX_REFUSED + 20, int(REFUSED_EVERY / LOOK_EVERY))))
        self.assertEqual(os.listdir(self.folder), [inbox.REFUSED])

    def test_neither_links_nor_pipes_nor_folders_are_read(self) -> None:
        """A link would give away what the agent alone can read; a pipe would hold it up."""
        box = self.inbox()
        with open(os.path.join(self.state, "secret"), "w") as file:
            file.write('{"text": "x", "severity": "info"}')
        os.symlink("../secret", os.path.join(self.folder, "link"))
        os.mkfifo(os.path.join(self.folder, "pipe"))
        os.mkdir(os.path.join(self.folder, "folder"))
        [(_, event)] = self.take(box)
        self.assertIn("3 files", str(event["text"]))
        self.assertEqual(os.listdir(self.folder), [inbox.REFUSED])

    def test_a_name_that_is_no_text_is_no_trouble(self) -> None:
        """Not in the event about it, either."""
        with open(os.path.join(os.fsencode(self.put("x", b"")[:-1]), b"\xff\n"), "wb") as file:
            file.write(b'{"text": "x", "severity": "info"}')
        os.unlink(os.path.join(self.folder, "x"))
        [(_, event)] = self.take(self.inbox())
        self.assertIn("its name is not one", str(event["text"]))
        json.dumps(event, ensure_ascii=False).encode("utf-8")

    def test_each_part_of_an_event_is_looked_at(self) -> None:
        """What the server would refuse never gets into the spool, where it would stand in the way."""
        good = {"text": "x", "severity": "info"}
        for bad in (
            {"text": ""}, {"text": " \n"}, {"text": 3}, {"severity": "bad"}, {"severity": None}, {"at": "now"},
            {"at": -1}, {"at": 1e300}, {"at": True}, {"check": 3}, {"check": "x" * 65}, {"check": "a\nb"},
            {"tags": "os"},
            {"tags": [3]}, {"tags": ["a b"]}, {"tags": ["x"] * 7}, {"tags": ["x" * 17]}, {"fields": []},
            {"fields": {"a": None}}, {"fields": {"a": [1]}}, {"fields": {"a b": 1}}, {"fields": {"a": 1e999}},
            {"fields": {"a": 2**70}}, {"fields": {"a{}".format(n): n for n in range(17)}},
        ):  # fmt: skip
            raw = json.dumps(dict(good, **bad)).encode()
            with self.assertRaises(NotAnEvent, msg=raw):
                read(raw, NOW)
        self.assertEqual(read(json.dumps(good).encode(), NOW)["at"], NOW)
        for deep in (b"[" * 100000, b'{"text": NaN}', b'{"at": NaN, "text": "x", "severity": "info"}'):
            with self.assertRaises(NotAnEvent):
                read(deep, NOW)

    def test_half_characters_and_long_texts_come_out_whole(self) -> None:
        """JSON can spell what UTF-8 cannot."""
        raw = b'{"text": "a\\ud800b", "severity": "info", "fields": {"a": "\\udfff", "b": "' + b"x" * 3000 + b'"}}'
        event = read(raw, NOW)
        self.assertLess(len(json.dumps(event, ensure_ascii=False).encode("utf-8")), 1024)
        long = json.dumps({"text": "ü" * 3000, "severity": "info"}, ensure_ascii=False).encode()
        self.assertLessEqual(len(str(read(long, NOW)["text"]).encode()), 512)

    def test_a_file_that_is_too_large_is_not_read(self) -> None:
        """However good it is."""
        self.put("large", json.dumps({"text": "x", "severity": "info", "more": "x" * inbox.MAX_SIZE}).encode())
        [(_, event)] = self.take(self.inbox())
        self.assertIn("it is larger than", str(event["text"]))

    def test_what_cannot_be_opened_for_a_while_is_not_lost(self) -> None:
        """Too many files are open."""
        for number in range(A_TURN + 1):
            self.state_event(str(number))
        box = self.inbox()
        self.assertEqual(len(self.take(box)), A_TURN)
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, before)
        resource.setrlimit(resource.RLIMIT_NOFILE, (1, before[1]))
        self.assertEqual([self.take(box), self.take(box)], [[], []])
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        self.assertEqual(self.texts(self.take(box)), [str(A_TURN)])

    def test_a_folder_that_vanishes_comes_back_with_the_next_event(self) -> None:
        """An admin has cleaned up."""
        box = self.inbox()
        self.take(box)
        shutil.rmtree(self.folder)
        self.assertEqual(self.take(box), [])
        self.state_event("x")
        self.assertEqual(self.texts(self.take(box)), ["x"])


class ReportTests(InboxCase):
    """The script's side."""

    def test_a_full_inbox_says_so(self) -> None:
        """It has room again when the agent has taken some."""
        os.makedirs(self.folder)
        for number in range(MAX_FILES):
            os.mknod(os.path.join(self.folder, str(number)))
        with self.assertRaisesRegex(InTheWay, "holds 10000 events already: does the agent run"):
            self.state_event()
        os.unlink(os.path.join(self.folder, "0"))
        self.state_event()

    def test_a_state_folder_that_nobody_uses_is_no_place(self) -> None:
        """A script with a typing mistake must not believe that its event is kept."""
        with self.assertRaisesRegex(InTheWay, "no agent has ever run"):
            report.leave(os.path.join(self.state, "none"), b"{}")

    def test_what_root_leaves_is_the_agents(self) -> None:
        """Scripts of root are heard by an agent that is somebody else."""
        if os.geteuid() != 0:
            self.skipTest("needs root")
        os.chown(self.state, 65534, 65534)
        name = self.state_event()
        for path in (self.folder, os.path.join(self.folder, name)):
            self.assertEqual(os.stat(path).st_uid, 65534)

    def test_nothing_is_left_of_an_event_that_could_not_be_written(self) -> None:
        """The folder is a file."""
        with open(self.folder, "w"):
            pass
        with self.assertRaisesRegex(InTheWay, "inbox: "):
            report.leave(self.state, b"{}")
        self.assertEqual(os.listdir(self.state), [FOLDER])

    def test_a_disk_without_room_is_told_and_nothing_is_left(self) -> None:
        """Half an event is none."""
        os.makedirs(self.folder)
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_FSIZE, before)
        for room in (0, 10):
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
            with self.assertRaisesRegex(InTheWay, "inbox: "):
                report.leave(self.state, b"x" * 100)
            self.assertEqual(os.listdir(self.folder), [])

    def test_the_command_line_becomes_the_event(self) -> None:
        """Numbers, true and false are what they are; all else is text."""
        words = ["it is", "--severity", "critical", "--check", "c", "--tag", "a", "--tag", "b", "--state", self.state]
        for field in ("n=-3", "f=0.25", "zip=01234", "b=true", "t=x=y", "e="):
            words += ["--field", field]
        self.assertEqual(report.main(words), 0)
        [(_, event)] = self.take(self.inbox())
        self.assertEqual((event["text"], event["severity"], event["check"]), ("it is", "critical", "c"))
        self.assertEqual(event["tags"], ["a", "b"])
        self.assertEqual(event["fields"], {"n": -3, "f": 0.25, "zip": "01234", "b": True, "t": "x=y", "e": ""})

    def test_a_wrong_command_line_states_nothing(self) -> None:
        """Each is told."""
        for words in (
            ["x", "y"], ["x", "--severity", "bad"], ["x", "--field", "a"], ["x", "--field", "=3"],
            ["x", "--tag", "a b"],
            ["x", "--check", "a\tb"], [" "], ["x", "--nope"],
            ["x", "--field", "a=" + "x" * 200, "--field", "b=" + "x" * 200],
        ):  # fmt: skip
            with self.assertRaises(UsageError, msg=words):
                report.main([*words, "--state", self.state])
        self.assertEqual(os.listdir(self.state), [])
