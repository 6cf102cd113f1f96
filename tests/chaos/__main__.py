"""Breaks daemons on a real control plane in every way there is a scenario for, and has an auditor judge every tick.

Prints a line for each scenario, and exits 1 when a tick was started twice, lost without a word, or taken over too late.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.audit.verdict import Verdict
from tests.chaos.measured import Measured
from tests.chaos.scenarios import ALL
from tests.chaos.stage import install_definitions, stage
from tests.cluster import Cluster

ALLOWANCE_SECONDS = 2.0
"""How much longer than the Lease a take-over may take, at the 99th percentile."""


def main() -> int:
    """Run scenarios one after the other, each in a namespace of its own."""
    arguments = _parser().parse_args()
    cluster = Cluster.create()
    failed = False
    try:
        install_definitions(cluster)
        for name in arguments.scenarios or ALL:
            scenario = ALL[name]
            times = max(1, round(scenario.times * arguments.share))
            began = time.monotonic()
            with stage(cluster, f"chaos-{name}", scenario.load, lease=arguments.lease) as here:
                if scenario.people:
                    here.people.start(edits=scenario.edits)
                measured = scenario.run(here, times)
                verdict = here.settle()
                text = f"{scenario.text}, {len(here.people.edits)} edits meanwhile"
                failed |= _tell(name, text, measured, verdict, arguments.lease, time.monotonic() - began)
                if verdict.violations:
                    for each in here.replicas:
                        print(f"--- {each.identity}\n{each.log()[-3000:]}")
                    here.keep(Path(arguments.evidence or tempfile.mkdtemp()) / name)
    finally:
        cluster.down()
    return int(failed)


def _tell(name: str, text: str, measured: Measured, verdict: Verdict, lease: int, seconds: float) -> bool:
    """Print what came of it; tell whether that is too bad."""
    print(f"{name}: {text}; {measured.faults} times, {seconds:.0f} s")
    print(f"  {verdict.text()}")
    late = False
    if verdict.lost and not measured.may_lose:
        verdict.violations.append(f"{verdict.lost} runs are lost although nobody was killed")
    if measured.takeovers:
        worst, typical = _quantile(measured.takeovers, 0.99), _quantile(measured.takeovers, 0.5)
        late = worst > lease + ALLOWANCE_SECONDS
        print(f"  take-over: p50 {typical:.2f} s, p99 {worst:.2f} s, at most {lease + ALLOWANCE_SECONDS:.0f} s wanted")
    if measured.handovers:
        handovers = measured.handovers
        print(f"  goes on: p50 {_quantile(handovers, 0.5):.2f} s, worst {max(handovers):.2f} s")
    for violation in verdict.violations[:40]:
        print(f"  VIOLATION {violation}")
    if late:
        print("  VIOLATION the take-over took too long")
    sys.stdout.flush()
    return late or bool(verdict.violations)


def _quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("scenarios", nargs="*", choices=[*ALL, []], help="which ones, default all")
    parser.add_argument("--share", type=float, default=1.0, help="what part of the usual number of faults")
    parser.add_argument("--evidence", help="folder for all that was seen where something was wrong, default a new one")
    parser.add_argument("--lease", type=int, default=4, help="leaseDurationSeconds of the daemon")
    return parser


if __name__ == "__main__":
    sys.exit(main())
