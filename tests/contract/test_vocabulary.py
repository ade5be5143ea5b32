"""The domain's vocabularies carry the numbers of the protos."""

from enum import IntEnum

import pytest

from fanzha.archive import schema
from fanzha.domain import vocabulary
from fanzha.transport.authorise import OPEN_METHODS, REQUIRED_ROLES
from fanzha.v1 import outcomes_pb2, scoring_pb2, transfer_pb2, watchlists_pb2

_FILES = (scoring_pb2, transfer_pb2, outcomes_pb2, watchlists_pb2)
_WIRE = {name: enum for file in _FILES for name, enum in file.DESCRIPTOR.enum_types_by_name.items()}
_RENAMED = {"DecisionKind": "Decision"}
_DOMAIN = [
    kind
    for kind in vars(vocabulary).values()
    if isinstance(kind, type) and issubclass(kind, IntEnum) and kind is not IntEnum
]


@pytest.mark.parametrize("kind", _DOMAIN, ids=lambda kind: kind.__name__)
def test_numbers_and_names_equal_the_proto(kind: type[IntEnum]) -> None:
    wire = _WIRE[_RENAMED.get(kind.__name__, kind.__name__)]
    prefix = "".join(f"_{c}" if c.isupper() else c for c in wire.name).strip("_").upper() + "_"

    assert {prefix + member.name: member.value for member in kind} == {
        value.name: value.number for value in wire.values
    }


def test_every_enum_of_the_proto_has_its_twin() -> None:
    twins = {_RENAMED.get(kind.__name__, kind.__name__) for kind in _DOMAIN}

    assert twins == set(_WIRE)


def test_every_rpc_is_in_the_table_of_roles() -> None:
    methods = {
        f"/{service.full_name}/{method.name}"
        for file in _FILES
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }

    assert methods == set(REQUIRED_ROLES)
    assert not methods & OPEN_METHODS.keys()


def test_kinds_of_journal_entries_are_those_of_the_archive() -> None:
    from fanzha.adapters import redis_lists, redis_proposals  # noqa: PLC0415 - its private name is the point

    assert redis_lists._KIND == schema.KIND_LIST_IMPORT
    assert redis_lists._COMMIT_KIND == schema.KIND_LIST_COMMIT
    assert redis_proposals.PROPOSAL_KIND == schema.KIND_LIST_PROPOSAL
    assert redis_proposals.VERDICT_KIND == schema.KIND_LIST_VERDICT
