"""What others do with as many datagrams or lines: receivers for the tables of heartbeats and events. None is ours.

Those that are not installed are left out.
"""

import hmac
import os
import shutil
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from apart import cpu_seconds

HERE = "127.0.0.1"
STARTED = 10.0  # seconds until a program must listen

# The floor of floors: bursts with one system call, counted. Prints its port, and the count when it is asked to end.
C_LOOP = r"""
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
static volatile int over;
static void end(int signal) { (void)signal; over = 1; }
int main(void) {
    static char room[64][2048];
    struct mmsghdr burst[64] = {0};
    struct iovec parts[64];
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof here;
    int buffer = 4 << 20, fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    long count = 0;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
    if (bind(fd, (struct sockaddr *)&here, size) || getsockname(fd, (struct sockaddr *)&here, &size)) return 1;
    for (int i = 0; i < 64; i++) {
        parts[i] = (struct iovec){room[i], sizeof room[i]};
        burst[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
    }
    signal(SIGTERM, end);
    printf("%d\n", ntohs(here.sin_port)), fflush(stdout);
    while (!over) {
        int found = recvmmsg(fd, burst, 64, 0, NULL);
        if (found > 0) count += found;
        else poll(&(struct pollfd){fd, POLLIN, 0}, 1, 100);
    }
    printf("%ld\n", count);
    return 0;
}
"""

# Signed packets, each with the uptime of one host: what collectd's own agents send it. Nothing is written.
COLLECTD = """\
Interval 3600
BaseDir "{folder}"
ReadThreads 1
LoadPlugin network
LoadPlugin logfile
<Plugin logfile>
  LogLevel "err"
  File "{folder}/log"
</Plugin>
<Plugin network>
  ReportStats false
  <Listen "127.0.0.1" "{port}">
    SecurityLevel "Sign"
    AuthFile "{folder}/users"
  </Listen>
</Plugin>
LoadPlugin csv
<Plugin csv>
  DataDir "{folder}/csv"
</Plugin>
PreCacheChain "drop"
LoadPlugin match_regex
<Chain "drop">
  Target "stop"
</Chain>
"""
USER, PASSWORD = b"host", b"a key of the site"

# A line is answered when it is in the file, and the file is synced for each batch of lines.
RSYSLOG = """\
module(load="imrelp")
template(name="line" type="string" string="%msg%\\n")
ruleset(name="in" queue.type="Direct") {{
  action(type="omfile" file="{folder}/events" template="line" sync="on" asyncWriting="off" queue.type="Direct")
}}
input(type="imrelp" port="{port}" address="127.0.0.1" ruleset="in")
"""


def free_port(kind: int) -> int:
    """A port that nobody has at this moment."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((HERE, 0))
        return int(probe.getsockname()[1])


def can_compile() -> bool:
    """Whether there is a C compiler."""
    return shutil.which("cc") is not None


class Program:
    """Another program in the foreground, and what it costs."""

    def __init__(self, argv: list[str]) -> None:
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def cpu(self) -> float:
        """Seconds of CPU that it has used."""
        return cpu_seconds(self.process.pid)

    def end(self) -> str:
        """End it; what it still had to say."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.communicate(timeout=STARTED)[0]


@contextmanager
def c_loop(folder: Path) -> Iterator[tuple[Program, int]]:
    """The loop in C, and its port."""
    source, program = folder / "loop.c", folder / "loop"
    source.write_text(C_LOOP)
    subprocess.run(["cc", "-O2", "-o", program, source], check=True)
    run = Program([str(program)])
    assert run.process.stdout is not None
    yield run, int(run.process.stdout.readline())


def collectd_packet(host: int) -> bytes:
    """One value of a host, signed: parts of type and length, see collectd's wiki on its binary protocol."""

    def text(kind: int, word: str) -> bytes:
        return struct.pack("!HH", kind, len(word) + 5) + word.encode() + b"\0"

    def number(kind: int, value: int) -> bytes:
        return struct.pack("!HHQ", kind, 12, value)

    when = int(time.time()) << 30
    body = text(0, f"host{host:05}") + number(8, when) + number(9, 5 << 30) + text(2, "uptime") + text(4, "uptime")
    body += struct.pack("!HHHB", 6, 15, 1, 1) + struct.pack("<d", 86400.0)
    tag = hmac.digest(PASSWORD, USER + body, "sha256")
    return struct.pack("!HH", 0x0200, 36 + len(USER)) + tag + USER + body


@contextmanager
def collectd(folder: Path) -> Iterator[tuple[Program, int]]:
    """A collectd that listens, and its port."""
    port = free_port(socket.SOCK_DGRAM)
    (folder / "users").write_text(f"{USER.decode()}: {PASSWORD.decode()}\n")
    (folder / "collectd.conf").write_text(COLLECTD.format(folder=folder, port=port))
    run = Program(["collectd", "-f", "-C", str(folder / "collectd.conf")])
    time.sleep(1.0)  # until it listens: it does not say when
    yield run, port


@contextmanager
def rsyslog(folder: Path) -> Iterator[int]:
    """An rsyslog that takes lines by RELP, and its port."""
    port = free_port(socket.SOCK_STREAM)
    (folder / "rsyslog.conf").write_text(RSYSLOG.format(folder=folder, port=port))
    run = Program(["rsyslogd", "-n", "-f", str(folder / "rsyslog.conf"), "-i", str(folder / "pid")])
    end = time.monotonic() + STARTED
    while time.monotonic() < end:
        with socket.socket() as probe:
            if not probe.connect_ex((HERE, port)):
                break
        time.sleep(0.05)
    try:
        yield port
    finally:
        run.end()


def has_rsyslog() -> bool:
    """Whether rsyslog with RELP is installed."""
    modules = ("/usr/lib/x86_64-linux-gnu/rsyslog", "/usr/lib/aarch64-linux-gnu/rsyslog", "/usr/lib64/rsyslog")
    return bool(shutil.which("rsyslogd")) and any(os.path.exists(f"{folder}/imrelp.so") for folder in modules)


def relp(port: int, lines: int, window: int, text: str) -> tuple[float, list[float]]:
    """Send so many lines, at most `window` unanswered; the seconds it took, and for each line those until its answer.

    A frame is `number command length data`, see the description of RELP in librelp.
    """
    with socket.create_connection((HERE, port)) as through:
        through.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answers = through.makefile("rb")
        offer = b"relp_version=0\nrelp_software=benchmark\ncommands=syslog"
        through.sendall(b"1 open %d %s\n" % (len(offer), offer))
        _answered(answers)
        line = f"<134>1 2026-01-01T00:00:00Z host app - - - {text}".encode()
        sent_at, took, sent, done = {}, [], 0, 0
        began = time.perf_counter()
        while done < lines:
            frames = []
            while sent < min(lines, done + window):
                sent += 1
                sent_at[sent + 1] = time.perf_counter()
                frames.append(b"%d syslog %d %s\n" % (sent + 1, len(line), line))
            if frames:
                through.sendall(b"".join(frames))
            number = _answered(answers)
            took.append(time.perf_counter() - sent_at.pop(number))
            done += 1
        return time.perf_counter() - began, took


def _answered(answers: object) -> int:
    """The number of the next frame that was answered."""
    head = b""
    while head.count(b" ") < 3:
        byte = answers.read(1)  # type: ignore[attr-defined]
        if not byte:
            raise SystemExit("rsyslog has closed the connection")
        if byte == b"\n" and head.count(b" ") == 2:
            break
        head += byte
    number, _, size = head.split()[:3]
    if int(size):
        answers.read(int(size) + 1)  # type: ignore[attr-defined]
    return int(number)
