"""`make fuzz`: hypothesis for long, then each target in turn under atheris, or by chance where that is not installed.

What breaks a property is kept as a file. The corpus grows under .hypothesis/fuzz from one run to the next; the files in
findings are for git, and every run of the tests replays them.
"""

import argparse
import importlib.util
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.pieces import LONGEST
from tests.fuzz.targets import TARGETS, Target

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / ".hypothesis" / "fuzz"
PAGE = ROOT / "docs" / "reliability.md"
SLOW_S = 20  # one input that takes longer counts as found
MOST_MIB = 1_024  # and so does one that takes this much memory
DONE = re.compile(r"^Done (\d+) (?:runs )?in (\d+) second", re.MULTILINE)
PULSE = re.compile(r"^#(\d+)\s", re.MULTILINE)
FIGURES = re.compile(
    r"(?<=<!-- figures of the last long fuzzing: begin -->\n).*(?=<!-- figures of the last long fu)", re.DOTALL
)
KINDS = ("crash", "oom", "timeout", "leak")  # of what libFuzzer leaves behind
GUIDED = importlib.util.find_spec("atheris") is not None


@dataclass(frozen=True)
class Outcome:
    """What became of one target."""

    target: str
    inputs: int
    found: int


def main() -> int:
    """The number of targets where something was found."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=3_600, help="of attack, shared by all targets")
    parser.add_argument("--examples", type=int, default=20_000, help="of hypothesis, per target; 0 leaves it out")
    parser.add_argument("--target", choices=tuple(TARGETS), action="append", help="one target, or several; else all")
    parser.add_argument("--page", action="store_true", help="write the figures into docs/reliability.md")
    asked = parser.parse_args()
    chosen = [TARGETS[name] for name in asked.target or TARGETS]
    found = [] if not asked.examples or try_examples(asked.examples, chosen) else ["hypothesis"]
    outcomes = [attack(target, asked.seconds // len(chosen)) for target in chosen]
    found += [outcome.target for outcome in outcomes if outcome.found]
    if asked.page:
        write_page(outcomes, asked.seconds)
    print(f"found something: {', '.join(found)}" if found else "found nothing")
    return len(found)


def try_examples(examples: int, chosen: list[Target]) -> bool:
    """Hypothesis with a long profile; True if nothing was found."""
    words = " or ".join(f"[{target.name}]" for target in chosen)
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", str(Path(__file__).parent), "-k", words]
    environment = os.environ | {"FUZZ_EXAMPLES": str(examples)}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == 0


def attack(target: Target, seconds: int) -> Outcome:
    """One target, until something is found or the time is over."""
    corpus, log = CORPUS / target.name, CORPUS / f"{target.name}.log"
    corpus.mkdir(parents=True, exist_ok=True)
    prefix = f"{CORPUS}/{target.name}."
    program = "tests.fuzz.engine" if GUIDED else "tests.fuzz.plain"
    flags = guide(target, seconds, prefix) if GUIDED else [str(seconds), prefix]
    command = [sys.executable, "-m", program, target.name, *flags]
    with log.open("w") as out:
        code = subprocess.run(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, check=False).returncode
    text = log.read_text(errors="replace")
    inputs = [int(number) for number, _ in DONE.findall(text)] or [int(number) for number in PULSE.findall(text)]
    print(f"{target.name}: {inputs[-1] if inputs else 0} inputs", flush=True)
    if code:
        print(f"{target.name} found something; the end of {log}:\n{text[-3_000:]}", flush=True)
    for left in (path for kind in KINDS for path in CORPUS.glob(f"{target.name}.{kind}-*")):
        target.findings.mkdir(parents=True, exist_ok=True)
        kept = left.rename(target.findings / f"{left.suffix[1:]}.bin")
        print(f"from now on a test: {kept}", flush=True)
    return Outcome(target.name, inputs[-1] if inputs else 0, int(code != 0))


def guide(target: Target, seconds: int, prefix: str) -> list[str]:
    """Write seeds and dictionary; libFuzzer's flags."""
    corpus, dictionary = CORPUS / target.name, CORPUS / f"{target.name}.dict"
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
        f"-artifact_prefix={prefix}",
        "-print_final_stats=1",
        str(corpus),
        *([str(target.findings)] if target.findings.is_dir() else []),
    ]


def write_page(outcomes: list[Outcome], seconds: int) -> None:
    """The figures of a run, into the section of the page that is theirs."""
    engine = "atheris" if GUIDED else "chance"
    rows = [f"| `{outcome.target}` | {outcome.inputs:,} | {outcome.found} |\n" for outcome in outcomes]
    head = f"{seconds // 60} minutes by {engine}, {seconds // len(outcomes)} s each.\n\n"
    head += "| target | inputs | found |\n|---|---|---|\n"
    PAGE.write_text(FIGURES.sub(lambda _: head + "".join(rows), PAGE.read_text()))


if __name__ == "__main__":
    sys.exit(main())
