"""deploy/prometheus and deploy/grafana: rules that promtool accepts, alerts that
fire and keep quiet as they should, each with a remedy in docs/operations.md, and
no expression over a metric that is not there.

SPDX-License-Identifier: MIT
"""

import json
import re
import subprocess

import pytest
import yaml

from support.stack import ROOT

pytestmark = pytest.mark.plain

RULES = ROOT / "deploy" / "prometheus"
DASHBOARD = ROOT / "deploy" / "grafana" / "parley.json"
# Prometheus' own.
BUILT_IN = {"up", "ALERTS"}


def promtool(*words):
    done = subprocess.run(["promtool", *words], cwd=RULES, text=True,
                          capture_output=True, check=False)
    return done.returncode, done.stdout + done.stderr


def rules(name):
    document = yaml.safe_load((RULES / name).read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


ALERTS = rules("alerts.rules.yml")
RECORDED = {rule["record"] for rule in rules("recording.rules.yml")}


def metrics_on_the_page():
    """{name: labels}, with what a histogram is made of."""
    page = (ROOT / "docs" / "metrics.md").read_text()
    found = {}
    for name, kind, labels in re.findall(
            r"^\| `(\w+)` \| (\w+) \| ([^|]*) \|", page, re.MULTILINE):
        labels = set(re.findall(r"`(\w+)`", labels))
        found[name] = labels
        if kind == "histogram":
            found[name + "_bucket"] = labels | {"le"}
            found[name + "_sum"] = found[name + "_count"] = labels
    return found


def names_in(expression):
    """Metrics and recorded series of an expression."""
    bare = re.sub(r'"[^"]*"', '""', expression)
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]", "", bare)
    bare = re.sub(r"\b(by|without|on|ignoring)\s*\([^)]*\)", "", bare)
    words = re.findall(r"[a-zA-Z_:][\w:]*(?!\w|\s*\()", bare)
    return set(words) - {"or", "and", "unless", "by"}


def unknown_in(expression):
    known = metrics_on_the_page()
    faults = names_in(expression) - set(known) - RECORDED - BUILT_IN
    for name, selector in re.findall(r"(\w+)\{([^}]*)\}", expression):
        labels = set(re.findall(r"(\w+)\s*(?:=|!)", selector))
        if name in known:
            faults |= {f"{name}{{{label}}}" for label in
                       labels - known[name] - {"job", "instance"}}
    return faults


def test_the_configuration_is_one():
    status, output = promtool("check", "config", "prometheus.yml")
    assert status == 0, output


def test_alerts_fire_and_keep_quiet():
    status, output = promtool("test", "rules", "tests.yml")
    assert status == 0, output
    cases = (RULES / "tests.yml").read_text()
    for alert in ALERTS:
        for what in ("fires", "keeps quiet"):
            assert f"- name: {alert['alert']} {what}\n" in cases


@pytest.mark.parametrize("alert", ALERTS, ids=lambda a: a["alert"])
def test_an_alert_says_what_to_do(alert):
    notes = alert["annotations"]
    assert alert["labels"]["severity"] in ("critical", "warning", "info")
    assert len(notes["summary"].split()) > 3
    assert len(notes["remedy"].split()) > 5
    path, anchor = notes["runbook_url"].split("#")
    headings = re.findall(r"^### (\w+)$", (ROOT / path).read_text(),
                          re.MULTILINE)
    assert anchor in [heading.lower() for heading in headings]


def test_every_alert_of_the_operations_page_exists():
    page = (ROOT / "docs" / "operations.md").read_text()
    told = re.findall(r"^### (Parley\w+)$", page, re.MULTILINE)
    assert sorted(told) == sorted(alert["alert"] for alert in ALERTS)


def panels():
    return [panel for panel in json.loads(DASHBOARD.read_text())["panels"]
            if panel["type"] != "row"]


def test_rules_and_panels_ask_for_metrics_that_exist():
    expressions = [rule["expr"] for name in ("alerts.rules.yml",
                                             "recording.rules.yml")
                   for rule in rules(name)]
    expressions += [target["expr"] for panel in panels()
                    for target in panel["targets"]]
    assert len(expressions) > 100
    for expression in expressions:
        assert names_in(expression), expression
        assert not unknown_in(expression), expression


def test_an_expression_over_nothing_is_seen():
    assert unknown_in("sum by (x) (rate(parley_no_such_total[5m]))") == \
        {"parley_no_such_total"}
    assert unknown_in('parley_ready{kind="x"} == 0')


def test_every_panel_answers_a_question():
    found = panels()
    assert len({panel["id"] for panel in found}) == len(found)
    for panel in found:
        assert panel["title"].endswith("?") and panel["description"], panel
        for other in found:
            if other is not panel:
                a, b = panel["gridPos"], other["gridPos"]
                assert a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"] \
                    or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]


def test_panels_expressions_are_promql(tmp_path):
    """As rules of their own, with Grafana's variables filled in."""
    made = {"groups": [{"name": "panels", "rules": [
        {"record": f"panel:{panel['id']}:{i}",
         "expr": target["expr"].replace("$__rate_interval", "1m")
         .replace("$instance", ".*")}
        for panel in panels() for i, target in enumerate(panel["targets"])]}]}
    path = tmp_path / "panels.yml"
    path.write_text(yaml.safe_dump(made))
    status, output = promtool("check", "rules", str(path))
    assert status == 0, output
