"""`make fuzz`: hypothesis for long, then atheris on each target in turn. What breaks a property is kept as a file.

The corpus grows under .hypothesis/fuzz from one run to the next; the files in findings are for git.
"""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.fuzz.pieces import LONGEST
from tests.fuzz.targets import TARGETS, Target

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / ".hypothesis" / "fuzz"
SLOW_S = 20  # one input that takes longer counts as found
MOST_MIB = 1_024  # and so does one that takes this much memory
LAST_WORDS = re.compile(r"^#\d+\s+(?:DONE|pulse|NEW|REDUCE|RELOAD|INITED).*$|^Done .*$", re.MULTILINE)


def main() -> int:
    """The number of targets where something was found."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=3_600, help="of atheris, over all targets")
    parser.add_argument("--examples", type=int, default=20_000, help="of hypothesis, per target; 0 leaves it out")
    parser.add_argument("--target", choices=tuple(TARGETS), action="append", help="one target, or several; else all")
    asked = parser.parse_args()
    chosen = [TARGETS[name] for name in asked.target or TARGETS]
    found = [] if not asked.examples or try_examples(asked.examples, chosen) else ["hypothesis"]
    found += [target.name for target in chosen if not try_branches(target, asked.seconds // len(chosen))]
    print(f"found something: {', '.join(found)}" if found else "found nothing")
    return len(found)


def try_examples(examples: int, chosen: list[Target]) -> bool:
    """Hypothesis with a long profile; True if nothing was found."""
    words = " or ".join(f"[{target.name}]" for target in chosen)
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", str(Path(__file__).parent), "-k", words]
    environment = os.environ | {"FUZZ_EXAMPLES": str(examples)}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == 0


def try_branches(target: Target, seconds: int) -> bool:
    """Atheris on one target; True if nothing was found."""
    log = CORPUS / f"{target.name}.log"
    command = [sys.executable, "-m", "tests.fuzz.engine", target.name, *prepare(target, seconds)]
    with log.open("w") as out:
        code = subprocess.run(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, check=False).returncode
    text = log.read_text(errors="replace")
    print(f"{target.name}: {' | '.join(LAST_WORDS.findall(text)[-2:])}")
    if code:
        print(f"{target.name} found something; the end of {log}:\n{text[-3_000:]}")
    for left in CORPUS.glob(f"{target.name}.*-*"):
        target.findings.mkdir(parents=True, exist_ok=True)
        print(f"from now on a test: {left.rename(target.findings / f'{left.suffix[1:]}.bin')}")
    return code == 0


def prepare(target: Target, seconds: int) -> list[str]:
    """Write seeds and dictionary; libFuzzer's flags."""
    corpus, dictionary = CORPUS / target.name, CORPUS / f"{target.name}.dict"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    lines = ('"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n' for word in target.words)
    dictionary.write_text("".join(lines))
    return [
        f"-max_total_time={seconds}",
        f"-max_len={LONGEST}",
        f"-timeout={SLOW_S}",
        f"-rss_limit_mb={MOST_MIB}",
        f"-dict={dictionary}",
        f"-artifact_prefix={CORPUS}/{target.name}.",
        "-print_final_stats=1",
        str(corpus),
        *([str(target.findings)] if target.findings.is_dir() else []),
    ]


if __name__ == "__main__":
    sys.exit(main())
