"""Processes under test: started with their output in a file, and surely ended."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.e2e.patience import eventually

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
GRACE = 30.0  # seconds for a clean end


def command(script: str, module: str, function: str) -> list[str]:
    """How to run a console script of this interpreter, whether it is installed or not."""
    installed = BIN / script
    if installed.exists():
        return [str(installed)]
    return [sys.executable, "-c", f"import sys; from {module} import {function}; sys.exit({function}())"]


MONITOR436 = command("monitor436", "monitor436.cli", "main")
TWISTD = [*command("twistd", "twisted.scripts.twistd", "run"), "-n", "--pidfile="]


def environment() -> dict[str, str]:
    """That of this process, with this tree first and this interpreter as the `python3` that agents find."""
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def run(argv: Sequence[str | Path], prefix: Sequence[str] = (), seconds: float = 30.0) -> tuple[int, str]:
    """Status and output, both streams, of a command that ends by itself."""
    done = subprocess.run(
        [*prefix, *map(str, argv)],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=seconds,
        text=True,
    )
    return done.returncode, done.stdout


def kept_waiting(pid: int | str = "self") -> float:
    """Seconds that the main thread of a process had something to do and no processor: others were at work.

    The kernel counts it: the second figure of /proc/PID/schedstat, see its Documentation/scheduler/sched-stats.rst.
    Also of one that has ended, until somebody waits for it; 0 where nobody counts them.
    """
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


def end_of(process: "subprocess.Popen[Any]", seconds: float) -> float:
    """For how many seconds of its life a process was kept waiting, once it has ended by itself; it is still there."""
    ended = os.WEXITED | os.WNOWAIT | os.WNOHANG
    eventually(lambda: os.waitid(os.P_PID, process.pid, ended), seconds, "it ends by itself")
    return kept_waiting(process.pid)


class Process:
    """A process that runs until it is told to end. `prefix` is what puts it elsewhere, such as into a namespace.

    Should the tests themselves be killed, the kernel kills it, where setpriv(1) is there to say so.
    """

    def __init__(
        self, argv: Sequence[str | Path], output: Path, prefix: Sequence[str] = (), folder: Path | None = None
    ) -> None:
        leash = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        self._output = output
        self._begins = output.stat().st_size if output.exists() else 0
        with open(output, "ab") as file:
            self._popen = subprocess.Popen(
                [*leash, *prefix, *map(str, argv)],
                cwd=folder,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )

    @property
    def output(self) -> str:
        """Everything it has said, both streams."""
        return self._output.read_bytes()[self._begins :].decode(errors="replace")

    @property
    def runs(self) -> bool:
        """Whether it has not ended yet."""
        return self._popen.poll() is None

    @property
    def pid(self) -> int:
        """Its process id: whatever stands before it in `argv` has become it by exec."""
        return self._popen.pid

    def says(self, text: str, seconds: float) -> None:
        """Wait until it has said this."""
        eventually(lambda: text in self.output or not self.runs, seconds, f"{text!r} in {self.output!r}")
        if text not in self.output:
            raise AssertionError(f"ended with status {self._popen.returncode} before it said {text!r}: {self.output}")

    def send(self, number: signal.Signals) -> None:
        """Send a signal, and do not wait for what comes of it."""
        self._popen.send_signal(number)

    def ended(self) -> int:
        """Its status, once it has ended by itself; minus the signal that ended it."""
        return self._popen.wait(GRACE)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end; its status."""
        self.send(number)
        return self.ended()

    def kill(self) -> None:
        """End it without a goodbye, if it still runs."""
        self._popen.kill()
        self._popen.wait(GRACE)
