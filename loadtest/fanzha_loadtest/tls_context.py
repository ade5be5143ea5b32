"""What a load needs to call a service that asks for certificates."""

import ssl
from pathlib import Path


def client_context(ca: Path, certificate: Path, key: Path) -> ssl.SSLContext:
    """Return what a connection with a client certificate needs; files in PEM."""
    context = ssl.create_default_context(cafile=str(ca))
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["h2"])
    return context
