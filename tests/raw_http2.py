"""Just enough HTTP/2 (RFC 9113) to be a bad client: frames that no well-kept client would send."""

import socket
from struct import pack
from typing import Final

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, CONTINUATION = 0, 1, 3, 4, 6, 9
END_STREAM, END_HEADERS = 1, 4


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return pack(">I", len(payload))[1:] + bytes((kind, flags)) + pack(">I", stream) + payload


def header(name: str, value: bytes) -> bytes:
    """HPACK: literal without indexing, new name, no Huffman coding (lengths below 127 * 128)."""
    return b"\0" + _string(name.encode()) + _string(value)


def _string(text: bytes) -> bytes:
    if len(text) < 127:
        return bytes((len(text),)) + text
    length, out = len(text) - 127, b"\x7f"
    while length >= 128:
        out += bytes((length % 128 + 128,))
        length //= 128
    return out + bytes((length,)) + text


def call_headers(method: str, *more: bytes) -> bytes:
    plain = {
        ":method": b"POST",
        ":scheme": b"http",
        ":path": method.encode(),
        ":authority": b"localhost",
        "content-type": b"application/grpc",
        "te": b"trailers",
    }
    return b"".join(header(name, value) for name, value in plain.items()) + b"".join(more)


def connect(address: str) -> socket.socket:
    """Open a connection and greet."""
    host, _, port = address.rpartition(":")
    opened = socket.create_connection((host, int(port)), timeout=10)
    opened.sendall(PREFACE + frame(SETTINGS, 0, 0))
    return opened


def send(opened: socket.socket, frames: bytes) -> bool:
    """Send; say whether the other side still took it."""
    try:
        opened.sendall(frames)
    except OSError:
        return False
    return True
