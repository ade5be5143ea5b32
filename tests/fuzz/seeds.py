"""Good inputs to begin from: what real clients, files and records look like."""

import base64
import json
from pathlib import Path
from struct import pack
from typing import Any, Final
from zlib import crc32

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from tests.builders import a_request
from tests.fuzz.access_targets import AUTHORITY
from tests.fuzz.records import a_record

from fanzha.adapters.codec import encode
from fanzha.adapters.spool_frames import CONFIRMED, HEAD, RECORD, frame
from fanzha.policy.load import DEFAULT_POLICY
from fanzha.policy.prompts import DEFAULT_PROMPTS
from fanzha.secrets.digests import Algorithm
from fanzha.secrets.token_key import new_key, wrapped_content

ROOT: Final = Path(__file__).parents[2]
_LIST: Final = (
    b"kind,identifier,grade,source,case_number,legal_basis,valid_from,valid_until\n"
    b"account,6217-9,involved,police,A-1,art. 20,,2099-01-01T00:00:00+08:00\n"
)


def zlib_frame(payload: bytes) -> bytes:
    """A frame as the first version of the spool wrote it."""
    return pack("<II", len(payload), crc32(payload)) + payload


def access_seeds() -> dict[str, list[bytes]]:
    """Return good inputs of who may come in."""
    issued = AUTHORITY.issue("fuzz", uris=["spiffe://bank.test/core"], hosts=["core.bank.test"])
    both = (issued.certificate, AUTHORITY.issued.certificate)
    certificates = [x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER) for pem in both]
    claims = {"iss": "sso", "aud": "fanzha", "iat": 1_789_999_990, "exp": 1_790_000_300, "sub": "u"}
    parts = (json.dumps(x).encode() for x in ({"alg": "EdDSA", "kid": "k1"}, claims))
    token = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    text = (ROOT / "docs/reference/roles.md").read_text("utf-8")
    return {
        "roles_file": [text.partition("```yaml\n")[2].partition("```")[0].encode()],
        "client_certificate": certificates,
        "authorities": certificates,
        "person_token": [token],
        "token_key": [wrapped_content(new_key(Algorithm.BLAKE2B), _Zeros()), bytes(32)],
    }


class _Zeros:
    """Stands for a file of 32 zeros."""

    method = "file"

    def fresh(self) -> tuple[bytes, dict[str, Any]]:
        return bytes(32), {}

    def key(self, header: dict[str, Any]) -> bytes:
        del header
        return bytes(32)


def seeds() -> dict[str, list[bytes]]:
    """Return good inputs by target."""
    record = a_record()
    body = encode(record)
    id_of = record.decision.decision_id.encode()
    request = a_request("r-1", time_ms=1_790_000_000_000, remark="买菜 6222020200112233445")
    small_policy = (ROOT / "tests/policies").glob("*.yaml")
    return {
        "score_request": [request.SerializeToString(), a_request("r").SerializeToString()],
        "other_requests": [b"\n\x05\n\x03r-1", request.SerializeToString()],
        "remark": [
            "转账 6222-0202 0011 2233 445 给张三".encode(),
            "a.b@example.com 壹贰叁肆伍陆柒".encode(),
        ],
        "decision_id": [record.decision.decision_id.encode()],
        "spool": [
            HEAD + frame(RECORD + id_of + body) + frame(CONFIRMED + id_of + b"1790000000000-0"),
            HEAD + frame(b"D"),
            zlib_frame(b"D" + body),
        ],
        "records": [body, encode(record.decision), b"d" * 16 + b"0" * 26 + b"1790000000000"],
        "journal_entry": [bytes((kind, 1)) + bytes(43) + body for kind in range(11)],
        "policy": [DEFAULT_POLICY.read_bytes(), *(file.read_bytes() for file in small_policy)],
        "prompts": [DEFAULT_PROMPTS.read_bytes()],
        "mapping": [file.read_bytes() for file in (ROOT / "tests/mappings").glob("*.yaml")],
        "bank_file": [
            b"id,when,yuan,from,to\n1,2026-11-20 09:30:00,120.50,6222-1,6217-1\n",
            "id,when,yuan,from,to\n1,2026-11-20 09:31:00,9800,甲,乙\n".encode("gb18030"),
            "id,when,yuan,from,to\n1,2026-11-20 09:31:00,1e9,,\n".encode("utf-16"),
        ],
        "list_file": [_LIST],
        **access_seeds(),
        "registry": [(ROOT / "models/registry.json").read_bytes()],
        "public_key": [file.read_bytes() for file in (ROOT / "models/keys").glob("*.pub")],
    }
