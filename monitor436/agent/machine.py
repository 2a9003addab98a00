"""The machine this host is: which boot, and for how long it runs."""

import time

BOOTTIME = getattr(time, "CLOCK_BOOTTIME", 7)


def boot_id() -> str:
    """What changes with each boot of the machine; empty where the kernel does not tell."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return ""


def uptime() -> int:
    """Seconds since the machine booted, time asleep included."""
    return int(time.clock_gettime(BOOTTIME))
