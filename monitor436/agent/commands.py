"""Running a program without waiting for it: a child in a session of its own, with a deadline and a cap on its output."""

import errno
import os
import signal
from collections import namedtuple

KILL_AFTER = 2.0  # seconds from TERM to KILL
ABANDON_AFTER = 7.0  # seconds from TERM until a child that even KILL does not end is left alone
MAX_INPUT = 60000  # bytes: what a pipe takes at once, so that writing never waits
STUCK = "stuck"

Finished = namedtuple("Finished", "status output problem")  # exit status (negative: a signal), bytes, "" or a sentence


class Child:
    """A program that was started. `deadline` is in monotonic seconds; nothing here blocks. Raises OSError if no process can be had.

    Output and errors come through one pipe, `fd`; what is beyond `limit` bytes is read and thrown away.
    """

    def __init__(
        self,
        argv: "list[str] | tuple[str, ...]",
        deadline: float,
        limit: int = 65536,
        stdin: bytes = b"",
        env: "dict[str, str] | None" = None,
    ) -> None:
        if len(stdin) > MAX_INPUT:
            raise ValueError("more input than a pipe takes at once")
        self._deadline = deadline
        self._limit = limit
        self._output = b""
        self._signalled = 0
        self._closed = False
        self.fd, output = os.pipe()
        given, gives = os.pipe()
        self._failure, failing = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            _become(argv, given, output, failing, env)
        for end in (output, given, failing):
            os.close(end)
        for end in (self.fd, self._failure):
            os.set_blocking(end, False)
        try:
            os.write(gives, stdin)
        except BrokenPipeError:  # it ended without reading
            pass
        os.close(gives)

    def read(self) -> bool:
        """Take what the child has written by now. True when there will be no more."""
        while not self._closed:
            try:
                data = os.read(self.fd, 65536)
            except BlockingIOError:
                return False
            self._output += data[: self._limit - len(self._output)]
            if not data:
                return True
        return True

    def poll(self, now: float) -> "Finished | None":
        """How it ended; None while it runs. At its deadline it is told to end, then made to."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid:
            return self._finish(status)
        late = now - self._deadline
        if late >= ABANDON_AFTER:
            self._close()
            return Finished(-signal.SIGKILL, self._output, STUCK)
        if late >= 0:
            self._signal(signal.SIGKILL if late >= KILL_AFTER else signal.SIGTERM)
        return None

    def next_poll(self) -> float:
        """When `poll` has something to do by itself."""
        return self._deadline + {0: 0.0, signal.SIGTERM: KILL_AFTER}.get(self._signalled, ABANDON_AFTER)

    def kill(self) -> None:
        """End it now and forget it."""
        if not self._closed:
            self._signal(signal.SIGKILL)
            self._close()

    def _finish(self, status: int) -> Finished:
        self.read()
        failure = os.read(self._failure, 16) if not self._closed else b""
        _signal_group(self.pid, signal.SIGKILL)  # what it started and left behind in its session goes with it
        self._close()
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
        if failure:
            return Finished(code, b"", os.strerror(int(failure.decode())))
        return Finished(code, self._output, "timed out" if self._signalled else "")

    def _signal(self, number: int) -> None:
        if self._signalled != number:
            self._signalled = number
            _signal_group(self.pid, number)

    def _close(self) -> None:
        self._closed = True
        os.close(self.fd)
        os.close(self._failure)


def _become(argv: "list[str] | tuple[str, ...]", given: int, output: int, failing: int, env: "dict[str, str] | None") -> None:
    """In the child: be the program. Does not return; why it could not be started goes through `failing`."""
    try:
        signal.set_wakeup_fd(-1)
        os.setsid()
        os.dup2(given, 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them; programs expect them
            signal.signal(number, signal.SIG_DFL)
        os.execvpe(argv[0], list(argv), os.environ if env is None else env)
    except OSError as problem:
        os.write(failing, b"%d" % (problem.errno or errno.EINVAL))
    except BaseException:
        os.write(failing, b"%d" % errno.EINVAL)
    finally:
        os._exit(127)


def _signal_group(pid: int, number: int) -> None:
    try:
        os.killpg(pid, number)
    except OSError:  # it has not made its session yet, or nothing is left of it
        if number != signal.SIGKILL:
            try:
                os.kill(pid, number)
            except OSError:
                pass
