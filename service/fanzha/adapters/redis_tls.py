"""TLS to Redis, with the URL parameters of redis-py.

The context is made once and again when a file changes, so that renewed certificates are taken up.
redis-py makes one for each connection and reads the system's authorities for it, which takes 18 ms
of processor time: as long as a decision waits for Redis.
"""

import ssl
import threading
from pathlib import Path
from typing import Any

_REQUIRED = {
    "none": ssl.CERT_NONE,
    "optional": ssl.CERT_OPTIONAL,
    "required": ssl.CERT_REQUIRED,
}


class Tls:
    """What a connection is wrapped in: whom it trusts, and the certificate that it shows."""

    def __init__(self, options: dict[str, Any]) -> None:
        """Take the parameters that begin with `ssl_` out of a URL's options, and read the files.

        Parameters: `ssl_ca_certs` (file) or `ssl_ca_path` (folder) of the authorities trusted,
        alone (the system's when neither is given); `ssl_certfile`, `ssl_keyfile` and `ssl_password`
        of the certificate shown; `ssl_cert_reqs` (required, optional or none);
        `ssl_check_hostname`; `ssl_min_version` (771 is 1.2, which is the default, 772 is 1.3).

        Args:
            options: of the connection; the parameters are taken out.

        Raises:
            OSError: a file cannot be read, or holds nothing of use.
            ValueError: a parameter has a value that it cannot have.
        """
        self._ca_file: str | None = options.pop("ssl_ca_certs", None)
        self._ca_path: str | None = options.pop("ssl_ca_path", None)
        self._certificate: str | None = options.pop("ssl_certfile", None)
        self._key: str | None = options.pop("ssl_keyfile", None)
        self._password: str | None = options.pop("ssl_password", None)
        verify = options.pop("ssl_cert_reqs", "required")
        if verify not in _REQUIRED:
            raise ValueError(f"ssl_cert_reqs must be one of {', '.join(_REQUIRED)}")
        self._verify = _REQUIRED[verify]
        version = options.pop("ssl_min_version", ssl.TLSVersion.TLSv1_2)
        if version not in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            raise ValueError("ssl_min_version must be 771 or 772")
        self._version = ssl.TLSVersion(version)
        self._checks_name = bool(options.pop("ssl_check_hostname", True))
        if self._key and not self._certificate:
            raise ValueError("ssl_keyfile needs ssl_certfile")
        self._lock = threading.Lock()
        self._state = self._files()
        self._context = self._new()

    def wrap(self, sock: Any, host: str) -> ssl.SSLSocket:  # noqa: ANN401 - redis-py's socket
        """Shake hands over an open socket, within its time-out.

        Raises:
            OSError: the other side is not trusted, or does not trust us, or is late.
        """
        return self._fresh().wrap_socket(sock, server_hostname=host)

    def _fresh(self) -> ssl.SSLContext:
        state = self._files()
        if state != self._state:
            with self._lock:
                if state != self._state:
                    self._context = self._new()
                    self._state = state
        return self._context

    def _files(self) -> list[tuple[int, int, int]]:
        """Return what changes when a file is replaced."""
        names = (self._ca_file, self._certificate, self._key)
        stats = [Path(name).stat() for name in names if name]
        return [(one.st_mtime_ns, one.st_size, one.st_ino) for one in stats]

    def _new(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = self._version
        context.check_hostname = self._checks_name and self._verify != ssl.CERT_NONE
        context.verify_mode = self._verify
        if self._ca_file or self._ca_path:
            context.load_verify_locations(self._ca_file, self._ca_path)
        elif self._verify != ssl.CERT_NONE:
            context.load_default_certs()
        if self._certificate:
            # Without a password OpenSSL would ask for one at the terminal.
            context.load_cert_chain(self._certificate, self._key, self._password or "")
        return context
