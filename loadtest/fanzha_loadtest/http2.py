"""Just enough HTTP/2 (RFC 9113, HPACK RFC 7541) to call a gRPC method very often.

One thread can have hundreds of calls in flight over a few connections, for about a tenth of what
the library's client costs. So the side that measures does not become what is measured.
"""

import socket
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct
from typing import Final

OK: Final = 0
UNKNOWN: Final = 2
UNAVAILABLE: Final = 14
"""gRPC's status codes that this client makes up itself: no status came, the connection broke."""

Done = Callable[[int, int, bytes, bytes], None]
"""Told of each call that ended: its number, gRPC status, message (b"" without one), and the block
of headers that came last, as it was on the wire."""

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST, _SETTINGS, _PING, _GOAWAY, _WINDOW, _CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
_END_STREAM, _ACK, _END_HEADERS, _PADDED, _PRIORITY = 1, 1, 4, 8, 32
_TABLE_SIZE, _PUSH, _INITIAL_WINDOW, _FRAME_SIZE = 1, 2, 4, 5
_WINDOW_BYTES: Final = 2**24
_SETTING = Struct(">HI")
_NUMBER = Struct(">I")
_GRPC_HEAD = Struct(">BI")
_RECEIVE_BYTES: Final = 2**18
_OPEN_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Call:
    """What all calls of a connection have in common."""

    method: str
    """Full name, such as /fanzha.v1.ScoringService/ScoreTransfer."""
    timeout: str = "1S"
    """The deadline that each call states, as gRPC writes it: 1S, 50m."""
    authority: str = "localhost"


class Connection:
    """An open connection; owned by one thread, never blocks after it was opened."""

    def __init__(
        self, address: str, call: Call, on_done: Done, tls: ssl.SSLContext | None = None
    ) -> None:
        """Connect and greet.

        Args:
            address: host:port.
            call: the method, and what its calls say.
            on_done: told of every call that ended.
            tls: with ALPN h2; None for none.

        Raises:
            OSError: nobody listens there, or TLS failed.
        """
        host, _, port = address.rpartition(":")
        opened = socket.create_connection((host.strip("[]"), int(port)), timeout=_OPEN_S)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._is_tls = tls is not None
        self.socket: socket.socket = (
            opened if tls is None else tls.wrap_socket(opened, server_hostname=call.authority)
        )
        self.socket.setblocking(False)
        self.is_leaving = False
        """The server takes no more calls here (GOAWAY), or it is broken."""
        self.calls = 0
        """Calls begun here."""
        self._on_done = on_done
        self._next_stream = 1
        self._under_way: dict[int, tuple[int, bytearray]] = {}
        self._in = bytearray()
        self._window, self._stream_window, self._frame_bytes = 65_535, 65_535, 16_384
        self._used = 0
        self._waiting: deque[tuple[int, bytes]] = deque()
        first, later = _header_blocks(call)
        self._first, self._later = first, later
        settings = ((_TABLE_SIZE, 0), (_PUSH, 0), (_INITIAL_WINDOW, _WINDOW_BYTES))
        self._out = bytearray(
            _PREFACE
            + _frame(_SETTINGS, 0, 0, b"".join(_SETTING.pack(*one) for one in settings))
            + _frame(_WINDOW, 0, 0, _NUMBER.pack(_WINDOW_BYTES - 65_535))
        )
        self.flush()

    @property
    def in_flight(self) -> int:
        """Calls that have not ended."""
        return len(self._under_way)

    @property
    def wants_to_write(self) -> bool:
        """Whether something waits for room in the socket."""
        return bool(self._out)

    def begin(self, number: int, message: bytes) -> None:
        """Begin a call; `flush` sends it.

        Args:
            number: names the call to `on_done`.
            message: the serialised request, within the server's window for one stream.
        """
        stream, self._next_stream = self._next_stream, self._next_stream + 2
        self._under_way[stream] = (number, bytearray())
        self.calls += 1
        body = _GRPC_HEAD.pack(0, len(message)) + message
        if len(body) > self._stream_window:
            raise ValueError(f"a message of {len(message)} bytes is larger than a stream's window")
        block = self._later
        if stream == 1:
            block = self._first
        self._out += _frame(_HEADERS, _END_HEADERS, stream, block)
        if self._waiting or len(body) > self._window:
            self._waiting.append((stream, body))
        else:
            self._put(stream, body)

    def _put(self, stream: int, body: bytes) -> None:
        self._window -= len(body)
        size = self._frame_bytes
        while len(body) > size:
            self._out += _frame(_DATA, 0, stream, body[:size])
            body = body[size:]
        self._out += _frame(_DATA, _END_STREAM, stream, body)

    def flush(self) -> None:
        """Send what waits, as far as the socket takes it."""
        while self._out:
            try:
                sent = self.socket.send(self._out)
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                return
            except OSError:
                self._broken()
                return
            del self._out[:sent]

    def receive(self) -> None:
        """Take what has arrived, and tell of the calls that ended with it."""
        while True:
            try:
                data = self.socket.recv(_RECEIVE_BYTES)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            except OSError:
                data = b""
            if not data:
                self._broken()
                return
            self._in += data
            self._take()
            # A socket with less than what was asked for is empty; TLS gives one record at a time.
            if len(data) < _RECEIVE_BYTES and not self._is_tls:
                return

    def close(self) -> None:
        """Hang up."""
        self.socket.close()

    def _broken(self) -> None:
        self.is_leaving = True
        self._out.clear()
        under_way, self._under_way = self._under_way, {}
        for number, _ in under_way.values():
            self._on_done(number, UNAVAILABLE, b"", b"")

    def _take(self) -> None:
        data, place, end = self._in, 0, len(self._in)
        while end - place >= 9:
            head = int.from_bytes(data[place : place + 4], "big")
            after = place + 9 + (head >> 8)
            if after > end:
                break
            stream = int.from_bytes(data[place + 5 : place + 9], "big")
            self._frame(head & 255, data[place + 4], stream, data[place + 9 : after])
            place = after
        del data[:place]

    def _frame(self, kind: int, flags: int, stream: int, payload: bytearray) -> None:
        if kind == _HEADERS:
            if flags & (_PADDED | _PRIORITY) or not flags & _END_HEADERS:
                raise ConnectionError("headers in a form that gRPC servers do not send")
            if flags & _END_STREAM:
                self._end(stream, bytes(payload))
        elif kind == _DATA:
            self._used += len(payload)
            if self._used > _WINDOW_BYTES // 2:
                self._out += _frame(_WINDOW, 0, 0, _NUMBER.pack(self._used))
                self._used = 0
            call = self._under_way.get(stream)
            if call is not None:
                call[1].extend(payload)
        elif kind == _RST:
            self._end(stream, b"")
        else:
            self._control(kind, flags, stream, payload)

    def _control(self, kind: int, flags: int, stream: int, payload: bytearray) -> None:
        """Take a frame that is about the connection, not about one call."""
        if kind == _WINDOW and stream == 0:
            self._window += _NUMBER.unpack(payload)[0]
            self._put_waiting()
        elif kind == _SETTINGS:
            self._settings(flags, payload)
        elif kind == _PING and not flags & _ACK:
            self._out += _frame(_PING, _ACK, 0, bytes(payload))
        elif kind == _GOAWAY:
            self.is_leaving = True

    def _put_waiting(self) -> None:
        while self._waiting and len(self._waiting[0][1]) <= self._window:
            self._put(*self._waiting.popleft())

    def _settings(self, flags: int, payload: bytearray) -> None:
        if flags & _ACK:
            return
        for name, value in _SETTING.iter_unpack(payload):
            if name == _INITIAL_WINDOW:
                self._stream_window = value
            elif name == _FRAME_SIZE:
                self._frame_bytes = value
        self._out += _frame(_SETTINGS, _ACK, 0, b"")

    def _end(self, stream: int, block: bytes) -> None:
        call = self._under_way.pop(stream, None)
        if call is not None:
            number, body = call
            self._on_done(number, status_of(block), bytes(body[5:]), block)


def _frame(kind: int, flags: int, stream: int, payload: bytes | bytearray) -> bytes:
    return _NUMBER.pack(len(payload) << 8 | kind) + bytes((flags,)) + _NUMBER.pack(stream) + payload


def _header_blocks(call: Call) -> tuple[bytes, bytes]:
    """Return the headers of the first call, and those of all later ones, which refer to them."""
    named = (
        (":path", call.method),
        (":authority", call.authority),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("user-agent", "fanzha-loadtest"),
        ("grpc-timeout", call.timeout),
    )
    post_http = b"\x83\x86"
    first, later = post_http, post_http
    for place, (name, value) in enumerate(named):
        first += b"\x40" + _text(name) + _text(value)
        # The newest entry of the dynamic table has number 62.
        later += bytes((0x80 | (61 + len(named) - place),))
    return first, later


def _text(text: str) -> bytes:
    raw = text.encode()
    if len(raw) > 126:
        raise ValueError(f"a header of {len(raw)} bytes is longer than any that this client sends")
    return bytes((len(raw),)) + raw


_STATUSES: dict[bytes, int] = {}


def status_of(block: bytes) -> int:
    """Return the gRPC status in a block of trailers, UNKNOWN without one.

    The table of headers has size 0, so that a block stands for itself, and gRPC writes without
    Huffman coding.
    """
    known = _STATUSES.get(block)
    if known is None:
        found = trailer(block, b"grpc-status")
        known = int(found) if found is not None and found.isdigit() else UNKNOWN
        if len(_STATUSES) < 1_000:
            _STATUSES[block] = known
    return known


def trailer(block: bytes, name: bytes) -> bytes | None:
    """Return a trailer's value, None when it is not there."""
    wanted = bytes((len(name),)) + name
    place = block.find(wanted)
    if place < 0:
        return None
    start = place + len(wanted)
    return block[start + 1 : start + 1 + block[start]] if start < len(block) else None
