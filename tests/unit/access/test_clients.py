"""The roles file: what it says, and every fault of it at once."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.tls import TokenKey

from fanzha.access.clients import load_clients
from fanzha.access.roles import Role
from fanzha.domain.errors import FileRefusedError

GOOD = """\
clients:
  - name: core-banking
    certificates: ["spiffe://bank.test/core", core.bank.test]
    roles: [scorer]
    rate_per_s: 2000.0
    burst: 4000
  - name: zhang.wei
    certificates: ["CN=Zhang Wei"]
    token_subjects: [zhang.wei]
    roles: [risk-ops, approver]
  - name: portal
    certificates: [portal.bank.test]
    front: true
tokens:
  issuer: https://sso.test
  audience: fanzha
  keys:
    - id: "1"
      public_key: |
"""


def good() -> str:
    pem = TokenKey("1", Ed25519PrivateKey.generate()).entry["public_key"]
    return GOOD + "".join(f"        {line}\n" for line in pem.splitlines())


def a_file(folder: Path, text: str) -> Path:
    file = folder / "roles.yaml"
    file.write_text(text, "utf-8")
    return file


def faults(folder: Path, text: str) -> tuple[str, ...]:
    with pytest.raises(FileRefusedError) as refused:
        load_clients(a_file(folder, text))
    return refused.value.faults


def test_a_good_file(tmp_path: Path) -> None:
    clients = load_clients(a_file(tmp_path, good()))

    core = clients.by_certificate["spiffe://bank.test/core"]
    zhang = clients.by_certificate["CN=Zhang Wei"]
    assert clients.by_certificate["core.bank.test"] is core
    assert (core.name, core.roles, core.rate_per_s, core.burst) == (
        "core-banking", frozenset({Role.SCORER}), 2000.0, 4000,
    )  # fmt: skip
    assert clients.by_subject["zhang.wei"] is zhang
    assert zhang.roles == {Role.RISK_OPS, Role.APPROVER}
    assert clients.by_certificate["portal.bank.test"].is_front
    assert not clients.by_certificate["portal.bank.test"].roles
    assert clients.tokens is not None
    assert clients.tokens.lifetime_max_s == 3600


def test_all_faults_at_once_with_their_places(tmp_path: Path) -> None:
    text = """\
clients:
  - name: Zhang.Wei
    certificates: ["CN=a", "b c", "CN=a"]
    roles: [risk-ops, emperor, local]
  - name: zhang wei
    certificates: ["CN=a"]
    roles: [scorer]
    burst: 3
  - name: portal
    front: true
    token_subjects: [x]
  - name: nobody
    roles: []
"""
    found = faults(tmp_path, text)

    assert [fault.split(": ", 1)[0] for fault in found] == [
        "3:28", "3:35", "4:23", "4:32", "5:11", "6:20", "8:12", "10:5", "10:5", "12:5",
    ]  # fmt: skip
    whole = "\n".join(found)
    assert "certificate 'b c' is neither a URI" in whole
    assert "certificate 'CN=a' is there twice" in whole
    assert "role 'emperor' is not known" in whole
    assert "role 'local' is not known" in whole
    assert "name 'zhang wei' is written like 'Zhang.Wei'" in whole
    assert "burst needs a rate_per_s" in whole
    assert "front needs a block tokens" in whole
    assert "a front needs a certificate of its own" in whole
    assert "'nobody' has neither certificates nor token_subjects" in whole


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("roles: [scorer]", "role: [scorer]", "did you mean roles?"),
        ("rate_per_s: 2000.0", "rate_per_s: 0.0", "greater than 0"),
        ("name: portal", "name: '!!'", "pattern"),
        ("name: portal", "name: '..'", "has no letter or digit"),
        ("BEGIN PUBLIC", "BEGIN PRIVATE", "public_key of '1' cannot be used"),
        ("  audience: fanzha\n", "", "tokens.audience is missing"),
        ("token_subjects: [zhang.wei]", "token_subjects: [a, a]", "token subject 'a' is there"),
        ('"CN=Zhang Wei"', "CN=", "neither a URI"),
        ("portal.bank.test", "Portal.bank.test", "in small letters"),
    ],
)
def test_one_fault(tmp_path: Path, before: str, after: str, message: str) -> None:
    text = good()
    assert before in text

    assert message in "\n".join(faults(tmp_path, text.replace(before, after)))


@pytest.mark.parametrize("text", ["", "clients: []\n", "- a\n", "clients: {a: 1}\n"])
def test_a_file_that_names_nobody(tmp_path: Path, text: str) -> None:
    assert faults(tmp_path, text)
