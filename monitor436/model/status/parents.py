"""What stands before what: hosts behind a switch, as the settings have it."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

MOST = 100_000  # hosts whose parents are kept at hand


class Parents:
    """`depends`: by "HOST" or "HOST/CHECK", the patterns of the hosts behind it."""

    def __init__(self, depends: Mapping[str, Sequence[str]]) -> None:
        self._depends = [(split(name), tuple(patterns)) for name, patterns in depends.items()]
        self._known: dict[str, tuple[tuple[str, str], ...]] = {}

    def of(self, host: str) -> tuple[tuple[str, str], ...]:
        """(host, check) of each parent of a host; the check is "" where it is the host itself."""
        found = self._known.get(host)
        if found is None:
            if len(self._known) >= MOST:
                self._known.clear()
            found = self._known[host] = tuple(
                parent
                for parent, patterns in self._depends
                if parent[0] != host and any(fnmatchcase(host, pattern) for pattern in patterns)
            )
        return found


def split(name: str) -> tuple[str, str]:
    """The host and the check of "HOST/CHECK"."""
    host, _, check = name.partition("/")
    return host, check


def circle(depends: Mapping[str, Sequence[str]]) -> str:
    """One that stands behind itself, by way of others: all in it could be down and nobody told. "" if there is none."""
    parents = Parents(depends)
    hosts = {split(name)[0] for name in depends}
    for start in sorted(hosts):
        above, seen = [parent for parent, _ in parents.of(start)], set[str]()
        while above:
            host = above.pop()
            if host == start:
                return start
            if host not in seen:
                seen.add(host)
                above += [parent for parent, _ in parents.of(host)]
    return ""
