"""deploy/kubernetes: the objects are what Kubernetes takes, fit each other, and set
what our processes know.

SPDX-License-Identifier: MIT
"""

import base64
import copy
import re
from pathlib import Path

import pytest
import yaml

from support.given import program_takes
from support.kubernetes import (SOURCES, Cluster, render, schema_faults,
                                selects)

pytestmark = pytest.mark.plain

KINDS = ("gateway", "chatd", "presenced")
OVERLAYS = ("production", "try")
# The end of a process after its drain, at most (common/daemon.c).
END_SECONDS = 8
MADE_BY_HAND = re.compile(
    r"create secret generic (\S+)((?:[\s#\\]+--from-file=\S+)+)")


@pytest.fixture(scope="module", params=OVERLAYS)
def cluster(request):
    cluster = Cluster(render(request.param))
    cluster.overlay = request.param
    return cluster


# ---- what Kubernetes takes ----------------------------------------------------

def test_every_object_keeps_its_schema(cluster):
    assert schema_faults(cluster.objects) == []


SPOILT = [
    ("Deployment", lambda o: o["spec"].pop("selector"), "required"),
    ("Deployment", lambda o: o["spec"].update(replicaz=2), "is no field"),
    ("HorizontalPodAutoscaler",
     lambda o: o["spec"].update(maxReplicas="30"), "type"),
    ("Certificate", lambda o: o["spec"].update(dnsname="x"), "is no field"),
    ("PodMonitor", lambda o: o["spec"].pop("selector"), "required"),
    ("PodDisruptionBudget",
     lambda o: o.update(apiVersion="policy/v2"), "there is no")]


def test_the_schemas_see_a_fault():
    objects, spoilt = render("production"), []
    for kind, change, _ in SPOILT:
        spoilt.append(copy.deepcopy(
            next(o for o in objects if o["kind"] == kind)))
        change(spoilt[-1])
    faults = schema_faults(spoilt)
    assert len(faults) == len(SPOILT)
    for fault, (kind, _, words) in zip(faults, SPOILT):
        assert fault.startswith(kind) and words in fault, fault


# ---- whether they fit each other ----------------------------------------------

def test_selectors_select_and_ports_are_there(cluster):
    for owner in cluster.all("Deployment"):
        pod, = (p for p in cluster.pods if p.owner is owner)
        assert cluster.selected(owner["spec"]["selector"]) == [pod]
        for rule in pod.spec.get("topologySpreadConstraints", []):
            assert selects(rule["labelSelector"], pod.labels)
        for container in pod.spec["containers"]:
            probes = [container[name] for name in container
                      if name.endswith("Probe")]
            assert len(probes) == (
                3 if pod.component in KINDS else 1), container["name"]
            for probe in probes:
                check = probe.get("httpGet") or probe["tcpSocket"]
                assert check["port"] in pod.ports, probe
    for service in cluster.all("Service"):
        pod, = cluster.selected({"matchLabels": service["spec"]["selector"]})
        for port in service["spec"]["ports"]:
            assert port["targetPort"] in pod.ports
            # A headless service maps no ports: callers come to the pod's own.
            if service["spec"].get("clusterIP") == "None":
                assert port["port"] == pod.ports[port["targetPort"]]
    for kind in ("PodDisruptionBudget", "PodMonitor"):
        for one in cluster.all(kind):
            assert cluster.selected(one["spec"]["selector"]), one["metadata"]
    for policy in cluster.all("NetworkPolicy"):
        pods = cluster.selected(policy["spec"]["podSelector"])
        assert pods, policy["metadata"]
        for rule in policy["spec"].get("ingress", []):
            assert all(port["port"] in pod.ports for port in rule["ports"]
                       for pod in pods if pod.component != "migrate")


def test_what_is_named_exists(cluster):
    for pod in cluster.pods:
        volumes = {v["name"] for v in pod.spec.get("volumes", [])}
        mounted = {m["name"] for c in pod.containers()
                   for m in c.get("volumeMounts", [])}
        assert volumes == mounted
        for container in pod.containers():
            cluster.environment(container)
            assert re.search(r":\S", container["image"]), container["image"]
        for volume in pod.spec.get("volumes", []):
            claim = volume.get("persistentVolumeClaim")
            assert not claim or cluster.get("PersistentVolumeClaim",
                                            claim["claimName"])
    for scaler in cluster.all("HorizontalPodAutoscaler"):
        target = cluster.get(scaler["spec"]["scaleTargetRef"]["kind"],
                             scaler["spec"]["scaleTargetRef"]["name"])
        assert "replicas" not in target["spec"]
    for ingress in cluster.all("Ingress"):
        for path in (p for r in ingress["spec"]["rules"]
                     for p in r["http"]["paths"]):
            backend = path["backend"]["service"]
            service = cluster.get("Service", backend["name"])
            assert backend["port"]["name"] in [
                p["name"] for p in service["spec"]["ports"]]
    for one in cluster.all("Certificate") + cluster.all("Issuer"):
        issuer = one["spec"].get("issuerRef")
        assert not issuer or cluster.get("Issuer", issuer["name"])


def known_secrets(cluster):
    """{(name, key)}: of the overlay, of its certificates, and those that its first
    lines say how to make."""
    known = {(o["metadata"]["name"], key) for o in cluster.all("Secret")
             for key in o["data"]}
    known |= {(o["spec"]["secretName"], None)
              for o in cluster.all("Certificate")}
    text = (SOURCES / "overlays" / cluster.overlay /
            "kustomization.yaml").read_text()
    for name, files in MADE_BY_HAND.findall(text):
        known |= {(name, key) for key in
                  re.findall(r"--from-file=(\S+)", files)}
    return known


def test_every_secret_is_made_somewhere(cluster):
    wanted = set().union(*(p.secrets() for p in cluster.pods))
    assert wanted and wanted <= known_secrets(cluster), \
        wanted - known_secrets(cluster)


def test_the_owner_of_the_schema_is_known_to_its_migrations_alone(cluster):
    assert [p.component for p in cluster.pods
            if any(key == "migrate_url" for _, key in p.secrets())] \
        == ["migrate"]


# ---- who may call whom --------------------------------------------------------

OURS = {("gateway", "chatd", "rpc"), ("presenced", "chatd", "rpc"),
        ("gateway", "presenced", "rpc"), ("chatd", "presenced", "rpc")}
ALLOWED = {
    "production": OURS | {("ingress-nginx", "gateway", "http")} |
    {("monitoring", kind, "admin") for kind in KINDS},
    "try": OURS | {(kind, f"parley-{store}", store)
                   for kind in (*KINDS, "migrate")
                   for store in ("postgres", "redis")}}


def test_the_policies_let_these_calls_through_and_no_others(cluster):
    assert cluster.calls() == ALLOWED[cluster.overlay]


def test_pods_are_restricted(cluster):
    """The Pod Security Standard `restricted`, which the namespace enforces."""
    space, = cluster.all("Namespace")
    assert space["metadata"]["labels"] == {
        "pod-security.kubernetes.io/enforce": "restricted"}
    for pod in cluster.pods:
        assert pod.spec["securityContext"]["runAsNonRoot"] is True
        assert pod.spec["securityContext"]["seccompProfile"] == {
            "type": "RuntimeDefault"}
        assert pod.spec["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod.spec)
        for volume in pod.spec.get("volumes", []):
            assert "hostPath" not in volume
        for container in pod.containers():
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert context.get("readOnlyRootFilesystem") or \
                pod.component.startswith("parley-")     # the stores to try
            assert "memory" in container["resources"]["limits"]


# ---- what our processes are told ----------------------------------------------

def ours(cluster):
    """(pod, container, kind) of all that run one of our programs."""
    for pod in cluster.pods:
        for container in pod.containers():
            image = re.search(r"parley-(\w+):", container["image"])
            if image:
                kind = image[1] if image[1] in KINDS else "chatd"
                yield pod, container, kind


def mounted(cluster, pod, container, directory, authority, kind):
    """Writes what the volumes have, below `directory`."""
    links = authority.links(kind, f"kubernetes-{kind}")
    database = (f"host=db dbname=parley sslmode=verify-full "
                f"sslrootcert={directory}/run/secrets/parley/ca.crt user=")
    values = {"redis_url": "unix:/redis.sock",
              "ca": Path(links["rpc_tls_ca"]).read_text(),
              "database_url": database + "parley_chatd",
              "migrate_url": database + "parley_owner",
              "access_key": "a key", "secret_key": "another"}
    for secret in cluster.all("Secret"):
        values.update({key: base64.b64decode(value).decode()
                       for key, value in secret["data"].items()})
    volumes = {v["name"]: v for v in pod.spec["volumes"]}
    for mount in container.get("volumeMounts", []):
        place = directory / mount["mountPath"].lstrip("/")
        place.mkdir(parents=True, exist_ok=True)
        volume = volumes[mount["name"]]
        sources = volume.get("projected", {}).get("sources", [volume])
        for secret in (s["secret"] for s in sources if "secret" in s):
            for item in secret.get("items", []):
                (place / item["path"]).write_text(values[item["key"]])
            if "items" not in secret:
                for name, of in (("ca.crt", "rpc_tls_ca"),
                                 ("tls.crt", "rpc_tls_cert"),
                                 ("tls.key", "rpc_tls_key")):
                    path = place / name
                    path.write_bytes(Path(links[of]).read_bytes())
                    path.chmod(0o440)


def taken(cluster, world, directory, pod, container, kind):
    """The times in force when the container runs with what it is given."""
    mounted(cluster, pod, container, directory, world.authority(), kind)
    return program_takes(kind, {
        key: value.replace("/run/secrets", f"{directory}/run/secrets")
        .replace("/var/lib/parley", f"{directory}/var/lib/parley")
        for key, value in cluster.environment(container).items()},
        *container.get("args", []))


def grace_wanted(container, times):
    before = container.get("lifecycle", {}).get("preStop", {}).get(
        "exec", {"command": ["sleep", "0"]})["command"]
    return int(before[1]) + times["drain_timeout"] / 1000 + END_SECONDS


def test_every_setting_is_one_and_is_taken(cluster, world, tmp_path):
    seen = []
    for pod, container, kind in ours(cluster):
        times = taken(cluster, world, tmp_path / container["name"], pod,
                      container, kind)
        # Variables named after services would be settings.
        assert pod.spec["enableServiceLinks"] is False
        if container["name"] in KINDS:
            assert pod.spec["terminationGracePeriodSeconds"] >= \
                grace_wanted(container, times)
        if kind == "gateway":
            assert "preStop" in container["lifecycle"]
            assert times["drain_spread"] < times["drain_timeout"]
        seen.append(container["name"])
    assert sorted(seen) == ["chatd", "gateway", "migrate", "presenced",
                            "schema"]


def test_addresses_lead_to_services_and_certificates(cluster):
    for pod, container, kind in ours(cluster):
        for key, value in cluster.environment(container).items():
            if key not in ("PARLEY_CHATD", "PARLEY_PRESENCED"):
                continue
            called = key[len("PARLEY_"):].lower()
            scheme, host, port = re.fullmatch(
                r"(\S+)://(\S+):(\d+)", value).groups()
            service = cluster.get("Service", host)
            # All of its pods, not one address that stands for them.
            assert service["spec"]["clusterIP"] == "None"
            target, = cluster.selected(
                {"matchLabels": service["spec"]["selector"]})
            assert target.component == called
            assert target.ports["rpc"] == int(port)
            listen = cluster.environment(
                target.spec["containers"][0])["PARLEY_LISTEN"]
            assert listen == f"{scheme}://0.0.0.0:{port}"
            if scheme == "tls+tcp":
                of = cluster.get("Certificate", f"parley-{called}")["spec"]
                assert host in of["dnsNames"]
                assert (of["secretName"], None) in target.secrets()
    for certificate in cluster.all("Certificate"):
        role = re.fullmatch(r"parley-(gateway|chatd|presenced)",
                            certificate["metadata"]["name"])
        if role:
            assert certificate["spec"]["uris"] == [f"parley:{role[1]}"]
            assert {"server auth", "client auth"} <= set(
                certificate["spec"]["usages"])


def test_gateways_are_scaled_by_a_metric_that_there_is(stack):
    scaler, = Cluster(render("production")).all("HorizontalPodAutoscaler")
    names = [m["pods"]["metric"]["name"] for m in scaler["spec"]["metrics"]
             if m["type"] == "Pods"]
    rules = yaml.safe_load((SOURCES / "components/autoscaling"
                            / "prometheus-adapter.yaml").read_text())
    _, metrics = stack.gateways[0].admin("/metrics")
    for name in names:
        assert f"\n# TYPE {name} gauge\n" in metrics
        rule, = (r for r in rules["rules"]["custom"]
                 if r["seriesQuery"].startswith(name + "{"))
        assert set(rule["resources"]["overrides"]) == {"namespace", "pod"}
