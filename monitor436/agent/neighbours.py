"""Those who follow the files of one pattern, and know of each other."""

import os
from collections.abc import Collection

from monitor436.agent.company import Company
from monitor436.agent.follow import Follower
from monitor436.agent.logfile import PRINT, File
from monitor436.agent.rotated import is_related


class Neighbours(Company):
    """The company of a follower among them. Arguments are as for Company."""

    alone = False

    def __init__(self, followers: "Collection[Follower]") -> None:
        self._followers = followers
        self._holders = {}  # type: dict[tuple[object, object], Follower]  # who was the last to hold a file

    def holds(self, identity: "tuple[object, object]", but: object) -> bool:
        """Whether another one has that file open, and reads it."""
        known = self._holders.pop(identity, None)
        for each in ([] if known is None else [known]) + list(self._followers):
            if each is not but and any(file.identity == identity for file in each.files()):
                self._holders[identity] = each
                return True
        return False

    def is_awaited(self, file: File, but: object) -> bool:
        """Whether another one, who has not begun yet, will go on in that file."""
        return any(each is not but and each.awaits(file) for each in self._followers)

    def is_copy(self, file: File, but: object) -> bool:
        """Whether that file holds what one that another one reads holds, and no more."""
        small = file.size() < PRINT
        for each in self._followers:
            if each is but or (small and not is_related(os.path.basename(file.path), os.path.basename(each.path))):
                continue
            if any(other.is_copied_to(file) for other in each.files()):
                return True
        return False

    def has_read(self, file: File, but: object) -> bool:
        """Whether another one has let go of that file; then it is where reading stopped."""
        return any(each is not but and each.has_read(file) for each in self._followers)

    def take_over(self, file: File, by: object) -> bool:
        """One is done with that file: whether another one, whose name it has now, goes on in it."""
        return any(each is not by and each.adopt(file) for each in self._followers)
