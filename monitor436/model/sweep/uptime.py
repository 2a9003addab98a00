"""What /proc/uptime and the many `uptime` commands print, in seconds; and which boot of a machine that was. Pure.

Linux (procps, also `uptime -p`, and busybox), the BSDs, macOS, Solaris, AIX and HP-UX each print the same a little
differently: "65 days, 17:07", "1 day, 2 hrs", "3 mins", "65 day(s), 4 min(s)", "1 week, 2 hours".
"""

import re

COMMAND = "cat /proc/uptime /proc/sys/kernel/random/boot_id || env LC_ALL=C uptime"
"""What a host is asked: in words that sh, csh and fish understand alike."""

MOST_LINES = 100  # of an answer that are looked at: a shell's greeting may come before
LONGEST = 200 * 365 * 86400.0  # seconds that are believed

_SECONDS = {
    "sec": 1, "second": 1, "min": 60, "minute": 60, "hr": 3600, "hour": 3600, "day": 86400, "week": 7 * 86400,
    "year": 365 * 86400, "decade": 3650 * 86400,
}  # fmt: skip
_PROC = re.compile(r"(\d{1,12}\.\d{1,9})\s+\d{1,15}\.\d{1,9}")
_BOOT = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_UP = re.compile(r"(?:^|\s)up\s+(?=\d)")
_CLOCK = re.compile(r"(\d{1,2}):([0-5]\d)(?::[0-5]\d)?(?![\d:])")
_SPAN = re.compile(r"(\d{1,6})\s*(sec|second|min|minute|hr|hour|day|week|year|decade)(?:s|\(s\))?(?![a-z(])", re.I)
_NEXT = re.compile(r"\s*,?\s*")
_REST = re.compile(r"(?:(?:\d+|no)\s+users?|load)\b", re.I)


class UptimeError(Exception):
    """What a host printed does not say how long it has been up; the text is a sentence."""


def read_uptime(body: bytes) -> float:
    """Seconds since boot, by the first line that tells. Raises UptimeError."""
    lines = _lines(body)
    for line in lines:
        seconds = _line(line)
        if seconds is not None:
            if seconds > LONGEST:
                raise UptimeError(f"says an uptime that cannot be: {line[:80]!r}")
            return seconds
    if not lines:
        raise UptimeError("printed nothing")
    raise UptimeError(f"printed something else than an uptime: {lines[0][:80]!r}")


def read_boot(body: bytes) -> str:
    """Linux's own name of this boot, "" where it was not told."""
    for line in _lines(body):
        if _BOOT.fullmatch(line):
            return line
    return ""


def printed(seconds: float) -> str:
    """As procps prints it: "65 days, 17:07", "1 day, 3 min", "0:07" never, but "7 min"."""
    minutes = int(seconds) // 60
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    clock = f"{hours}:{rest:02}" if hours else f"{rest} min"
    return f"{days} day{'s' if days != 1 else ''}, {clock}" if days else clock


def went_back(before: float, after: float, slack: float) -> bool:
    """Whether an uptime says that the machine began anew: less than before, by more than `slack` seconds of error."""
    return after < before - slack


def _lines(body: bytes) -> list[str]:
    text = body.decode("utf-8", "replace")
    return [line.strip() for line in text.splitlines()[:MOST_LINES] if line.strip()]


def _line(line: str) -> float | None:
    proc = _PROC.fullmatch(line)
    if proc:
        return float(proc[1])
    up = _UP.search(line)
    return _spans(line[up.end() :]) if up else None


def _spans(text: str) -> float | None:
    """What stands behind "up": spans, and a clock at most, before users and load."""
    seconds, at, ended = 0, 0, False
    while at < len(text) and not ended:
        clock = _CLOCK.match(text, at)
        span = None if clock else _SPAN.match(text, at)
        if clock:
            seconds += int(clock[1]) * 3600 + int(clock[2]) * 60
            ended = True  # whatever comes now is another thing, in whatever language
        elif span:
            seconds += int(span[1]) * _SECONDS[span[2].lower()]
        else:
            break
        at = (clock or span).end()  # type: ignore[union-attr]
        gap = _NEXT.match(text, at)
        at = gap.end() if gap else at
    if at == 0 or not (ended or at == len(text) or _REST.match(text, at)):
        return None
    return float(seconds)
