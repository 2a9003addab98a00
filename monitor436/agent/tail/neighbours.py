"""Those who follow the files of one pattern, and know of each other."""

import os
from collections.abc import Collection

from monitor436.agent.tail.company import Company
from monitor436.agent.tail.follow import Follower
from monitor436.agent.tail.logfile import PRINT, File
from monitor436.agent.tail.rotated import is_related


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
            related = is_related(os.path.basename(file.path), os.path.basename(each.path))
            if each is but or (small and not related):
                continue
            if related:
                each.look()  # it may have another file by now
            if any(other.is_copied_to(file) for other in each.files()):
                return True
        return False

    def has_made(self, file: File, but: object) -> bool:
        """Whether that is what a file of another one was compressed to."""
        return not file.grows and any(each is not but and each.has_made(file) for each in self._followers)

    def has_read(self, file: File, but: object) -> bool:
        """Whether another one has let go of that file; then it is where reading stopped."""
        return any(each is not but and each.has_read(file) for each in self._followers)

    def give(self, identity: "tuple[object, object]", to: object) -> "File | None":
        """What another one has open and has read to its end, if that one has no need for it any more."""
        given = (each.give(identity) for each in self._followers if each is not to)
        return next((file for file in given if file is not None), None)

    def take_over(self, file: File, by: object) -> bool:
        """One is done with that file: whether another one, whose name it has now, goes on in it."""
        for each in self._followers:
            try:
                if each is not by and each.adopt(file):
                    return True
            except OSError:  # it will be told when that one is read
                pass
        return False
