"""How many connections a process may have open at once: the soft limit is 1024 on most machines, the hard one more."""

import resource

RESERVED = 100  # descriptors for everything else: files, listeners, the connections of hosts
WANTED = 1 << 16


def room() -> int:
    """So many connections, at least a few. Raises the soft limit of this process as far as the hard one lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return max(10, (WANTED if soft == resource.RLIM_INFINITY else min(WANTED, soft)) - RESERVED)
