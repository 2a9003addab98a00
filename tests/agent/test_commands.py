"""Programs are run without waiting for them, and none of them can hold up the agent."""

import contextlib
import errno
import os
import random
import resource
import select
import shutil
import signal
import tempfile
import unittest
from typing import Any

from monitor436.agent import commands
from monitor436.agent.commands import ABANDON_AFTER, KILL_AFTER, STUCK, Child, Finished
from monitor436.agent.spawning import keep_open_files_private

SH = "/bin/sh"
PATIENT = 30000  # milliseconds in which anything here has long happened
RUNS = 300
NEVER = 1e9
SHORT = (
    ("true",),
    ("false",),
    ("/no/such/program",),
    (SH, "-c", "echo out; echo err >&2; exit 3"),
    (SH, "-c", "kill -9 $$"),
    (SH, "-c", "exec >&- 2>&- <&-; exit 2"),
    (SH, "-c", "sleep 1000 & echo left in the session"),
    ("head", "-c", "300000", "/dev/zero"),
)  # programs that end by themselves
LONG = (
    ("sleep", "1000"),
    ("yes",),
    (SH, "-c", "exec >&- 2>&-; exec sleep 1000"),
    (SH, "-c", "trap '' TERM HUP INT; while :; do sleep 1000; done"),
)  # and such that do not


class ChildCase(unittest.TestCase):
    """Shared: children that are started, read and ended."""

    def start(self, *argv: str, **more: Any) -> Any:
        """A child with its deadline at 10."""
        child = Child(argv, 10.0, **more)
        self.addCleanup(self.end, child)
        return child

    def end(self, child: Child) -> None:
        """No test leaves a process behind."""
        child.kill()
        if not child.gone():
            os.waitpid(child.pid, 0)

    def wait(self, child: Child) -> None:
        """Wait, without taking its status, until the process has ended."""
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)

    def read_until(self, child: Child, output: bytes) -> None:
        """Wait until the child has said that."""
        poll = select.poll()
        poll.register(child.fd, select.POLLIN)
        while output not in child._output:
            self.assertTrue(poll.poll(PATIENT), child._output)
            child.read()

    def read_all(self, child: Child) -> None:
        """Read until the output ends."""
        poll = select.poll()
        poll.register(child.fd, select.POLLIN)
        while not child.read():
            self.assertTrue(poll.poll(PATIENT))

    def finished(self, child: Child) -> Finished:
        """How a child that ends by itself ended."""
        self.read_all(child)
        self.wait(child)
        finished = child.poll(0.0)
        assert finished is not None
        return finished


class ChildTests(ChildCase):
    def test_status_and_output_are_told(self) -> None:
        """Both streams in one, in their order."""
        child = self.start(SH, "-c", "echo out; echo err >&2; exit 3")
        self.assertEqual(self.finished(child), Finished(3, b"out\nerr\n", ""))

    def test_words_are_passed_as_they_are(self) -> None:
        """There is no shell between."""
        child = self.start("/bin/echo", "*", "$HOME", "a  b")
        self.assertEqual(self.finished(child).output, b"* $HOME a  b\n")

    def test_a_program_that_runs_has_no_result(self) -> None:
        """Until it ends."""
        child = self.start(SH, "-c", "echo here; read line; echo $line; exec sleep 1000")
        self.read_until(child, b"here\n")
        self.assertIsNone(child.poll(0.0))
        self.assertEqual(child.next_poll(), 10.0)

    def test_a_signal_is_a_negative_status(self) -> None:
        """As subprocess tells it, too."""
        child = self.start(SH, "-c", "kill -9 $$")
        self.assertEqual(self.finished(child), Finished(-9, b"", ""))

    def test_a_program_that_is_not_there_is_told(self) -> None:
        """In the system's words; nothing of ours is in the output."""
        child = self.start("/no/such/program")
        self.assertEqual(self.finished(child), Finished(127, b"", "/no/such/program: " + os.strerror(errno.ENOENT)))

    def test_a_program_that_must_not_be_run_is_told(self) -> None:
        """Not executable, or no path at all."""
        self.assertEqual(self.finished(self.start(__file__)).problem, __file__ + ": " + os.strerror(errno.EACCES))
        self.assertEqual(self.finished(self.start("nul\0byte")).problem, "nul\0byte: " + os.strerror(errno.EINVAL))

    def test_the_path_is_that_of_the_environment_given(self) -> None:
        """And the environment is all that the program gets."""
        child = self.start("env", env={"PATH": "/bin:/usr/bin"})
        self.assertEqual(self.finished(child).output, b"PATH=/bin:/usr/bin\n")

    def test_output_beyond_the_limit_is_read_and_not_kept(self) -> None:
        """The program ends as it would."""
        child = self.start(SH, "-c", "head -c 300000 /dev/zero; exit 4", limit=1000)
        self.assertEqual(self.finished(child), Finished(4, b"\0" * 1000, ""))

    def test_a_program_that_never_stops_writing_does_not_keep_the_reader(self) -> None:
        """A turn of reading has an end."""
        child = self.start("yes", limit=10)
        self.assertFalse(child.read())
        self.assertIsNone(child.poll(0.0))

    def test_input_reaches_the_program(self) -> None:
        """Then its end does."""
        self.assertEqual(self.finished(self.start("cat", stdin=b"said")).output, b"said")
        self.assertEqual(self.finished(self.start("cat")).output, b"")

    def test_input_that_nobody_reads_does_no_harm(self) -> None:
        """The program may be gone already; too much is refused before anything is started."""
        self.assertEqual(self.finished(self.start("true", stdin=b"x" * commands.MAX_INPUT)).status, 0)
        with self.assertRaises(ValueError):
            Child(["cat"], 10.0, stdin=b"x" * (commands.MAX_INPUT + 1))

    def test_the_program_has_a_session_of_its_own(self) -> None:
        """So that a signal meets all of it, and none of ours."""
        child = self.start(SH, "-c", "echo here; exec sleep 1000")
        self.read_until(child, b"here\n")
        self.assertEqual(os.getsid(child.pid), child.pid)

    def test_the_program_gets_no_file_but_the_three(self) -> None:
        """Neither sockets nor spool, nor what this process was given by whoever started it."""
        other = self.start("sleep", "1000")
        with open(__file__) as file:
            os.set_inheritable(file.fileno(), True)
            keep_open_files_private()
            looks = ["[ -e /proc/$$/fd/{0} ] && echo {0}".format(fd) for fd in (file.fileno(), other.fd)]
            child = self.start(SH, "-c", "; ".join(looks + ["[ -e /proc/$$/fd/0 ] && echo looked"]))
        self.assertEqual(self.finished(child).output, b"looked\n")

    def test_signals_that_python_ignores_are_not_ignored_in_the_program(self) -> None:
        """`yes | head` would never end otherwise."""
        child = self.start(SH, "-c", "kill -PIPE $$; echo alive")
        self.assertEqual(self.finished(child), Finished(-signal.SIGPIPE, b"", ""))

    def test_a_daemon_that_holds_the_pipe_does_not_hang_the_check(self) -> None:
        """The program has ended, and that is what counts."""
        child = self.start("setsid", "-f", SH, "-c", "echo $$; exec sleep 1000")
        self.read_until(child, b"\n")
        self.wait(child)
        self.assertFalse(child.read())
        finished = child.poll(0.0)
        os.kill(int(finished.output), signal.SIGKILL)
        self.assertEqual((finished.status, finished.problem), (0, ""))

    def test_what_a_program_leaves_behind_in_its_session_is_ended(self) -> None:
        """A check must not fill the process table."""
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        held = os.path.join(folder, "held")
        os.mkfifo(held)
        reads = os.open(held, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reads)
        child = self.start(SH, "-c", "exec 9> {}; sleep 1000 & echo left".format(held))
        self.read_until(child, b"left\n")
        self.wait(child)
        poll = select.poll()
        poll.register(reads, 0)
        self.assertFalse(poll.poll(0), "nobody holds the pipe")
        self.assertEqual(child.poll(0.0).status, 0)
        self.assertTrue(poll.poll(PATIENT), "the sleep still holds the pipe")

    def test_nothing_stays_open(self) -> None:
        """After an end, a kill, a program that is not there."""
        before = os.listdir("/proc/self/fd")
        self.finished(self.start("true"))
        self.finished(self.start("/no/such/program"))
        self.end(self.start("sleep", "1000"))
        self.assertEqual(os.listdir("/proc/self/fd"), before)

    def test_a_status_that_somebody_else_took_is_a_problem_not_a_crash(self) -> None:
        """So it is where the agent was started with SIGCHLD ignored."""
        child = self.start("true")
        os.waitpid(child.pid, 0)
        self.assertIn("cannot be known", child.poll(0.0).problem)


class DeadlineTests(ChildCase):
    def test_at_its_deadline_a_program_is_asked_to_end(self) -> None:
        """What it said until then is kept."""
        child = self.start(SH, "-c", "echo working; exec sleep 1000")
        self.read_until(child, b"working\n")
        self.assertIsNone(child.poll(9.9))
        self.assertIsNone(child.poll(10.0))
        self.assertEqual(child.next_poll(), 10.0 + KILL_AFTER)
        self.wait(child)
        self.assertEqual(child.poll(10.1), Finished(-signal.SIGTERM, b"working\n", "timed out"))

    def test_a_program_that_does_not_listen_is_killed(self) -> None:
        """Not before it had its time."""
        child = self.start(SH, "-c", "trap '' TERM; echo deaf; while :; do sleep 1000; done")
        self.read_until(child, b"deaf\n")
        self.assertIsNone(child.poll(10.0))
        self.assertIsNone(child.poll(10.0 + KILL_AFTER - 0.1))
        self.assertIsNone(child.poll(10.0 + KILL_AFTER))
        self.wait(child)
        self.assertEqual(child.poll(12.1), Finished(-signal.SIGKILL, b"deaf\n", "timed out"))

    def test_the_program_has_its_time_however_late_we_look(self) -> None:
        """The agent itself may have been stopped for long."""
        child = self.start(SH, "-c", "trap '' TERM; echo deaf; while :; do sleep 1000; done")
        self.read_until(child, b"deaf\n")
        self.assertIsNone(child.poll(1000.0))
        self.assertEqual(child.next_poll(), 1000.0 + KILL_AFTER)

    def test_what_even_kill_does_not_end_is_left_alone(self) -> None:
        """As a process that waits for a dead disk."""

        class Undead(Child):
            def gone(self) -> bool:
                return False

        child: Any = Undead(["sleep", "1000"], 10.0)
        self.addCleanup(os.waitpid, child.pid, 0)
        self.assertIsNone(child.poll(10.0))
        self.assertIsNone(child.poll(10.0 + KILL_AFTER))
        self.assertIsNone(child.poll(10.0 + KILL_AFTER + ABANDON_AFTER - 0.1))
        self.assertEqual(child.poll(10.0 + KILL_AFTER + ABANDON_AFTER).problem, STUCK)
        with self.assertRaises(OSError):
            os.fstat(child.fd)


class ManyRunsTests(unittest.TestCase):
    def test_many_runs_leave_nothing_behind(self) -> None:
        """No process and no descriptor, of programs of every kind, four at once."""
        dice = random.Random(436)
        before = os.listdir("/proc/self/fd")
        running, now, ended = {}, 0.0, 0  # type: ignore[var-annotated]
        poll = select.poll()
        while ended < RUNS:
            while len(running) < 4 and ended + len(running) < RUNS:
                long = dice.random() < 0.1
                child = Child(dice.choice(LONG if long else SHORT), now + 5.0 if long else NEVER, limit=100)
                running[child.fd] = child
                poll.register(child.fd, select.POLLIN)
            if all(child._measures for child in running.values()):  # who was killed is not late: this clock is fast
                now += 0.1
            for fd, _ in poll.poll(1):
                if running[fd].read():
                    poll.unregister(fd)  # it is about to end, or has closed its output
            for fd, child in list(running.items()):
                if child.poll(now) is not None:
                    with contextlib.suppress(KeyError):
                        poll.unregister(fd)
                    del running[fd]
                    ended += 1
        self.assertEqual(os.listdir("/proc/self/fd"), before)
        with self.assertRaises(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)


class TroubleTests(unittest.TestCase):
    def test_without_a_process_to_be_had_nothing_stays_open(self) -> None:
        """The limit on open files is met in the middle of the making."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        highest = max(int(fd) for fd in os.listdir("/proc/self/fd"))
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 10, hard))
        held = []
        with self.assertRaises(OSError):
            while True:
                held.append(os.open("/dev/null", os.O_RDONLY))
        for fd in held[:5]:  # two pipes, and half of the third
            os.close(fd)
        with self.assertRaises(OSError):
            Child(["true"], 10.0)
        for _ in range(5):
            held.append(os.open("/dev/null", os.O_RDONLY))
        for fd in held[5:]:
            os.close(fd)


if __name__ == "__main__":
    unittest.main()
