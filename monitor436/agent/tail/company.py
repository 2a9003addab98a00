"""Those who follow logs side by side, so that none reads what another one reads."""

from monitor436.agent.tail.logfile import File


class Company:
    """Nobody else: whoever follows one log by its name alone. `but` and `by` are who asks."""

    alone = True

    def holds(self, identity: "tuple[object, object]", but: object) -> bool:
        """Whether another one has that file open, and reads it."""
        return False

    def is_awaited(self, file: File, but: object) -> bool:
        """Whether another one, who has not begun yet, will go on in that file."""
        return False

    def is_copy(self, file: File, but: object) -> bool:
        """Whether that file holds what one that another one reads holds, and no more."""
        return False

    def has_made(self, file: File, but: object) -> bool:
        """Whether that is what a file of another one was compressed to."""
        return False

    def has_read(self, file: File, but: object) -> bool:
        """Whether another one has let go of that file; then it is where reading stopped."""
        return False

    def give(self, identity: "tuple[object, object]", to: object) -> "File | None":
        """What another one has open and has read to its end, if that one has no need for it any more."""
        return None

    def take_over(self, file: File, by: object) -> bool:
        """One is done with that file: whether another one, whose name it has now, goes on in it."""
        return False


ALONE = Company()
