"""Running totals that the kernel keeps, and what two of them, taken some time apart, come to."""

from monitor436.agent.probe.procfs import ReadingError, text

SECTOR = 512  # bytes, in /proc/diskstats, whatever the disk itself has
CPU_TIMES = 8  # user nice system idle iowait irq softirq steal; guests are in user and nice already (proc(5))
IDLE, IO_WAIT = 3, 4  # places among them
READ, WRITTEN = 5, 9  # columns of /proc/diskstats (Documentation/admin-guide/iostats.rst)
RECEIVED, SENT = 0, 8  # columns of /proc/net/dev after the name


def cpu_times(of: str, root: str) -> "tuple[int, int]":
    """Time that all processors together were busy, and all their time, in ticks since the boot."""
    words = text(root, "proc/stat").split("\n", 1)[0].split()[1 : 1 + CPU_TIMES]
    try:
        times = [int(word) for word in words]
        return sum(times) - times[IDLE] - times[IO_WAIT], sum(times)
    except (ValueError, IndexError):
        raise ReadingError("/proc/stat does not tell how busy the processors are") from None


def disk_read(of: str, root: str) -> float:
    """Bytes read from a disk such as sda, or a partition of one."""
    return _sectors(of, root, READ)


def disk_written(of: str, root: str) -> float:
    """Bytes written to it."""
    return _sectors(of, root, WRITTEN)


def network_received(of: str, root: str) -> float:
    """Bytes received through an interface such as eth0."""
    return _octets(of, root, RECEIVED)


def network_sent(of: str, root: str) -> float:
    """Bytes sent through it."""
    return _octets(of, root, SENT)


def per_second(before: float, after: float, seconds: float) -> "float | None":
    """How fast a total rises; None for one that went back, which somebody has reset."""
    return (after - before) / seconds if seconds > 0 and after >= before else None


def busy_percent(before: "tuple[int, int]", after: "tuple[int, int]", seconds: float) -> "float | None":
    """Which share of the time that passed was busy; None if none has passed. The kernel's idle time may waver."""
    passed = after[1] - before[1]
    return min(100.0, max(0.0, 100.0 * (after[0] - before[0]) / passed)) if passed > 0 else None


def _sectors(of: str, root: str, column: int) -> float:
    name = of.replace("!", "/")  # how /sys writes the names of disks that have a slash in them
    for line in text(root, "proc/diskstats").splitlines():
        words = line.split()
        if len(words) > column and words[2] == name:
            return float(words[column]) * SECTOR
    raise ReadingError("there is no disk {} in /proc/diskstats".format(of))


def _octets(of: str, root: str, column: int) -> float:
    for line in text(root, "proc/net/dev").splitlines():
        name, colon, rest = line.rpartition(":")
        if colon and name.strip() == of:
            return float(rest.split()[column])
    raise ReadingError("there is no interface {} in /proc/net/dev".format(of))
