"""Lines of a log matched by the agent, beside grep, mtail and loops around `re`, in one run on one core.

The log is made up: lines as in a syslog, about one in 200 of which the patterns match. Every contender counts the
lines that one of its patterns matches; counts that differ end the run. Figures are of CPU time, user and system.
What is not installed is left out with a word: mtail.
"""

import argparse
import os
import random
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from table import show, verdict

from monitor436.agent.match.block import Block
from monitor436.agent.match.matcher import Matcher

RARE = 200  # lines for one that matches
KIB = 1024
TARGETS = {10: 8.0, 50: 5.0}  # times mtail

# What happens all the time. %n is a number, %h hexadecimal digits, %u a user, %w a word.
ORDINARY = """
sshd[%n]: Accepted publickey for %u from 10.%n.%n.%n port %n ssh2: ED25519 SHA256:%h%h
sshd[%n]: pam_unix(sshd:session): session opened for user %u(uid=%n) by (uid=0)
sshd[%n]: pam_unix(sshd:session): session closed for user %u
sshd[%n]: Disconnected from user %u 10.%n.%n.%n port %n
sshd[%n]: Connection closed by authenticating user %u 10.%n.%n.%n port %n [preauth]
systemd[1]: Started Session %n of User %u.
systemd[1]: session-%n.scope: Deactivated successfully.
systemd[1]: Starting Daily %w upgrade and clean activities...
systemd[1]: %w.service: Consumed %n.%ns CPU time.
systemd-logind[%n]: New session %n of user %u.
CRON[%n]: (%u) CMD (cd / && run-parts --report /etc/cron.hourly)
CRON[%n]: pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)
kernel: [%n.%n] usb %n-%n: new high-speed USB device number %n using xhci_hcd
kernel: [%n.%n] audit: type=%n audit(%n.%n:%n): apparmor="STATUS" operation="profile_load" name="%w" pid=%n
kernel: [%n.%n] IPv6: ADDRCONF(NETDEV_CHANGE): veth%h: link becomes ready
dhclient[%n]: DHCPREQUEST for 10.%n.%n.%n on eth0 to 10.%n.%n.%n port 67
postfix/smtpd[%n]: connect from %w.example.org[10.%n.%n.%n]
postfix/qmgr[%n]: %h%h: from=<%u@example.org>, size=%n, nrcpt=1 (queue active)
nginx: 10.%n.%n.%n - %u "GET /%w/%n/%w?page=%n HTTP/1.1" 200 %n "-" "Mozilla/5.0 (X11; Linux x86_64; rv:%n.0) Firefox"
nginx: 10.%n.%n.%n - - "POST /api/%w HTTP/2.0" 201 %n "https://%w.example.org/%w" "curl/7.88.%n"
dockerd[%n]: time="10:%n:%n" level=info msg="ignoring event" container=%h%h%h module=libcontainerd namespace=moby
named[%n]: client @0x%h 10.%n.%n.%n#%n (%w.example.org): query: %w.example.org IN A +E(0)K (10.%n.%n.%n)
app[%n]: INFO %w.%w request=%h%h user=%u took=%nms items=%n cache=hit
app[%n]: DEBUG %w.%w pool size %n of %n, oldest %n s
""".strip().splitlines()

# What somebody wants to know, each pattern with a line that it matches. grep -E, mtail and re read them alike.
DISTINCT = r"""
Out of memory: Killed process [0-9]+ | kernel: [%n.%n] Out of memory: Killed process %n (%w) total-vm:%nkB
segfault at [0-9a-f]+ ip | kernel: [%n.%n] %w[%n]: segfault at %h ip %h%h sp %h%h error 4 in lib%w.so
I/O error, dev sd[a-z] | kernel: [%n.%n] blk_update_request: I/O error, dev sda, sector %n op 0x0:(READ)
EXT4-fs error|XFS .*[Cc]orruption | kernel: [%n.%n] EXT4-fs error (device sda1): %w_find_entry:%n: inode #%n
Failed password for (invalid user )?\S+ from | sshd[%n]: Failed password for invalid user %u from 10.%n.%n.%n port %n
authentication failure.* user=root | sshd[%n]: pam_unix(sshd:auth): authentication failure; rhost=10.%n.%n.%n user=root
Failed to start .*\. | systemd[1]: Failed to start %w server.
[Nn]o space left on device | app[%n]: ERROR %w.%w write: No space left on device
task \S+ blocked for more than [0-9]+ seconds | kernel: [%n.%n] INFO: task %w:%n blocked for more than 120 seconds.
status=bounced \(host .* said: 5 | postfix/smtp[%n]: %h%h: to=<%u@%w.org>, status=bounced (host %w.org said: 550 no)
possible SYN flooding on port | kernel: [%n.%n] TCP: request_sock_TCP: possible SYN flooding on port %n.
Link is Down | kernel: [%n.%n] e1000e: eth0 NIC Link is Down
nf_conntrack: table full | kernel: [%n.%n] nf_conntrack: table full, dropping packet
temperature above threshold | kernel: [%n.%n] CPU%n: Core temperature above threshold, cpu clock throttled
Hardware Error | kernel: [%n.%n] mce: [Hardware Error]: Machine check events logged
md/raid.*(failure|degraded) | kernel: [%n.%n] md/raid1:md0: Disk failure on sdb1, disabling device.
Remounting filesystem read-only | kernel: [%n.%n] (sda1): Remounting filesystem read-only
soft lockup - CPU#[0-9]+ stuck | kernel: [%n.%n] watchdog: BUG: soft lockup - CPU#3 stuck for 22s! [%w:%n]
general protection (fault|error) | kernel: [%n.%n] traps: %w[%n] general protection fault ip:%h%h sp:%h%h
martian source .* from | kernel: [%n.%n] IPv4: martian source 10.%n.%n.%n from 10.%n.%n.%n, on dev eth0
maximum authentication attempts exceeded | sshd[%n]: error: maximum authentication attempts exceeded for %u
POSSIBLE BREAK-IN ATTEMPT | sshd[%n]: reverse mapping checking failed - POSSIBLE BREAK-IN ATTEMPT!
Did not receive identification string | sshd[%n]: Did not receive identification string from 10.%n.%n.%n port %n
sudo: +\S+ : .*incorrect password attempts | sudo:     %u : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/
su: .*FAILED SU | su: FAILED SU (to root) %u on pts/%n
user NOT in sudoers | sudo:     %u : user NOT in sudoers ; TTY=pts/%n ; COMMAND=/bin/sh
account .* has expired | sshd[%n]: pam_unix(sshd:account): account %u has expired (account expired)
Main process exited, code=(dumped|killed) | systemd[1]: %w.service: Main process exited, code=killed, status=9/KILL
Start request repeated too quickly | systemd[1]: %w.service: Start request repeated too quickly.
Dependency failed for | systemd[1]: Dependency failed for %w.
Watchdog timeout \(limit | systemd[1]: %w.service: Watchdog timeout (limit 1min)!
Too many open files | app[%n]: ERROR %w.%w accept: Too many open files
Connection refused.*upstream | nginx: [error] %n#%n: connect() failed (111: Connection refused), upstream: "%w"
upstream timed out | nginx: [error] %n#%n: *%n upstream timed out (110: timed out) while reading, client: 10.%n.%n.%n
SSL_do_handshake\(\) failed | nginx: [crit] %n#%n: *%n SSL_do_handshake() failed (SSL: error:%h%h) while SSL handshaking
" 50[0-9] [0-9]+ | nginx: 10.%n.%n.%n - - "GET /api/%w HTTP/1.1" 502 %n "-" "curl/7.88.%n"
worker_connections are not enough | nginx: [alert] %n#%n: %n worker_connections are not enough
Relay access denied | postfix/smtpd[%n]: NOQUEUE: reject: RCPT from %w[10.%n.%n.%n]: 554 5.7.1 Relay access denied
warning: hostname .* does not resolve | postfix/smtpd[%n]: warning: hostname %w.org does not resolve to address
queue file write error | postfix/cleanup[%n]: warning: queue file write error: %h%h
deadlock detected | postgres[%n]: ERROR:  deadlock detected
remaining connection slots are reserved | postgres[%n]: FATAL:  remaining connection slots are reserved for superusers
Table .* is marked as crashed | mysqld[%n]: Table %w/%n is marked as crashed and should be repaired
Aborted connection [0-9]+ to db | mysqld[%n]: Aborted connection %n to db: %w user: %u host: 10.%n.%n.%n
java\.lang\.OutOfMemoryError | app[%n]: java.lang.OutOfMemoryError: Java heap space
Traceback \(most recent call last\) | app[%n]: Traceback (most recent call last):
Unhandled(Promise)?Rejection | app[%n]: UnhandledPromiseRejection: %w is not a function
(CRITICAL|FATAL) \S+ | app[%n]: CRITICAL %w.%w cannot go on
certificate (has expired|verify failed) | app[%n]: %w.%w TLS: certificate has expired
zone .*: transfer failed | named[%n]: zone %w.org/IN: transfer failed: timed out
""".strip().splitlines()

# The same few texts again and again, each time with something else behind it; %d is a digit.
SHARED = r"""
Failed password for .* from 10\.%d[0-9]*\. | sshd[%n]: Failed password for %u from 10.%d7.%n.%n port %n ssh2
Out of memory: Killed process [0-9]*%d | kernel: [%n.%n] Out of memory: Killed process %n%d (%w)
I/O error, dev sd.*sector [0-9]*%d | kernel: [%n.%n] blk_update_request: I/O error, dev sda, sector %n%d op 0x0:(READ)
upstream timed out .*/v%d/ | nginx: [error] %n#%n: *%n upstream timed out (110: timed out), request: "GET /v%d/%w"
segfault at [0-9a-f]+ .*error %d in | kernel: [%n.%n] %w[%n]: segfault at %h ip %h%h sp %h%h error %d in lib%w.so
""".strip().splitlines()


class Case(NamedTuple):
    """What is looked for, and lines in which it is found."""

    name: str
    patterns: tuple[str, ...]
    examples: tuple[str, ...]


def cases(counts: Sequence[int]) -> Iterator[Case]:
    """Every number of patterns, each with texts of its own and, from the second on, with shared ones."""
    shared = [line.replace("%d", str(digit)) for digit in range(10) for line in SHARED]
    for count in counts:
        for how, lines in (("", DISTINCT), (", shared texts", shared)):
            patterns, _, examples = zip(*(line.rpartition(" | ") for line in lines[:count]), strict=True)
            if count > 1 or not how:
                yield Case(f"{count} pattern{'s' * (count > 1)}{how}", patterns, examples)


def write_log(path: Path, case: Case, lines: int) -> None:
    """A log of so many lines, the same each time."""
    dice = random.Random(436)
    words = "backup billing cache cart gateway index mailer orders report search session stock users web".split()
    fills: dict[str, Callable[[], str]] = {
        "%n": lambda: str(dice.randrange(10 ** dice.randint(1, 5))),
        "%h": lambda: f"{dice.getrandbits(24):06x}",
        "%u": lambda: dice.choice(("root", "admin", "deploy", "anna", "www-data", "git")),
        "%w": lambda: dice.choice(words),
    }
    with open(path, "w") as file:
        for at in range(lines):
            kind = dice.choice(case.examples if dice.randrange(RARE) == 0 else ORDINARY)
            text = re.sub("%[nhuw]", lambda place: fills[place.group()](), kind)
            file.write(f"Nov 21 {at // 36000 % 24:02}:{at // 600 % 60:02}:{at // 10 % 60:02} web{at % 7} {text}\n")


class Took(NamedTuple):
    """Lines that were found, seconds of CPU."""

    found: int
    seconds: float


def ours(path: Path, case: Case, size: int) -> Took:
    """The agent's matcher, on blocks as it reads them."""
    begun, found, rest = time.thread_time(), 0, b""
    matcher = Matcher(case.patterns)
    with open(path, "rb", buffering=0) as file:
        while data := file.read(size):
            end = data.rfind(b"\n") + 1
            found += len(matcher.search(Block(rest + data[:end])))
            rest = data[end:]
    return Took(found, time.thread_time() - begun)


def every_pattern(path: Path, case: Case) -> Took:
    """Each line shown to one pattern after the other."""
    begun, found = time.thread_time(), 0
    searches = [re.compile(pattern.encode()).search for pattern in case.patterns]
    with open(path, "rb") as file:
        for line in file:
            for search in searches:
                if search(line):
                    found += 1
                    break
    return Took(found, time.thread_time() - begun)


def one_pattern(path: Path, case: Case) -> Took:
    """Each line shown to all patterns joined by |."""
    begun = time.thread_time()
    search = re.compile("|".join(f"(?:{pattern})" for pattern in case.patterns).encode()).search
    with open(path, "rb") as file:
        found = sum(1 for line in file if search(line))
    return Took(found, time.thread_time() - begun)


def grep(path: Path, case: Case) -> Took:
    """grep -cE, with LC_ALL=C."""
    options = [word for pattern in case.patterns for word in ("-e", pattern)]
    output, seconds = _ran(["grep", "-cE", *options, str(path)], path.parent)
    return Took(int(output), seconds)


def mtail(path: Path, case: Case) -> Took:
    """mtail with a program that counts a line at the first pattern that matches."""
    program = path.with_suffix(".mtail")
    blocks = ["/{}/ {{\n  found++\n  stop\n}}\n".format(pattern.replace("/", r"\/")) for pattern in case.patterns]
    program.write_text("counter found\n" + "".join(blocks))
    argv = ["mtail", "--one_shot", "--progs", str(program), "--logs", str(path), "--log_dir", str(path.parent)]
    output, seconds = _ran(argv, path.parent)
    value = re.search(rb'"Value": (\d+)', output)
    return Took(int(value.group(1)) if value else 0, seconds)


def _ran(argv: list[str], folder: Path) -> tuple[bytes, float]:
    """What a program on one core printed, and its CPU seconds."""
    environment = {**os.environ, "LC_ALL": "C", "GOMAXPROCS": "1"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    output = subprocess.run(argv, cwd=folder, env=environment, stdout=subprocess.PIPE).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return output, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _version(name: str) -> str:
    """What a program says of itself, shortened to name and number."""
    told = subprocess.run([name, "--version"], stdout=subprocess.PIPE, text=True).stdout
    number = re.search(r"\d+\.\d\S*", told)
    return f"{name} {number.group() if number else '?'}"


CONTENDERS: dict[str, Callable[[Path, Case], Took]] = {
    "grep -cE": grep,
    "mtail": mtail,
    "re, pattern by pattern": every_pattern,
    "re, one pattern of all": one_pattern,
    "monitor436, blocks of 256 KiB": lambda path, case: ours(path, case, 256 * KIB),
    "monitor436, blocks of 1 MiB": lambda path, case: ours(path, case, 1024 * KIB),
}
OURS = "monitor436, blocks of 256 KiB"


def rates(case: Case, contenders: Sequence[str], lines: int, rounds: int) -> dict[str, float]:
    """Lines for each second of CPU, the median of some rounds. Ends the program if they do not count alike."""
    taken: dict[str, list[Took]] = {name: [] for name in contenders}
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        write_log(log, case, lines)
        for _ in range(rounds):
            for name in contenders:
                taken[name].append(CONTENDERS[name](log, case))
    counts = {name: sorted({took.found for took in each}) for name, each in taken.items()}
    if len({tuple(each) for each in counts.values()}) > 1:
        sys.exit(f"{case.name}: they do not count alike: {counts}")
    return {name: lines / statistics.median(took.seconds for took in each) for name, each in taken.items()}


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--lines", type=int, default=200_000, help="of the log (default: %(default)s)")
    options.add_argument("--patterns", type=int, nargs="*", default=[1, 10, 50], help="how many (default: %(default)s)")
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    contenders = [name for name in CONTENDERS if name != "mtail" or shutil.which("mtail")]
    made = list(cases(given.patterns))
    found = {case.name: rates(case, contenders, given.lines, given.rounds) for case in made}
    rows = [
        [name, *(f"{each[name]:,.0f} ({each[OURS] / each[name]:.2f})" for each in found.values())]
        for name in contenders
    ]
    title = f"{given.lines:,} lines, one in {RARE} matches; median of {given.rounds} rounds"
    versions = [_version(name) for name in ("grep", "mtail") if shutil.which(name)]
    show(f"{title}. Lines for each second of CPU, and how many times as many are ours", ("", *found), rows, versions)
    for case in made:
        bound = TARGETS.get(len(case.patterns))
        if bound and "mtail" in contenders:
            print(verdict(f"{case.name}, × mtail", found[case.name][OURS] / found[case.name]["mtail"], bound, True))
    if "mtail" not in contenders:
        print("not here: mtail")


if __name__ == "__main__":
    main()
