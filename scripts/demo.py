"""Shows the product at work: install it, apply the examples, let some minutes pass, print what became of them."""
# ruff: noqa: T201 - it prints, for people

import argparse
import json
import os
import sys
import time
from typing import Any

from tests.cluster import ClusterError, cache
from tests.cluster.progress import say

from scripts.demo_target import OWN_NAME, PROJECT, Given, Target, own, remove_own

CHART = PROJECT / "deploy" / "helm" / "timewright"
EXAMPLES = PROJECT / "examples"
RELEASE = "timewright"
SYSTEM = "timewright"
DEMO = "timewright-demo"
TICKS = 2
PATIENCE_SECONDS = 600.0
CUSTOM_RESOURCES = ("scheduledtasks.timewright.dev", "taskruns.timewright.dev")

COLUMNS = (
    "--output=custom-columns=NAME:.metadata.name,TRIGGER:.spec.trigger,SCHEDULED:.spec.scheduledAt,PHASE:.status.phase,"
    "OUTCOME:.status.outcome,REASON:.status.reason,EXIT:.status.exitCode,MESSAGE:.status.message"
)

Object = dict[str, Any]


def main() -> int:
    """Bring the demo up, or take it down."""
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("verb", choices=("up", "down"))
    verb = parser.parse_args().verb
    try:
        with cache.locked(OWN_NAME, waiting_for="the demo of this checkout"):
            if verb == "up":
                up(Given() if os.environ.get("KUBECONFIG") else own())
            elif os.environ.get("KUBECONFIG"):
                take_out_of(Given())
            else:
                remove_own()
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def up(target: Target) -> None:
    """Do all of it. A second time is an upgrade."""
    install(target)
    say("applying examples/")
    began = time.time()
    target.kubectl("apply", "--filename", EXAMPLES)
    runs = wait_for_ticks(target, since=began)
    show(target, runs)


def install(target: Target) -> None:
    """Install the operator from the chart."""
    say("installing the operator with helm")
    values = []
    if target.image:
        repository, _, tag = target.image.rpartition(":")
        values = ["--set", f"image.repository={repository}", "--set-string", f"image.tag={tag}"]
    target.helm(
        *("upgrade", RELEASE, CHART, "--install", "--namespace", SYSTEM, "--create-namespace"),
        *("--wait", "--timeout", "5m", *values),
    )


def wait_for_ticks(target: Target, *, since: float) -> list[Object]:
    """Wait until some ticks have come and all that was started for them is recorded; return the records."""
    say(f"waiting for {TICKS} minutes to turn, and for their runs to end")
    said = ""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        runs = task_runs(target)
        finished = [run for run in runs if run.get("status", {}).get("phase") == "Finished"]
        ticks = {run["spec"]["scheduledAt"] for run in finished if _scheduled_since(run, since)}
        failed = [run for run in finished if run["status"]["outcome"] == "Failed"]
        line = f"{len(runs)} runs so far, {len(finished)} of them finished, {len(failed)} of these failed"
        if line != said:
            said = line
            say(line)
        if len(ticks) >= TICKS and failed and len(failed) < len(finished):
            return runs
        time.sleep(5)
    raise ClusterError(f"after {PATIENCE_SECONDS:.0f} s there are only {said}; {target.kubectl_for_people} tells more")


def task_runs(target: Target) -> list[Object]:
    """Return all records of the demo."""
    listing = target.kubectl("get", "taskruns", "--namespace", DEMO, "--output", "json").stdout
    items: list[Object] = json.loads(listing)["items"]
    return items


def show(target: Target, runs: list[Object]) -> None:
    """Print the tables, and one failure with its error."""
    print(f"\n$ {target.kubectl_for_people} get scheduledtasks -A")
    print(target.kubectl("get", "scheduledtasks", "--all-namespaces").stdout)
    failed = next(run for run in runs if run.get("status", {}).get("outcome") == "Failed")
    name, status = failed["metadata"]["name"], failed["status"]
    print(f"$ {target.kubectl_for_people} get taskrun {name} -n {DEMO} -o yaml    # in short:")
    print(f"  outcome: {status['outcome']}\n  reason:  {status['reason']}\n  message: {status.get('message', '')}")
    for line in status.get("output", "").splitlines()[-10:]:
        print(f"  output:  {line}")
    print(f"\n$ {target.kubectl_for_people} get taskruns -A -o wide    # in short:")
    print(target.kubectl("get", "taskruns", "--all-namespaces", "--sort-by=.spec.taskRef.name", COLUMNS).stdout)
    print(f"The tasks go on. Look around with `{target.kubectl_for_people} …`; `make demo-down` removes it all.")


def take_out_of(target: Target) -> None:
    """Remove the demo from a cluster that is not its own. What others may have made with the product stays."""
    target.kubectl("delete", "namespace", DEMO, "--ignore-not-found")
    target.helm("uninstall", RELEASE, "--namespace", SYSTEM, "--ignore-not-found", "--wait")
    target.kubectl("delete", "namespace", SYSTEM, "--ignore-not-found")
    left = target.kubectl("get", "scheduledtasks", "--all-namespaces", "--output=name", check=False).stdout.split()
    if left:
        say(f"the custom resources stay, since there are {len(left)} ScheduledTasks besides the demo's")
    else:
        target.kubectl("delete", "customresourcedefinitions", *CUSTOM_RESOURCES, "--ignore-not-found")


def _scheduled_since(run: Object, began: float) -> bool:
    """Whether a run belongs to a tick of this demo and not of an earlier one."""
    scheduled = run["spec"].get("scheduledAt")
    return scheduled is not None and scheduled >= time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(began))


if __name__ == "__main__":
    sys.exit(main())
