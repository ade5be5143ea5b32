"""Turns a CSV file into UTF-8 row by row: files of UTF-8, GB18030 or UTF-16, also mixed ones.

A row is read as UTF-8 where it is valid UTF-8, else as GB18030, of which GBK is a part. Rows that
are in the other encoding than the first are counted; rows that are in neither are faults.
"""

import codecs
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

import numpy as np

Encoding = Literal["auto", "utf-8", "gb18030", "gbk", "utf-16"]

_BLOCK_BYTES: Final = 4 * 2**20
_UTF16_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_MAYBE_UTF8: Final = re.compile(rb"[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
"""Three or four bytes that are one character where the line is UTF-8."""
_QUOTE, _NEWLINE = ord('"'), ord("\n")
_WIDE: Final = "\u0800"
"""From here on, UTF-8 takes three bytes."""


class Transcoder(io.RawIOBase):
    """The file as UTF-8."""

    def __init__(self, path: Path, encoding: Encoding) -> None:
        """Open the file.

        Args:
            path: a CSV file.
            encoding: what it is said to be in; "auto" lets the first row decide that is not ASCII.
        """
        super().__init__()
        self._file: BinaryIO = path.open("rb")
        head = self._file.read(4)
        self._file.seek(3 if head.startswith(codecs.BOM_UTF8) else 0)
        self.encoding: str | None = {"auto": None, "gbk": "gb18030"}.get(encoding, encoding)
        """What most rows are in; None as long as all of them are ASCII."""
        if head.startswith(_UTF16_MARKS):
            self.encoding = "utf-16"
        self.others: list[int] = []
        """Rows that are in the other encoding; the header is row 0."""
        self.broken: list[int] = []
        """Rows that are in neither."""
        self._row = 0
        self._in_quotes = False
        self._blocks = self._utf16() if self.encoding == "utf-16" else self._plain()
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any writable buffer
        """Fill a buffer with what comes next; return how many bytes that are."""
        while not len(self._rest):
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest = memoryview(block)
        count = min(len(buffer), len(self._rest))
        memoryview(buffer)[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()

    def _utf16(self) -> Iterator[bytes]:
        decoder = codecs.getincrementaldecoder("utf-16")(errors="strict")
        while block := self._file.read(_BLOCK_BYTES):
            yield decoder.decode(block).encode()
        yield decoder.decode(b"", final=True).encode()

    def _plain(self) -> Iterator[bytes]:
        """Yield blocks of whole lines. No byte of a character of GB18030 is a newline."""
        carried = b""
        while block := self._file.read(_BLOCK_BYTES):
            cut = block.rfind(b"\n") + 1
            if not cut:
                carried += block
                continue
            yield self._converted(carried + block[:cut])
            carried = block[cut:]
        if carried:
            yield self._converted(carried)

    def _converted(self, block: bytes) -> bytes:
        if block.isascii():
            self._count(block)
            return block
        if self.encoding != "gb18030" and _is_utf8(block):
            self.encoding = "utf-8"
            self._count(block)
            return block
        done: list[bytes] = []
        plain: list[bytes] = []
        for line in _lines(block):
            if self.encoding == "gb18030" and _MAYBE_UTF8.search(line) is None:
                plain.append(line)
                continue
            done += [self._as_gb18030(plain), self._line(line)]
            plain = []
        return b"".join([*done, self._as_gb18030(plain)])

    def _as_gb18030(self, lines: list[bytes]) -> bytes:
        """Convert lines that cannot be taken for UTF-8: all at once where all are sound."""
        block = b"".join(lines)
        try:
            converted = block.decode("gb18030").encode()
        except UnicodeDecodeError:
            return b"".join(map(self._line, lines))
        self._count(block)
        return converted

    def _line(self, line: bytes) -> bytes:
        found = "utf-8" if line.isascii() else _encoding_of(line, self.encoding)
        if found is None:
            self.broken.append(self._row)
        elif not line.isascii():
            self.encoding = self.encoding or found
            if found != self.encoding:
                self.others.append(self._row)
        self._count(line)
        if found is None:
            return line.decode(errors="replace").encode()
        return line if found == "utf-8" else line.decode(found).encode()

    def _count(self, block: bytes) -> None:
        """Count the rows that end in a block: newlines outside of quotes, but for empty lines."""
        if not block:
            return
        data = np.frombuffer(block, np.uint8)
        if not self._in_quotes and b'"' not in block and b"\n\n" not in block:
            empty = block.startswith((b"\n", b"\r\n")) + block.count(b"\n\r\n")
            self._row += block.count(b"\n") - empty
            return
        inside = np.cumsum(data == _QUOTE, dtype=np.int32) + self._in_quotes
        ends = np.flatnonzero((data == _NEWLINE) & (inside % 2 == 0))
        starts = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends
        lengths = ends - starts
        returns = (lengths == 1) & (data[np.maximum(ends - 1, 0)] == ord("\r"))
        self._row += int(((lengths > 0) & ~returns).sum())
        self._in_quotes = bool(inside[-1] % 2)


def _lines(block: bytes) -> list[bytes]:
    """Split after newlines alone: a carriage return within quotes ends no line."""
    *lines, last = block.split(b"\n")
    return [line + b"\n" for line in lines] + ([last] if last else [])


def _is_utf8(block: bytes) -> bool:
    try:
        block.decode()
    except UnicodeDecodeError:
        return False
    return True


def _encoding_of(line: bytes, mostly: str | None) -> str | None:
    """Return the encoding of a line, None when it is neither UTF-8 nor GB18030."""
    try:
        text = line.decode()
    except UnicodeDecodeError:
        pass
    else:
        # Some pairs of bytes are a character of either; three bytes that fit UTF-8 are no accident.
        if mostly != "gb18030" or any(letter >= _WIDE for letter in text):
            return "utf-8"
    try:
        line.decode("gb18030")
    except UnicodeDecodeError:
        return None
    return "gb18030"
