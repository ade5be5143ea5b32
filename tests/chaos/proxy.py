"""A TCP proxy that misbehaves on demand, as a process of its own.

`python -m tests.chaos.proxy --to host:port` prints its port, then takes one mode a line on standard
input and answers each with `ok`:

    pass           bytes go through
    delay MS       each piece of bytes waits so long, each way
    loss SHARE     so large a share of pieces is dropped, and its connection with it
    cut            connections are closed, new ones at once
    half-open      connections are accepted and held, and nothing goes through
    deaf           requests go through, replies do not: what is written is kept, and nobody is told
"""

import argparse
import asyncio
import contextlib
import random
import subprocess
import sys
from typing import Self

_PIECE = 65_536


class Proxy:
    """All connections, and what is done to them now."""

    def __init__(self, host: str, port: int, seed: int) -> None:
        self._host = host
        self._port = port
        self._random = random.Random(seed)
        self._open: set[asyncio.StreamWriter] = set()
        self.mode, self.value = "pass", 0.0
        self.changed = asyncio.Event()

    def become(self, mode: str, value: float) -> None:
        """Take over a mode; connections that are open are subject to it too."""
        was = self.mode
        self.mode, self.value = mode, value
        # Bytes that were held back are gone, as after a real silence that outlived the connection.
        if mode == "cut" or was in ("half-open", "deaf"):
            self._close_all()
        self.changed.set()

    def _close_all(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        if self.mode == "cut":
            writer.transport.abort()
            return
        self._open.add(writer)
        try:
            their_reader, their_writer = await asyncio.open_connection(self._host, self._port)
        except OSError:
            writer.transport.abort()
            self._open.discard(writer)
            return
        self._open.add(their_writer)
        both = (
            self._carry(reader, their_writer, is_reply=False),
            self._carry(their_reader, writer, is_reply=True),
        )
        await asyncio.gather(*both)
        for one in (writer, their_writer):
            one.transport.abort()
            self._open.discard(one)

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_reply: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(_PIECE):
                mode, value = self.mode, self.value
                if mode == "half-open" or (mode == "deaf" and is_reply):
                    continue
                if mode == "loss" and self._random.random() < value:
                    break
                if mode == "delay":
                    await asyncio.sleep(value / 1000)
                writer.write(piece)
                await writer.drain()
        writer.transport.abort()


async def _run(to: str, seed: int) -> None:
    host, _, port = to.rpartition(":")
    proxy = Proxy(host, int(port), seed)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - read by the test
    while line := await asyncio.to_thread(sys.stdin.readline):
        mode, _, value = line.strip().partition(" ")
        proxy.become(mode, float(value or 0))
        print("ok", flush=True)  # noqa: T201
    server.close()
    proxy._close_all()


class ProxyProcess:
    """A running proxy; use it with `with`."""

    def __init__(self, to: str, seed: int = 1) -> None:
        """Start it in front of host:port."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.proxy", "--to", to, "--seed", str(seed)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = int(self._line())

    def become(self, mode: str) -> None:
        """Take over a mode, such as `delay 30`; return when it holds."""
        assert self._process.stdin is not None
        self._process.stdin.write(mode + "\n")
        self._process.stdin.flush()
        assert self._line() == "ok"

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait(timeout=10)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--to", required=True)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    asyncio.run(_run(given.to, given.seed))
