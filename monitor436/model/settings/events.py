"""Settings of the events file."""

from typing import Annotated

from msgspec import Struct

from monitor436.model.settings.said import DAY, why
from monitor436.model.units import Duration, FilePath, Size


class Events(Struct, frozen=True):
    """The events file, which people tail."""

    file: Annotated[FilePath, why("Every event, one JSON line each.")] = "../var/events.jsonl"
    rotate_at: Annotated[Size, why("The size at which a new file is begun.", ge=4096)] = 64 << 20
    rotate_every: Annotated[Duration, why("The age at which a new file is begun.", ge=60.0, le=3650 * DAY)] = DAY
    keep: Annotated[int, why("How many of the old files are kept.", ge=0, le=100_000)] = 14
