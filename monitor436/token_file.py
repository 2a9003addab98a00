"""The file of tokens: a JSON line for each that was made or revoked, added and never changed; 0600."""

from pathlib import Path

from msgspec import MsgspecError, json

from monitor436 import json_lines
from monitor436.model.keys.tokens import TOKEN, Token, Tokens

Stamp = tuple[int, int, int]


class TokenFile:
    """`tokens.jsonl` in the state folder. Raises OSError where the disk does."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def stamp(self) -> Stamp | None:
        """What differs after a change: time of change (ns), size and inode; None while there is no file."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def read(self) -> Tokens:
        """Every token in the file. What is no token's line is passed over: half a line, left by a power cut."""
        tokens = Tokens()
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return tokens
        for line in content.split(b"\n"):
            try:
                tokens.take(json.decode(line, type=Token))
            except MsgspecError:
                continue
        return tokens

    def keep(self, token: Token) -> None:
        """Make it durable that a token was made or revoked."""
        json_lines.keep(self.path, json.encode(token))


class FreshTokens:
    """The tokens of a file as it is now: it is looked at again when its stamp changed, at most every `EVERY` seconds.

    What is none of them may have been made a moment ago: for it the file is looked at sooner, at most every `MISSED`
    seconds, whoever shows how much. A file that cannot be read gives no tokens: a disk that fails lets nobody in who
    was revoked meanwhile.
    """

    EVERY = 0.5
    MISSED = 0.05

    def __init__(self, file: TokenFile) -> None:
        self._file = file
        self._looked = -self.EVERY
        self._missed = -self.MISSED
        self._stamp: Stamp | None = None
        self._tokens = Tokens()
        self.trouble = ""  # why the file cannot be read

    def at(self, now: float) -> Tokens:
        """The tokens that are good now; `now` is monotonic."""
        if now - self._looked >= self.EVERY:
            self._look(now)
        return self._tokens

    def find(self, shown: str, now: float) -> Token | None:
        """The token that somebody shows at `now` (monotonic), also one that has expired; None for what is none."""
        found = self.at(now).find(shown)
        if found is None and now - self._missed >= self.MISSED and TOKEN.fullmatch(shown):
            self._missed = now
            self._look(now)
            found = self._tokens.find(shown)
        return found

    def _look(self, now: float) -> None:
        self._looked = now
        try:
            stamp = self._file.stamp()
            if stamp != self._stamp or self.trouble:
                self._tokens, self._stamp = self._file.read(), stamp
            self.trouble = ""
        except OSError as problem:
            self._tokens, self.trouble = Tokens(), f"{self._file.path}: {problem.strerror}"
