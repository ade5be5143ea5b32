"""The fakes offer what the pipeline's ports ask for, under the same names."""

import inspect

import pytest
from tests import fakes

from fanzha.pipeline import ports, spool_ports

PAIRS = [
    (fakes.FrozenClock, ports.Clock),
    (fakes.FakeStore, ports.Store),
    (fakes.FixedModel, ports.Model),
    (fakes.OneModel, ports.Models),
    (fakes.MemoryJournal, ports.Journal),
    (fakes.MemorySpool, spool_ports.Spool),
]


@pytest.mark.parametrize(("fake", "port"), PAIRS, ids=lambda kind: kind.__name__)
def test_a_fake_has_the_methods_of_its_port(fake: type, port: type) -> None:
    asked = {name: method for name, method in vars(port).items() if not name.startswith("_")}

    for name, method in asked.items():
        if isinstance(method, property):
            assert hasattr(fake(), name)
            continue
        parameters = inspect.signature(getattr(fake, name)).parameters
        assert list(parameters) == list(inspect.signature(method).parameters), name


@pytest.mark.parametrize("fake", [fake for fake, _ in PAIRS], ids=lambda kind: kind.__name__)
def test_a_fake_is_small_enough_to_be_trusted(fake: type) -> None:
    assert len(inspect.getsource(fake).splitlines()) <= 25
