"""What came of asking one host over ssh: its uptime, or the output of a command, or why there is neither. Pure."""

from typing import NamedTuple

from msgspec import Struct

from monitor436.model.sweep.uptime import UptimeError, printed, read_boot, read_uptime

SHOWN = 200  # characters of what a host said that a sentence quotes


class Said(NamedTuple):
    """What a command on a host left: its exit status, what it printed and what it complained of."""

    status: int
    output: bytes
    errors: bytes


class Result(Struct, frozen=True, omit_defaults=True):
    """One host of a sweep: `seconds` of uptime, or `reason` and `error`. As JSON it is a line of a file.

    `time`: when it was asked, in epoch seconds; `took`: for how many seconds. `status` and `output` are told where
    another command than uptime was run.
    """

    host: str
    time: float
    took: float
    seconds: float | None = None
    boot: str = ""
    status: int | None = None
    output: str = ""
    reason: str = ""
    error: str = ""


def write_said(said: Said) -> bytes:
    """As the body of an answer."""
    return b"%d %d\n%b%b" % (said.status, len(said.output), said.output, said.errors)


def read_said(body: bytes) -> Said:
    """The opposite of `write_said`."""
    head, _, rest = body.partition(b"\n")
    status, length = map(int, head.split())
    return Said(status, rest[:length], rest[length:])


def answered(host: str, time: float, took: float, body: bytes, command: str = "") -> Result:
    """A host answered with this body, to the question after its uptime, or to another `command`."""
    said = read_said(body)
    status = complaint(said) if said.status else ""
    if command:
        output = said.output.decode("utf-8", "replace")
        reason = "command" if status else ""
        return Result(host, time, took, status=said.status, output=output, reason=reason, error=status)
    try:
        return Result(host, time, took, read_uptime(said.output), read_boot(said.output))
    except UptimeError as wrong:
        reason, text = ("command", status) if status else ("output", str(wrong))
        return Result(host, time, took, reason=reason, error=text)


def complaint(said: Said) -> str:
    """What is said of an exit status other than 0, with the last words of the command."""
    lines = (said.errors.strip() or said.output.strip()).splitlines()
    last = lines[-1].decode("utf-8", "replace")[:SHOWN] if lines else ""
    return f"exit status {said.status}" + (f": {last}" if last else "")


def console_line(worker: str, result: Result) -> str:
    """The line that scripts look for: "worker_id: w1_15, host: h, result: 65 days, 17:07", or "…, error: reason"."""
    if result.reason:
        told = f"error: {result.reason}: {result.error}"
    elif result.seconds is None:
        told = f"result: {result.output.strip()}"
    else:
        told = f"result: {printed(result.seconds)}"
    return f"worker_id: {worker}, host: {result.host}, {told}"
