"""The closed loop of the rival: HTTP/1.1 over kept connections, one caller each, one thread."""

import select
import socket
import time


class RivalLoad:
    """Callers that send one request after the other."""

    def __init__(self, address: str, body: bytes, callers: int) -> None:
        """Connect; a caller has a connection of its own."""
        host, _, port = address.rpartition(":")
        self._request = (
            b"POST /score HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body)
        ) + body
        self._sockets = [socket.create_connection((host, int(port))) for _ in range(callers)]
        for one in self._sockets:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            one.setblocking(False)

    def closed(self, seconds: float) -> float:
        """Return how many answers came a second.

        Raises:
            ConnectionError: an answer was no 200, or a connection broke.
        """
        answered, begun = 0, dict.fromkeys(self._sockets, b"")
        began = time.monotonic()
        for one in self._sockets:
            one.send(self._request)
        while time.monotonic() - began < seconds:
            ready, _, _ = select.select(self._sockets, [], [], 1.0)
            for one in ready:
                begun[one] += one.recv(65_536)
                if not _is_whole(begun[one]):
                    continue
                begun[one] = b""
                answered += 1
                one.send(self._request)
        took_s = time.monotonic() - began
        # What is under way is read, so that the next round begins with silence.
        for one in self._sockets:
            one.setblocking(True)
            while not _is_whole(begun[one]):
                begun[one] += one.recv(65_536)
            one.setblocking(False)
        return answered / took_s

    def close(self) -> None:
        """Hang up."""
        for one in self._sockets:
            one.close()


def _is_whole(answer: bytes) -> bool:
    head, found, body = answer.partition(b"\r\n\r\n")
    if not found:
        return False
    if not head.startswith(b"HTTP/1.1 200"):
        raise ConnectionError(f"the rival answered {head[:40]!r}")
    length = next(
        int(line.split(b":")[1])
        for line in head.lower().split(b"\r\n")
        if line.startswith(b"content-length")
    )
    return len(body) >= length
