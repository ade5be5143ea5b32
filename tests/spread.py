"""How tests are spread over processes: a file at a time, and the commands of each document alone.

Those take minutes each, so that they come first and the short ones fill up what is left.
"""

from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

_LONG = "tests/test_documents.py::test_the_commands_of_a_document_work"


class Spread(LoadFileScheduling):
    """Hands out tests; used by `make test`."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid if nodeid.startswith(_LONG) else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Spread:
    """Return what hands out tests."""
    return Spread(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long ones first."""
    items.sort(key=lambda item: not item.nodeid.startswith(_LONG))
