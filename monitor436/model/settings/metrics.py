"""Settings of metrics: how many, how long, and where their summaries are kept."""

from typing import Annotated, Literal

from msgspec import Struct

from monitor436.model.settings.said import why
from monitor436.model.units import Duration

Role = Literal["receiver", "summariser"]


class Metrics(Struct, frozen=True):
    """Summaries of metrics: by minute for an hour, by hour for a day, of each host and label."""

    store: Annotated[
        Literal["sqlite", "redis", "memory"],
        why("Where they are kept: a file in the state folder, Redis (several servers share them), or nowhere."),
    ] = "sqlite"
    most_hosts: Annotated[int, why("Of how many hosts metrics are taken.", ge=1, le=1_000_000)] = 10_000
    most_labels: Annotated[int, why("How many labels one host may have.", ge=1, le=10_000)] = 100
    most_series: Annotated[
        int, why("How many series there may be in all: 100,000 take half a gigabyte.", ge=1, le=100_000_000)
    ] = 100_000
    ahead: Annotated[Duration, why("How far ahead of this server's clock a sample may be.", ge=0.0, le=60.0)] = 30.0
    write_every: Annotated[
        Duration, why("How often summaries are kept: so much is missing after a KILL.", ge=0.1, le=300.0)
    ] = 5.0
