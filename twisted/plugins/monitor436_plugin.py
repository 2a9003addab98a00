"""Makes `twistd monitor436` known."""

from twisted.application.service import ServiceMaker

monitor436 = ServiceMaker(
    "monitor436", "monitor436.tap", "Heartbeats, plans and events of a LAN of hosts.", "monitor436"
)
