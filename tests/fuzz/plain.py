"""One target by chance alone, where atheris is not installed: damaged copies of seeds and findings.

`python -m tests.fuzz.plain TARGET SECONDS PREFIX`. An input that breaks the property ends the process with a code other
than 0 and is left where PREFIX says.
"""

import hashlib
import logging
import random
import sys
import time
from pathlib import Path

from tests.fuzz.pieces import LONGEST, places_for
from tests.fuzz.targets import TARGETS, Target

_MOST_EDITS = 5
_LONGEST_EDIT = 16


def damage(rng: random.Random, target: Target) -> bytes:
    """A seed or a finding, or several, with pieces left out, put in, doubled or replaced."""
    pool = (*target.seeds, *target.found())
    data = b"".join(rng.choices(pool, k=rng.choice((1, 1, 1, 2, 3))))
    for _ in range(rng.randrange(_MOST_EDITS)):
        at = rng.randrange(len(data) + 1)
        end = min(len(data), at + rng.randrange(_LONGEST_EDIT))
        put = rng.choice((rng.choice(target.words), rng.randbytes(rng.randrange(4)), data[at:end] * 2))
        data = data[:at] + put + data[end:]
    return data[:LONGEST]


def main() -> None:
    """Until the time is over, or something is found."""
    _, name, seconds, prefix = sys.argv
    logging.disable()
    target, rng = TARGETS[name], random.Random()
    began, runs = time.monotonic(), 0
    while time.monotonic() - began < float(seconds):
        data = damage(rng, target)
        kept = False
        try:
            target.check(data, places_for(data))
            kept = True
        finally:
            if not kept:
                Path(f"{prefix}crash-{hashlib.sha256(data).hexdigest()[:16]}").write_bytes(data)
        runs += 1
    print(f"Done {runs} runs in {round(time.monotonic() - began)} second(s)")


if __name__ == "__main__":
    main()
