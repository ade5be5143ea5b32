"""`python -m tests.fuzz.one TARGET ...`: fuzzes one target in this process until libFuzzer ends."""

import logging
import sys

import atheris

# Measured is our own code alone: what is imported here is told to report its branches.
with atheris.instrument_imports(include=["fanzha"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    logging.disable(logging.CRITICAL)
    target = TARGETS[sys.argv[1]]
    atheris.Setup([sys.argv[0], *sys.argv[2:]], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
