"""What a spool that is too full does without: the least important first, and every gap told in the stream itself."""

from monitor436.agent import event as stated
from monitor436.agent.store.durable import replace
from monitor436.agent.store.segment import (
    CLOCK,
    NOTHING,
    Reader,
    Segment,
    header,
    numbered,
    rank,
    record,
)


def lost_event(count: int, covers: int, at: float) -> "dict[str, object]":
    """The event that says that `count` were lost. It stands for `covers` numbers before its own."""
    text = "{} event{} lost: the spool was full".format(count, " was" if count == 1 else "s were")
    lost = stated.event(stated.LOST, "critical", text, at, fields={"count": count})
    lost["lost"] = covers
    return lost


def rest(event: "dict[str, object]", had: int) -> "dict[str, object]":
    """What is left of a loss of which a server has the first `had` numbers: it got them before they were shed."""
    count = int(event["fields"]["count"])  # type: ignore[index]
    return lost_event(count - had, int(str(event["lost"])) - had, float(str(event["at"])))


class Gap:
    """Consecutive numbers that are done without."""

    def __init__(self) -> None:
        self.first = self.last = self.count = 0
        self.at = 0.0

    def add(self, first: int, last: int, event: "dict[str, object]") -> None:
        """This event goes too; one that tells of a loss stands for as many as it says."""
        if not self.count:
            self.first = first
        self.last = last
        self.at = float(str(event["at"]))
        self.count += int(event["fields"]["count"]) if event["kind"] == stated.LOST else 1  # type: ignore[index]

    def event(self) -> "dict[str, object]":
        """What stands for it from now on."""
        return lost_event(self.count, self.last - self.first, self.at)


def shed(segment: Segment, worst: int, acknowledged: int) -> bool:
    """Rewrite a segment without events up to the rank `worst`, durably; whether that was done. Raises OSError.

    Numbers stay what they are: consecutive ones that go become one `lost` event with the last of them as its own.
    What is `acknowledged` goes without a word, because some server has it. Not for the last segment of a spool: what
    is kept in this one is dropped.
    """
    reader = Reader(segment)
    lines, gap = [header(segment.spool, {CLOCK: segment.written})], Gap()
    for each in reader.rest():
        for first, last, event in numbered(each):
            if last <= acknowledged:
                continue
            if rank(event) <= worst or event["kind"] == stated.LOST:
                gap.add(max(first, acknowledged + 1), last, event)
                continue
            if gap.count:
                lines.append(record(gap.first, [gap.event()], {}))
                gap = Gap()
            lines.append(record(first, [event], {}))
    reader.close()
    if gap.count:
        lines.append(record(gap.first, [gap.event()], {}))
    whole = b"".join(lines)
    if len(whole) >= segment.size and worst < NOTHING:  # small gaps between what stays: nothing is won
        return False
    replace(segment.path, whole)
    segment.size = len(whole)
    segment.least = min(worst + 1, NOTHING)
    return True
