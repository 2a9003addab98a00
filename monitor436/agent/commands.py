"""Running a program without waiting for it: a child in a session of its own, with a deadline and a cap on output."""

import errno
import os
import signal
from collections import namedtuple

from monitor436.agent.spawning import IGNORED_HERE, keep_open_files_private, spawn

KILL_AFTER = 2.0  # seconds from TERM to KILL
ABANDON_AFTER = 5.0  # seconds from KILL until a child that even this does not end is left alone
MAX_INPUT = 4096  # bytes: what the smallest pipe takes at once, so that writing never waits
CHUNK = 65536  # bytes taken from a pipe at once
MAX_CHUNKS = 16  # a turn: a program that never stops writing must not keep the reader
STUCK = "stuck"

Finished = namedtuple("Finished", "status output problem")  # exit status (negative: a signal), bytes, "" or a sentence

_FOREIGN = -1  # the status of a child that somebody else waited for


class Child:
    """A program that was started; nothing here blocks. Raises OSError if no process can be had.

    `deadline` is in monotonic seconds. Output and errors come through one pipe, `fd`; of what is beyond `limit` bytes
    nothing is kept. `argv[0]` is looked up in the PATH of `env`, which is the environment of this process if None.
    It runs as `user` (uid, gid, groups), if one is given: for root only.
    """

    _alone = False  # what this process was given open was seen to

    def __init__(
        self,
        argv: "list[str] | tuple[str, ...]",
        deadline: float,
        limit: int = 65536,
        stdin: bytes = b"",
        env: "dict[str, str] | None" = None,
        user: "tuple[int, int, list[int]] | None" = None,
    ) -> None:
        if len(stdin) > MAX_INPUT:
            raise ValueError("more input than a pipe takes at once")
        self._program = argv[0]
        self._limit = limit
        self._output = b""
        self._status = None  # type: int | None
        self._late = False
        self._measures = [(signal.SIGTERM, KILL_AFTER), (signal.SIGKILL, ABANDON_AFTER)]
        self._next = deadline
        self._closed = False
        if not Child._alone:
            keep_open_files_private()
            Child._alone = True
        ends = []  # type: list[int]
        try:
            for _ in range(3):
                ends += os.pipe()
            spawned = 0 if user else spawn(argv, ends[2], ends[1], os.environ if env is None else env)
            self.pid = spawned or os.fork()
        except OSError:
            for end in ends:
                os.close(end)
            raise
        self.fd, output, given, gives, self._failure, failing = ends
        if self.pid == 0:
            _become(argv, given, output, failing, env, user)
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
        for _ in range(0 if self._closed else MAX_CHUNKS):
            try:
                data = os.read(self.fd, CHUNK)
            except BlockingIOError:
                return False
            if not data:
                return True
            self._output += data[: self._limit - len(self._output)]
        return self._closed

    def poll(self, now: float) -> "Finished | None":
        """How it ended, told once; None while it runs. At its deadline it is told to end, then made to.

        That it has left its pipe to another process does not matter; what stayed in its session is killed with it.
        """
        if self.gone():
            return self._finish()
        if now < self._next:
            return None
        if not self._measures:
            self._close()
            return Finished(-signal.SIGKILL, self._output, STUCK)
        number, patience = self._measures.pop(0)
        self._late = True
        self._next = now + patience
        self._signal(number)
        return None

    def next_poll(self) -> float:
        """When `poll` has something to do even if the child does nothing."""
        return self._next

    def kill(self) -> None:
        """Do without it: nobody wants to know how it ends. `gone` is still to be asked until it is true."""
        if not self._closed:
            self._signal(signal.SIGKILL)
            self._close()

    def gone(self) -> bool:
        """Whether the process has ended. Asking is what removes it from the process table."""
        if self._status is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:
                pid, status = self.pid, _FOREIGN
            if pid:
                self._status = status
        return self._status is not None

    def _finish(self) -> Finished:
        self.read()
        failure = os.read(self._failure, 16)
        self._signal(signal.SIGKILL)
        self._close()
        if failure:
            return Finished(127, b"", "{}: {}".format(self._program, os.strerror(int(failure.decode()))))
        if self._status == _FOREIGN:
            return Finished(_FOREIGN, self._output, "how it ended cannot be known")
        return Finished(_exit_status(self._status or 0), self._output, "timed out" if self._late else "")

    def _signal(self, number: int) -> None:
        """Send it to all of its session; to itself, while it has not made that yet."""
        for send in (os.killpg, os.kill) if self._status is None else (os.killpg,):
            try:
                send(self.pid, number)
                return
            except OSError:  # nothing is left of it, or it is another user's by now
                pass

    def _close(self) -> None:
        self._closed = True
        os.close(self.fd)
        os.close(self._failure)


def _become(
    argv: "list[str] | tuple[str, ...]",
    given: int,
    output: int,
    failing: int,
    env: "dict[str, str] | None",
    user: "tuple[int, int, list[int]] | None",
) -> None:
    """In the child: be the program. Does not return; why it could not be started goes through `failing`."""
    try:
        signal.set_wakeup_fd(-1)
        os.setsid()
        os.dup2(given, 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        for number in IGNORED_HERE:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        if user is not None and user[0] != os.geteuid():
            uid, gid, groups = user
            os.get_exec_path()  # exec will ask for it: what that imports may not be this user's to read
            os.setgroups(groups)  # in this order: the last step gives up the right to the others
            os.setgid(gid)
            os.setuid(uid)
        os.execvpe(argv[0], list(argv), os.environ if env is None else env)
    except OSError as problem:
        os.write(failing, b"%d" % (problem.errno or errno.EINVAL))
    except BaseException:
        os.write(failing, b"%d" % errno.EINVAL)
    finally:
        os._exit(127)


def _exit_status(status: int) -> int:
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
