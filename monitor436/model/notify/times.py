"""What time it is, in both senses."""

from typing import NamedTuple


class Clocks(NamedTuple):
    """`now` (epoch seconds) never jumps and says how long things last; `wall` (epoch seconds too), the local `weekday`
    (0: Monday) and the `minute` of the day are what people mean.
    """

    now: float
    wall: float
    weekday: int = 0
    minute: int = 0
