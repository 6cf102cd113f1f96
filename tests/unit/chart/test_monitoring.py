"""What the chart offers for Prometheus and Grafana: off by default, and about metrics that there are.

PROMTOOL names the binary of Prometheus that checks rules, else it is looked for in PATH; without it, rules are not run.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.chart.rendering import CHART, Helm, HelmError, Manifest, Render
from tests.unit.chart.test_chart import environment, of_kind, the
from tests.unit.docs.exported import exported_metrics
from timewright.desired.daemon_deployment import build_daemon_deployment
from timewright.desired.daemon_object import DaemonIdentity
from timewright.desired.runner_image import RunnerImage
from timewright.resources.task_daemon import TaskDaemonSpec

ALL: Manifest = {
    "metrics": {
        "podMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
        "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
        "dashboard": {"enabled": True},
    }
}

_HISTOGRAM_ENDS = ("_bucket", "_sum", "_count")


def named_in(expression: str) -> set[str]:
    """Return the metrics that an expression names, without the suffixes of histograms."""
    found = set(re.findall(r"\btimewright_\w+", expression))
    ends = "|".join(_HISTOGRAM_ENDS)
    return {re.sub(f"({ends})$", "", name) for name in found}


def rules(render: Render, **settings: Any) -> list[Manifest]:
    values = {"metrics": {"prometheusRule": {"enabled": True, **settings}}}
    (group,) = the(render(values), "PrometheusRule")["spec"]["groups"]
    found: list[Manifest] = group["rules"]
    return found


def expressions(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("expr", "query") and isinstance(value, str):
                yield value
            yield from expressions(value)
    elif isinstance(node, list):
        for each in node:
            yield from expressions(each)


@pytest.fixture
def promtool() -> str:
    """Return the path of promtool."""
    found = shutil.which(os.environ.get("PROMTOOL") or "promtool")
    if found is None:
        pytest.skip("needs promtool")
    return found


def test_all_of_it_is_off_by_default(render: Render) -> None:
    manifests = render()
    for kind in ("PodMonitor", "PrometheusRule", "ServiceMonitor", "ConfigMap"):
        assert not of_kind(manifests, kind)
    assert environment(the(manifests, "Deployment"))["TIMEWRIGHT_NOTIFY_HOSTS"] == ""


def test_lints(helm: Helm, tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump({**ALL, "notifications": {"allowedHosts": ["hooks.slack.com", "*.example.com"]}}))
    helm("lint", "--strict", str(CHART), "--values", str(file))


def test_values_are_checked(render: Render) -> None:
    with pytest.raises(HelmError, match="disabled"):
        rules(render, disabled=["NoSuchAlert"])
    with pytest.raises(HelmError, match="allowedHosts"):
        render({"notifications": {"allowedHosts": ["https://hooks.slack.com/x"]}})


def test_pods_of_daemons_are_selected(render: Render) -> None:
    monitor = the(render(ALL), "PodMonitor")
    daemon = DaemonIdentity("shop", "default", "uid")
    image = RunnerImage("timewright:1")
    template = build_daemon_deployment(daemon, TaskDaemonSpec(), [], own=image, runner=image)["spec"]["template"]
    selected = monitor["spec"]["selector"]["matchLabels"]
    assert selected.items() <= template["metadata"]["labels"].items()
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert endpoint["port"] in {each["name"] for each in template["spec"]["containers"][0]["ports"]}
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    assert monitor["spec"]["namespaceSelector"] == {"any": True}


def test_pods_are_looked_for_where_the_operator_works(render: Render) -> None:
    monitor = the(render({**ALL, "watchNamespaces": ["a", "b"]}), "PodMonitor")
    assert monitor["spec"]["namespaceSelector"] == {"matchNames": ["a", "b"]}


def test_alerts_are_about_metrics_that_there_are(render: Render) -> None:
    exported = exported_metrics()
    for rule in rules(render):
        named = named_in(rule["expr"])
        assert named, rule["alert"]
        assert named <= exported
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"].keys() == {"summary", "description"}


def test_alerts_can_be_tuned(render: Render) -> None:
    found = rules(render, failingStreak=7, alertLabels={"team": "data"}, disabled=["TimewrightTicksMissed"])
    assert "TimewrightTicksMissed" not in [rule["alert"] for rule in found]
    assert all(rule["labels"]["team"] == "data" for rule in found)
    (failing,) = [rule for rule in found if rule["alert"] == "TimewrightTaskFailing"]
    assert failing["expr"].endswith(">= 7")


def test_every_alert_can_be_disabled(render: Render) -> None:
    names = [rule["alert"] for rule in rules(render)]
    assert len(set(names)) == len(names)
    group = the(render({"metrics": {"prometheusRule": {"enabled": True, "disabled": names}}}), "PrometheusRule")
    assert not group["spec"]["groups"][0]["rules"]


def test_the_operators_own_lease_is_watched(render: Render) -> None:
    (rule,) = [each for each in rules(render) if each["alert"] == "TimewrightOperatorNoLeader"]
    lease = environment(the(render(), "Deployment"))["TIMEWRIGHT_LEASE_NAME"]
    assert f'lease="{lease}"' in rule["expr"]


def test_the_dashboard_is_about_metrics_that_there_are(render: Render) -> None:
    config = the(render(ALL), "ConfigMap")
    assert config["metadata"]["labels"]["grafana_dashboard"] == "1"
    dashboard = json.loads(config["data"]["timewright.json"])
    identities = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(identities)) == len(identities)
    found = list(expressions(dashboard))
    assert len(found) > len(identities)
    exported = exported_metrics()
    for expression in found:
        assert named_in(expression) <= exported
        assert expression.count("(") == expression.count(")")


def test_notices_may_pass_the_network_policy(render: Render) -> None:
    values = {"networkPolicy": {"enabled": True}, "notifications": {"allowedHosts": ["hooks.slack.com"]}}
    policy = the(render(values), "NetworkPolicy")
    assert {"ports": [{"port": 443}]} in policy["spec"]["egress"]
    del values["notifications"]
    assert {"ports": [{"port": 443}]} not in the(render(values), "NetworkPolicy")["spec"]["egress"]


def test_prometheus_takes_the_rules(render: Render, promtool: str, tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    group = {"name": "timewright", "rules": rules(render)}
    dashboard = json.loads(the(render(ALL), "ConfigMap")["data"]["timewright.json"])
    queries = [each for each in expressions(dashboard["panels"]) if "$" in each or "(" in each]
    plain = [re.sub(r"\$__(rate_interval|range)", "5m", each).replace("$namespace", ".*") for each in queries]
    panels = {"name": "panels", "rules": [{"record": f"panel:{at}", "expr": each} for at, each in enumerate(plain)]}
    file.write_text(yaml.safe_dump({"groups": [group, panels]}))
    done = subprocess.run([promtool, "check", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


SERIES = [
    ('timewright_task_next_success_deadline_timestamp_seconds{namespace="shop",task="late"}', "300x30"),
    ('timewright_task_next_success_deadline_timestamp_seconds{namespace="shop",task="well"}', "9000x30"),
    ('timewright_task_failing_streak{namespace="shop",task="bad"}', "0x5 3x25"),
    ('timewright_ticks_missed_total{namespace="shop",pod="old"}', "7x30"),
    ('timewright_ticks_missed_total{namespace="shop",pod="new"}', "_x20 4x10"),
    ('timewright_history_runs_total{namespace="shop",pod="new",result="dropped"}', "0x20 5x10"),
    ('timewright_history_runs_total{namespace="bank",pod="c",result="dropped"}', "5x30"),
    ('timewright_lagging{namespace="shop",pod="new"}', "1x30"),
    ('timewright_daemon_ready{namespace="shop",daemon="default"}', "0x30"),
    ('timewright_leader{namespace="shop",pod="a",lease="timewright-daemon-default"}', "1x30"),
    ('timewright_leader{namespace="shop",pod="b",lease="timewright-daemon-default"}', "0x30"),
    ('timewright_leader{namespace="bank",pod="c",lease="timewright-daemon-default"}', "0x30"),
    ('timewright_leader{namespace="ops",pod="d",lease="timewright-operator"}', "1x30"),
]

FIRING = {
    "TimewrightTaskOverdue": [{"namespace": "shop", "task": "late"}],
    "TimewrightTaskFailing": [{"namespace": "shop", "task": "bad"}],
    "TimewrightTicksMissed": [{"namespace": "shop", "pod": "new"}],
    "TimewrightDaemonLagging": [{"namespace": "shop", "pod": "new"}],
    "TimewrightHistoryIncomplete": [{"namespace": "shop", "pod": "new"}],
    "TimewrightDaemonNotReady": [{"namespace": "shop", "daemon": "default"}],
    "TimewrightDaemonNoLeader": [{"namespace": "bank", "lease": "timewright-daemon-default"}],
    "TimewrightOperatorNoLeader": [],
    "TimewrightOperatorFailing": [],
}


def test_alerts_fire_when_they_should(render: Render, promtool: str, tmp_path: Path) -> None:
    found = {rule["alert"]: rule for rule in rules(render)}
    for rule in found.values():
        del rule["annotations"]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": [*found.values()]}]}))
    expected = [
        {
            "eval_time": "25m",
            "alertname": name,
            "exp_alerts": [{"exp_labels": {**labels, **found[name]["labels"]}} for labels in alerts],
        }
        for name, alerts in FIRING.items()
    ]
    series = [{"series": name, "values": values} for name, values in SERIES]
    case = {"interval": "1m", "input_series": series, "alert_rule_test": expected}
    body = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [case]}
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(body))
    done = subprocess.run([promtool, "test", "rules", "test.yaml"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
