"""As much of Redis as summaries need, without a server: what several links put on one shelf."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from monitor436.redis_link import RedisAway


def raw(word: Any) -> bytes:
    """A word as it goes over the wire."""
    return word if isinstance(word, bytes) else str(word).encode()


class Shelf:
    """Where the data are. `unheard`: so many pipelines, after `answered` others, are carried out and not answered."""

    def __init__(self) -> None:
        self.hashes: dict[bytes, dict[bytes, bytes]] = defaultdict(dict)
        self.scores: dict[bytes, dict[bytes, float]] = defaultdict(dict)
        self.texts: dict[bytes, bytes] = {}
        self.lives: dict[bytes, int] = {}
        self.away = False
        self.answered = self.unheard = 0

    def do(self, words: Sequence[Any]) -> Any:
        """One command."""
        name, key, *rest = [raw(word) for word in words]
        return getattr(self, f"_{name.decode().lower()}")(key, rest)

    def _hset(self, key: bytes, rest: list[bytes]) -> int:
        self.hashes[key].update(zip(rest[::2], rest[1::2], strict=True))
        return len(rest) // 2

    def _hgetall(self, key: bytes, rest: list[bytes]) -> list[bytes]:
        return [word for pair in self.hashes[key].items() for word in pair] if key in self.hashes else []

    def _expire(self, key: bytes, rest: list[bytes]) -> int:
        self.lives[key] = int(rest[0])
        return 1

    def _zadd(self, key: bytes, rest: list[bytes]) -> int:
        self.scores[key].update({name: float(score) for score, name in zip(rest[::2], rest[1::2], strict=True)})
        return 1

    def _zrangebyscore(self, key: bytes, rest: list[bytes]) -> list[bytes]:
        return sorted(name for name, score in self.scores[key].items() if score >= float(rest[0]))

    def _zremrangebyscore(self, key: bytes, rest: list[bytes]) -> int:
        gone = [name for name, score in self.scores[key].items() if score < float(rest[1].lstrip(b"("))]
        for name in gone:
            del self.scores[key][name]
        return len(gone)

    def _set(self, key: bytes, rest: list[bytes]) -> bytes:
        self.texts[key] = rest[0]
        return b"OK"

    def _get(self, key: bytes, rest: list[bytes]) -> bytes | None:
        return self.texts.get(key)


class ShelfLink:
    """A link to a shelf."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    async def pipeline(self, commands: Sequence[Sequence[Any]], within: float | None = None) -> list[Any]:
        """The answers to commands."""
        if self._shelf.away:
            raise RedisAway("the shelf is away")
        answers = [self._shelf.do(words) for words in commands]
        if self._shelf.answered:
            self._shelf.answered -= 1
        elif self._shelf.unheard:
            self._shelf.unheard -= 1
            raise RedisAway("no answer came")
        return answers

    async def close(self) -> None:
        """Let go."""
