"""Fan-out: what became durable is told to everyone who asked."""

from collections.abc import Callable, Sequence

from twisted.logger import Logger

from monitor436.model.event import Event

Listener = Callable[[Sequence[Event]], object]


class EventBus:
    """Tells every listener of events, in the order they subscribed. One that fails does not keep the others deaf."""

    log = Logger()

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Be called with each batch of events from now on; the result ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def publish(self, events: Sequence[Event]) -> None:
        """These events are durable."""
        for listener in list(self._listeners):
            try:
                listener(events)
            except Exception:
                self.log.failure("{listener} failed on an event", listener=listener)
