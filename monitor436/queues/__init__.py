"""Queues of work: within this process, or in Redis for workers on many machines."""

from collections.abc import Callable
from typing import Any

from monitor436.model.settings.redis import Redis
from monitor436.queues.queue import LEASE, Queue


def _local(name: str, redis: Redis, lease: float, reactor: Any) -> Queue:
    from monitor436.queues.local import LocalQueue

    return LocalQueue(reactor, lease)


def _redis(name: str, redis: Redis, lease: float, reactor: Any) -> Queue:
    from monitor436.queues.redis import RedisQueue
    from monitor436.redis_link import RedisLink

    return RedisQueue(RedisLink(redis, reactor), name, lease)


QUEUES: dict[str, Callable[[str, Redis, float, Any], Queue]] = {"local": _local, "redis": _redis}


def open_queue(name: str, redis: Redis, reactor: Any, lease: float = LEASE) -> Queue:
    """The queue of that name: in Redis, if that has an address, else in this process. Nothing is connected yet."""
    return QUEUES["redis" if redis.address else "local"](name, redis, lease, reactor)
