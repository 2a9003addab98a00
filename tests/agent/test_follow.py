"""A log is followed: every line once, in its order, whatever is done to the file."""

import json
import os
import random
import shutil
import tempfile
import unittest
from typing import Any

from monitor436.agent.tail import logfile, past
from monitor436.agent.tail.follow import Follower
from monitor436.agent.tail.past import NOTHING


def split(block: bytes) -> "list[str]":
    """The lines of a block, each of which must be ended."""
    assert not block or block.endswith(b"\n"), block
    return [line.decode("utf-8", "backslashreplace") for line in block.split(b"\n")[:-1]]


class FollowerCase(unittest.TestCase):
    """Shared: a folder with a log that is written, rotated and followed."""

    def setUp(self) -> None:
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.log = self.path("app.log")
        self.now = 1000.0

    def path(self, name: str) -> str:
        """A path in the folder."""
        return os.path.join(self.folder, name)

    def write(self, text: "str | bytes", name: str = "app.log") -> None:
        """Append to a file, as a program that opens it anew does."""
        with open(self.path(name), "ab") as file:
            file.write(text if isinstance(text, bytes) else text.encode())

    def follow(self, position: Any = None) -> Any:
        """A follower of the log; its position has been through JSON, as in the spool."""
        follower = Follower(self.log, json.loads(json.dumps(position)), clock=lambda: self.now)
        self.addCleanup(follower.close)
        return follower

    def lines(self, follower: Follower) -> "list[str]":
        """What the next look gives."""
        lines = split(follower.read()[0])
        while follower.more:
            lines += split(follower.read()[0])
        return lines

    def all_lines(self, follower: Follower) -> "list[str]":
        """What reads give until nothing more is to be had, old files let go."""
        lines = []
        for _ in range(10):
            self.now += past.LATE / 5
            lines += self.lines(follower)
        return lines

    def open_files(self) -> int:
        """How many files of the folder this process holds open."""
        held = 0
        for fd in os.listdir("/proc/self/fd"):
            try:
                held += os.readlink("/proc/self/fd/" + fd).startswith(self.folder)
            except OSError:
                continue
        return held


class ReadingTests(FollowerCase):
    def test_a_file_that_is_there_is_read_from_its_end(self) -> None:
        """What was written before anybody asked is old."""
        self.write("old\n")
        follower = self.follow()
        self.write("new\n")
        self.assertEqual(self.lines(follower), ["new"])
        self.assertEqual(self.lines(follower), [])

    def test_a_file_that_comes_later_is_read_from_its_start(self) -> None:
        """Nothing of it was there before."""
        follower = self.follow()
        self.assertEqual(follower.read(), (b"", [NOTHING]))
        self.write("first\n")
        self.assertEqual(self.lines(follower), ["first"])

    def test_a_half_written_line_waits_for_its_end(self) -> None:
        """The position stays before it."""
        self.write("")
        follower = self.follow()
        self.write("one\ntw")
        block, position = follower.read()
        self.assertEqual(block, b"one\n")
        self.assertEqual(position[-1]["offset"], 4)
        self.write("o\n")
        self.assertEqual(self.lines(follower), ["two"])

    def test_the_rest_of_a_line_half_written_at_first_sight_is_not_a_line(self) -> None:
        """Also after a restart in the middle of it."""
        self.write("half")
        position = self.follow().position()
        follower = self.follow(position)
        self.write(" of a line\nwhole\n")
        self.assertEqual(self.lines(follower), ["whole"])

    def test_a_limit_cuts_between_lines_and_says_that_there_is_more(self) -> None:
        """Every line comes once."""
        self.write("")
        follower = self.follow()
        sent = ["{:06d}".format(number) + "x" * 94 for number in range(300)]
        self.write("".join(line + "\n" for line in sent))
        got, more = [], True
        while more:
            lines = split(follower.read(10000)[0])
            self.assertLess(len(lines), 101)
            got += lines
            more = follower.more
        self.assertEqual(got, sent)

    def test_more_is_told_only_while_there_is_more(self) -> None:
        """A caller that loops on it comes to an end."""
        self.write("")
        follower = self.follow()
        self.write("y" * 99 + "\n")
        self.write(("z" * 99 + "\n") * 200)
        self.assertEqual(len(split(follower.read(10000)[0])), 100)
        self.assertTrue(follower.more)
        follower.read()
        self.assertFalse(follower.more)

    def test_a_line_that_is_too_long_is_cut_and_its_rest_skipped(self) -> None:
        """Whether its end is there already or not."""
        self.write("")
        follower = self.follow()
        self.write("a" * 20000)
        self.assertEqual(self.lines(follower), ["a" * logfile.MAX_LINE])
        self.write("a" * 20000)
        self.assertEqual(self.lines(follower), [])
        self.write("a\nshort\n" + "b" * 9000 + "\n")
        self.assertEqual(self.lines(follower), ["short", "b" * logfile.MAX_LINE])

    def test_the_rest_of_a_cut_line_stays_skipped_over_a_restart(self) -> None:
        """The position says that it is inside of such a line."""
        self.write("")
        follower = self.follow()
        self.write("a" * 20000)
        position = follower.read()[1]
        self.write("a\nnext\n")
        self.assertEqual(self.lines(self.follow(position)), ["next"])

    def test_bytes_stay_what_they_are(self) -> None:
        """No encoding is assumed, empty lines are lines."""
        self.write("")
        follower = self.follow()
        self.write(b"\xff\x00\n\n\r\n")
        self.assertEqual(follower.read()[0], b"\xff\x00\n\n\r\n")


class RotationTests(FollowerCase):
    def setUp(self) -> None:
        super().setUp()
        self.write("")
        self.follower = self.follow()

    def test_lines_written_after_a_rename_come_from_the_new_file(self) -> None:
        """The rest of the old one comes first."""
        self.write("one\n")
        os.rename(self.log, self.path("app.log.1"))
        self.write("two\n")
        self.assertEqual(self.lines(self.follower), ["one", "two"])

    def test_the_rest_of_the_old_file_comes_first_however_much_it_is(self) -> None:
        """Nothing of the new one is given while the old one has more."""
        self.write("".join("old {}\n".format(number) for number in range(2000)))
        os.rename(self.log, self.path("app.log.1"))
        self.write("new\n")
        got, more = [], True
        while more:
            got += split(self.follower.read(9000)[0])
            more = self.follower.more
        self.assertEqual(got[-2:], ["old 1999", "new"])
        self.assertEqual(len(got), 2001)

    def test_a_late_writer_to_the_renamed_file_is_still_heard(self) -> None:
        """A program keeps its file open over a rotation."""
        with open(self.log, "ab") as late:
            os.rename(self.log, self.path("app.log.1"))
            self.write("new\n")
            self.assertEqual(self.lines(self.follower), ["new"])
            late.write(b"late\n")
        self.assertEqual(self.lines(self.follower), ["late"])

    def test_each_late_line_makes_it_wait_anew(self) -> None:
        """Patience is counted from the last one."""
        with open(self.log, "ab", buffering=0) as late:
            os.rename(self.log, self.path("app.log.1"))
            self.write("new\n")
            self.lines(self.follower)
            for _ in range(3):
                for _ in range(3):
                    self.now += past.LATE * 0.3
                    self.assertEqual(self.lines(self.follower), [])
                late.write(b"late\n")
                self.assertEqual(self.lines(self.follower), ["late"])

    def test_a_rotated_file_is_let_go_in_the_end(self) -> None:
        """With it the last line that nobody ended. By its position it is known again, but it is not open."""
        self.write("torn")
        os.rename(self.log, self.path("app.log.1"))
        self.write("new\n")
        self.assertEqual(self.all_lines(self.follower), ["new", "torn"])
        self.assertEqual([bool(state.get("done")) for state in self.follower.position()], [True, False])
        self.assertEqual(self.open_files(), 1)

    def test_a_removed_file_is_let_go_sooner(self) -> None:
        """As long as it is open its room on the disk is not free."""
        self.write("one\n")
        os.unlink(self.log)
        self.assertEqual(self.lines(self.follower), ["one"])
        self.assertEqual(self.open_files(), 1)
        self.now += past.GONE * 2
        self.lines(self.follower)
        self.assertEqual(self.open_files(), 0)

    def test_a_renamed_file_is_read_while_there_is_no_new_one(self) -> None:
        """Some programs make it with the next line only."""
        with open(self.log, "ab") as late:
            os.rename(self.log, self.path("app.log.1"))
            late.write(b"late\n")
        self.assertEqual(self.lines(self.follower), ["late"])
        self.assertEqual(self.all_lines(self.follower), [])
        self.write("new\n")
        self.assertEqual(self.lines(self.follower), ["new"])

    def test_a_deleted_file_that_comes_again_is_read_from_its_start(self) -> None:
        """Also where it has the inode of the one before."""
        self.write("one\n")
        self.assertEqual(self.lines(self.follower), ["one"])
        os.unlink(self.log)
        self.assertEqual(self.lines(self.follower), [])
        self.write("two\n")
        self.assertEqual(self.lines(self.follower), ["two"])

    def test_lines_before_a_delete_are_not_lost(self) -> None:
        """The file is held open."""
        self.write("one\n")
        os.unlink(self.log)
        self.write("two\n")
        self.assertEqual(self.lines(self.follower), ["one", "two"])

    def test_several_rotations_between_two_looks_lose_nothing(self) -> None:
        """Files that had the name and lost it again are found by their numbers; what was there before is old."""
        self.write("older\n", "app.log.1")
        self.follower = self.follow()
        self.lines(self.follower)
        self.write("one\n")
        os.rename(self.path("app.log.1"), self.path("app.log.4"))
        os.rename(self.log, self.path("app.log.3"))
        self.write("two\n", "app.log.2")
        self.write("three\n", "app.log.1")
        self.write("of another\n", "app.log.err")
        self.write("four\n")
        self.assertEqual(self.all_lines(self.follower), ["one", "two", "three", "four"])

    def test_several_rotations_with_dates_for_names_lose_nothing(self) -> None:
        """The later date is the newer file; what was there before is old."""
        self.write("older\n", "app.log-20240101")
        self.follower = self.follow()
        self.lines(self.follower)
        self.write("one\n")
        os.rename(self.log, self.path("app.log-20240102"))
        self.write("two\n", "app.log-20240103")
        self.write("three\n")
        self.assertEqual(self.all_lines(self.follower), ["one", "two", "three"])

    def test_a_program_that_goes_on_in_the_old_file_is_not_read_twice(self) -> None:
        """At the next rotation the old file is newer by its time, but not by its name."""
        self.write("one\n")
        os.rename(self.log, self.path("app.log.1"))
        self.write("two\n")
        self.assertEqual(self.all_lines(self.follower), ["one", "two"])
        self.write("late\n", "app.log.1")
        os.rename(self.path("app.log.1"), self.path("app.log.2"))
        os.rename(self.log, self.path("app.log.1"))
        self.write("three\n")
        self.assertEqual(self.all_lines(self.follower), ["three"])

    def test_a_file_renamed_and_renamed_back_goes_on(self) -> None:
        """It is the same file, nothing comes twice."""
        self.write("one\n")
        self.lines(self.follower)
        os.rename(self.log, self.path("aside"))
        self.write("two\n")
        self.assertEqual(self.lines(self.follower), ["two"])
        os.rename(self.path("aside"), self.log)
        self.write("three\n")
        self.assertEqual(self.all_lines(self.follower), ["three"])

    def test_many_rotations_hold_few_files_open(self) -> None:
        """All lines come, and old files are not kept for ever."""
        for number in range(40):
            self.write("line {}\n".format(number))
            self.assertEqual(self.lines(self.follower), ["line {}".format(number)])
            os.rename(self.log, self.path("app.log-{}".format(20240101 + number)))
        self.assertLessEqual(self.open_files(), past.MAX_OLD + 2)


class AnythingTests(FollowerCase):
    def test_every_line_comes_once_and_in_order_whatever_is_done(self) -> None:
        """Whole and torn lines, rotations by number, several at a time, looks and restarts, in any order."""
        for seed in range(30):
            with self.subTest(seed=seed):
                self.check(random.Random(seed), "log{}".format(seed))

    def check(self, dice: random.Random, name: str) -> None:
        """One long story."""
        self.log = self.path(name)
        self.write("", name)
        follower = self.follow()
        written, seen, torn = 0, [], False  # type: int, list[str], bool
        for _ in range(120):
            what = dice.choice(["write", "write", "tear", "rotate", "look", "look", "restart"])
            if what == "write":
                for _ in range(dice.randrange(1, 5)):
                    self.write("{}\n".format(written) if not torn else "\n", name)
                    written, torn = written + 1, False
            elif what == "tear" and not torn:
                self.write(str(written), name)
                torn = True
            elif what == "rotate" and not torn and os.path.getsize(self.log):
                for number in range(
                    len([each for each in os.listdir(self.folder) if each.startswith(name + ".")]), 0, -1
                ):
                    os.rename("{}.{}".format(self.log, number), "{}.{}".format(self.log, number + 1))
                os.rename(self.log, self.log + ".1")
                self.write("", name)
            elif what == "restart":
                follower = self.follow(follower.position())
            else:
                seen += self.lines(follower)
        seen += self.all_lines(follower)
        self.assertEqual(seen, [str(number) for number in range(written)])


class LinkTests(FollowerCase):
    def test_a_link_that_is_switched_leads_to_the_next_file(self) -> None:
        """The rest of the one before comes first."""
        self.write("", "monday")
        os.symlink("monday", self.log)
        follower = self.follow()
        self.write("one\n", "monday")
        self.write("two\n", "tuesday")
        os.symlink("tuesday", self.path("next"))
        os.rename(self.path("next"), self.log)
        self.assertEqual(self.lines(follower), ["one", "two"])

    def test_a_link_switched_while_nobody_looked_is_followed_from_the_old_file(self) -> None:
        """Found by what it holds, in the folder of the file that the link means."""
        os.mkdir(self.path("days"))
        self.write("", "days/monday")
        os.symlink("days/monday", self.log)
        self.write("", "days/monday")
        follower = self.follow()
        self.write("zero\n", "days/monday")
        position = follower.read()[1]
        self.write("one\n", "days/monday")
        self.write("two\n", "days/tuesday")
        os.unlink(self.log)
        os.symlink("days/tuesday", self.log)
        self.assertEqual(self.lines(self.follow(position)), ["one", "two"])


class TruncationTests(FollowerCase):
    def setUp(self) -> None:
        super().setUp()
        self.write("")
        self.follower = self.follow()

    def rewrite(self, text: str) -> None:
        """Truncate the log and write."""
        with open(self.log, "w") as file:
            file.write(text)

    def test_a_truncated_file_is_read_from_its_start(self) -> None:
        """It is shorter than what was read."""
        self.write("one two three\n")
        self.lines(self.follower)
        self.rewrite("four\n")
        self.assertEqual(self.lines(self.follower), ["four"])

    def test_a_file_truncated_and_grown_past_the_old_place_is_read_from_its_start(self) -> None:
        """It is longer, but not what it was."""
        self.write("one\n")
        self.lines(self.follower)
        self.rewrite("two two two\nthree\n")
        self.assertEqual(self.lines(self.follower), ["two two two", "three"])

    def test_a_rewritten_file_whose_lines_end_where_reading_stopped_is_not_read_twice(self) -> None:
        """What is remembered of the place belongs to the new content."""
        self.write("one\n")
        self.lines(self.follower)
        self.rewrite("two\nhalf")
        self.assertEqual(self.lines(self.follower), ["two"])
        self.write(" and half\n")
        self.assertEqual(self.all_lines(self.follower), ["half and half"])

    def test_an_emptied_file_is_read_when_it_grows(self) -> None:
        """Empty is shorter, too."""
        self.write("one\n")
        self.lines(self.follower)
        self.rewrite("")
        self.assertEqual(self.lines(self.follower), [])
        self.write("one\n")
        self.assertEqual(self.lines(self.follower), ["one"])

    def test_what_was_copied_before_a_truncation_is_read_in_the_copy(self) -> None:
        """As with logrotate's copytruncate."""
        self.write("one\n")
        self.lines(self.follower)
        self.write("two\n")
        shutil.copyfile(self.log, self.path("app.log.1"))
        self.rewrite("3\n")
        self.assertEqual(self.all_lines(self.follower), ["two", "3"])

    def test_a_truncation_while_nobody_looked_is_noticed(self) -> None:
        """By the position that was kept."""
        self.write("one\n")
        position = self.follower.read()[1]
        self.rewrite("two two two\n")
        self.assertEqual(self.lines(self.follow(position)), ["two two two"])


class RestartTests(FollowerCase):
    def setUp(self) -> None:
        super().setUp()
        self.write("")
        follower = self.follow()
        self.write("one\n")
        self.position = follower.read()[1]
        self.write("two\n")

    def test_reading_goes_on_at_the_old_place(self) -> None:
        """Nothing is lost, nothing comes twice."""
        self.assertEqual(self.all_lines(self.follow(self.position)), ["two"])

    def test_a_file_rotated_meanwhile_is_read_to_its_end_and_then_the_new_one(self) -> None:
        """Found beside it by what it holds, whatever it is called."""
        os.rename(self.log, self.path("kept elsewhere"))
        self.write("three\n")
        self.assertEqual(self.all_lines(self.follow(self.position)), ["two", "three"])

    def test_files_that_came_and_went_meanwhile_are_read_too(self) -> None:
        """The host was off over several rotations."""
        os.rename(self.log, self.path("app.log.2"))
        self.write("three\n", "app.log.1")
        self.write("four\n")
        self.assertEqual(self.all_lines(self.follow(self.position)), ["two", "three", "four"])

    def test_a_rotated_file_without_a_new_one_is_read(self) -> None:
        """The new one is read when it comes."""
        os.rename(self.log, self.path("app.log.1"))
        follower = self.follow(self.position)
        self.assertEqual(self.lines(follower), ["two"])
        self.write("three\n")
        self.assertEqual(self.all_lines(follower), ["three"])

    def test_another_file_of_that_name_is_read_from_its_start(self) -> None:
        """The old one is gone; device and inode prove nothing."""
        os.unlink(self.log)
        self.write("three\nfour\n")
        self.assertEqual(self.all_lines(self.follow(self.position)), ["three", "four"])

    def test_a_file_copied_to_another_inode_is_the_same(self) -> None:
        """A restored backup, another disk: it holds what it held."""
        shutil.copyfile(self.log, self.path("copy"))
        os.rename(self.path("copy"), self.log)
        self.assertEqual(self.all_lines(self.follow(self.position)), ["two"])

    def test_an_old_file_still_being_read_is_found_again(self) -> None:
        """The position names both."""
        follower = self.follow(self.position)
        self.lines(follower)
        with open(self.log, "ab") as late:
            os.rename(self.log, self.path("app.log.1"))
            self.write("three\n")
            position = follower.read()[1]
            self.assertEqual(len([each for each in position if not each.get("done")]), 2)
            late.write(b"late\n")
        self.write("four\n")
        self.assertEqual(self.all_lines(self.follow(position)), ["late", "four"])

    def test_a_file_that_was_not_there_yet_is_read_from_its_start(self) -> None:
        """That it was looked for is part of the position."""
        os.unlink(self.log)
        position = self.follow().read()[1]
        self.write("three\n")
        self.assertEqual(self.lines(self.follow(position)), ["three"])

    def test_a_position_that_makes_no_sense_is_none_that_is_known(self) -> None:
        """A damaged one must not stop the agent."""
        for state in ({}, {"offset": "x"}, {"offset": -1}, {"offset": 4, "print": None}):
            self.assertEqual(self.lines(self.follow([state])), ["one", "two"])


class UnreadableTests(FollowerCase):
    def test_what_is_no_regular_file_is_not_read(self) -> None:
        """A named pipe would wait for ever, a folder has no lines."""
        os.mkfifo(self.log)
        follower = self.follow()
        self.assertEqual(follower.problem, "not a regular file")
        self.assertEqual(self.lines(follower), [])
        os.unlink(self.log)
        os.mkdir(self.log)
        self.lines(follower)
        self.assertEqual(follower.problem, "not a regular file")
        self.assertEqual(self.open_files(), 0)

    def test_a_loop_of_links_is_told_and_got_over(self) -> None:
        """Anything that open() says is a problem until it is gone."""
        self.write("")
        follower = self.follow()
        os.rename(self.log, self.path("aside"))
        os.symlink("app.log", self.log)
        self.lines(follower)
        self.assertIn("ymbolic link", follower.problem)
        os.unlink(self.log)
        self.write("new\n")
        self.assertEqual(self.lines(follower), ["new"])
        self.assertEqual(follower.problem, "")

    def test_the_same_file_is_no_problem_any_more_when_its_name_is_back(self) -> None:
        """It was held open all the time."""
        self.write("")
        follower = self.follow()
        os.rename(self.log, self.path("aside"))
        os.symlink("app.log", self.log)
        self.lines(follower)
        os.rename(self.path("aside"), self.log)
        self.write("new\n")
        self.assertEqual(self.lines(follower), ["new"])
        self.assertEqual(follower.problem, "")

    def test_a_file_first_seen_unreadable_starts_at_its_end_later(self) -> None:
        """Over a restart too: nothing was decided yet."""
        os.mkfifo(self.log)
        follower = self.follow()
        self.assertIsNone(follower.read()[1])
        again = self.follow(follower.position())
        os.rename(self.log, self.path("aside"))  # not gone: the next one must not get its inode
        self.write("old\n")
        self.assertEqual(self.lines(again), [])
        self.write("new\n")
        self.assertEqual(self.lines(again), ["new"])

    def test_a_position_survives_a_time_in_which_the_file_cannot_be_opened(self) -> None:
        """Reading goes on where it stopped, once it can."""
        self.write("")
        follower = self.follow()
        self.write("one\n")
        position = follower.read()[1]
        self.write("two\n")
        os.rename(self.log, self.path("aside"))
        os.mkfifo(self.log)
        again = self.follow(position)
        self.assertEqual(again.read(), (b"", position))
        os.unlink(self.log)
        os.rename(self.path("aside"), self.log)
        self.assertEqual(self.lines(again), ["two"])


if __name__ == "__main__":
    unittest.main()
