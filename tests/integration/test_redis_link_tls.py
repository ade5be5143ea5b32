"""The link over TLS, with certificates on both sides.

Not every redis-server is built with TLS, so a proxy of the test's own ends it, as many banks do.
"""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Self

import pytest
from tests.redis_processes import RedisProcess, wait_until
from tests.tls import Pki

from fanzha.adapters.redis_link import RedisLink
from fanzha.domain.errors import StoreUnavailableError

_WORD = "s3cret"


class TlsProxy:
    """Accepts TLS connections with a client certificate and passes their bytes on."""

    def __init__(self, folder: Path, to_port: int) -> None:
        self._to_port = to_port
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(folder / "server.pem", folder / "server.key")
        self._context.load_verify_locations(folder / "ca.pem")
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.seen: list[str] = []
        """Serial numbers of the certificates shown."""
        self.handshake_s = 0.0
        """How long it lets the other side wait."""
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                raw, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(raw,), daemon=True).start()

    def _serve(self, raw: socket.socket) -> None:
        raw.settimeout(10)
        time.sleep(self.handshake_s)
        try:
            inner = self._context.wrap_socket(raw, server_side=True)
        except OSError:
            raw.close()
            return
        shown = inner.getpeercert() or {}
        self.seen.append(str(shown.get("serialNumber")))
        outer = socket.create_connection(("127.0.0.1", self._to_port))
        for one in (inner, outer):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open += [inner, outer]
        ends = [
            threading.Thread(target=self._pass_on, args=pair, daemon=True)
            for pair in ((inner, outer), (outer, inner))
        ]
        for end in ends:
            end.start()

    @staticmethod
    def _pass_on(source: socket.socket, target: socket.socket) -> None:
        source.settimeout(None)
        with suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(data)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def hang_up(self) -> None:
        """Close every connection."""
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # A thread in accept() would hold the port on.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    pki = Pki(tmp_path / "pki")
    pki.client_files("worker")
    return pki


@pytest.fixture
def proxy(tmp_path: Path, pki: Pki) -> Iterator[TlsProxy]:
    options = ("--requirepass", _WORD)
    with (
        RedisProcess(tmp_path / "redis", *options, password=_WORD) as server,
        TlsProxy(pki.folder, server.port) as proxy,
    ):
        yield proxy


def url(proxy: TlsProxy, pki: Pki, **others: str) -> str:
    files = {"ssl_ca_certs": "ca.pem", "ssl_certfile": "worker.pem", "ssl_keyfile": "worker.key"}
    given = {name: str(pki.folder / file) for name, file in files.items()} | others
    query = "&".join(f"{name}={value}" for name, value in given.items() if value)
    return f"rediss://:s3cret@127.0.0.1:{proxy.port}/2?{query}"


def test_both_sides_show_certificates(proxy: TlsProxy, pki: Pki) -> None:
    # As long as a decision waits: a handshake must fit in, with its epochs begun by the keeper.
    link = RedisLink(url(proxy, pki), 20)
    wait_until(lambda: answers(link), "the link is up")
    assert link.run([("ECHO", b"x" * 300_000), ("ECHO", "y")]) == [b"x" * 300_000, b"y"]
    assert b"db=2" in link.run([("CLIENT", "INFO")])[0]
    proxy.hang_up()
    wait_until(lambda: answers(link), "the link is up again")
    link.close()


def test_opening_may_take_longer_than_a_call(proxy: TlsProxy, pki: Pki) -> None:
    proxy.handshake_s = 0.06
    link = RedisLink(url(proxy, pki), 20)
    wait_until(lambda: answers(link), "the link is up")
    arrived = threading.Barrier(8)

    def ask() -> None:
        wait_until(lambda: answers(link), "a thread of its own")
        # All hold a connection at the same time.
        arrived.wait(timeout=60)
        assert answers(link)

    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(ask) for _ in range(8)]:
            future.result()
    link.close()


def test_a_renewed_certificate_is_taken_up_without_a_restart(proxy: TlsProxy, pki: Pki) -> None:
    link = RedisLink(url(proxy, pki), 2_000)
    assert link.run([("ECHO", "a")]) == [b"a"]
    pki.client_files("worker")
    proxy.hang_up()
    wait_until(lambda: answers(link), "the link is up again")
    assert len(set(proxy.seen)) == 2
    link.close()


@pytest.mark.parametrize(
    "others",
    [{"ssl_ca_certs": ""}, {"ssl_certfile": "", "ssl_keyfile": ""}],
    ids=["server not trusted", "client unknown"],
)
def test_who_is_not_trusted_gets_nothing(
    proxy: TlsProxy, pki: Pki, others: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    link = RedisLink(url(proxy, pki, **others), 2_000)
    with pytest.raises(StoreUnavailableError) as raised:
        link.run([("ECHO", "a")])
    link.close()
    assert "s3cret" not in f"{raised.value} {raised.value.__cause__!r} {link.servers()}"
    assert "s3cret" not in caplog.text


def test_a_wrong_password_is_named_as_the_cause_and_not_shown(proxy: TlsProxy, pki: Pki) -> None:
    link = RedisLink(url(proxy, pki).replace("s3cret", "wr0ng"), 2_000)
    with pytest.raises(StoreUnavailableError, match="WRONGPASS") as raised:
        link.run([("ECHO", "a")])
    link.close()
    assert "wr0ng" not in f"{raised.value} {raised.value.__cause__!r} {link.servers()}"


def answers(link: RedisLink) -> bool:
    return not isinstance(link.try_run([("TIME",)])[0], StoreUnavailableError)
