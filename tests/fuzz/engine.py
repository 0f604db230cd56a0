"""One target under atheris, which follows branches to find input.

`python -m tests.fuzz.engine TARGET [flags of libFuzzer]`. An input that breaks the property ends the process with a
code other than 0 and is left where `-artifact_prefix` says.
"""

import importlib
import logging
import sys

from tests.fuzz.pieces import places_for

# It comes with `make fuzz` alone.
atheris = importlib.import_module("atheris")

with atheris.instrument_imports(
    include=["yescale.wire", "yescale.protocols", "yescale.gateway.frames", "yescale.gateway.inflating"]
):
    TARGETS = importlib.import_module("tests.fuzz.targets").TARGETS


def main() -> None:
    """Fuzz until a flag says stop, or something is found."""
    program, name, *flags = sys.argv
    check = TARGETS[name].check
    logging.disable()

    def try_one(data: bytes) -> None:
        check(data, places_for(data))

    atheris.Setup([program, *flags], try_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
