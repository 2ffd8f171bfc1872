"""deploy/docker: a compose file whose parts fit each other and set what our processes
know, and images that are built as they are described. (That the images run is seen
where there is an engine to build them: docs/deploying.md.)

SPDX-License-Identifier: MIT
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from support.doc_commands import run_block
from support.given import program_takes
from support.kubernetes import kubectl
from support.stack import ROOT

pytestmark = pytest.mark.plain

KINDS = ("gateway", "chatd", "presenced")
# The end of a process after its drain, at most (common/daemon.c).
END_SECONDS = 8
DOCKERFILE = (ROOT / "deploy/docker/Dockerfile").read_text()


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """As its first lines say, in a directory of its own."""
    place = tmp_path_factory.mktemp("compose")
    for name in ("docker", "proxy", "kubernetes"):
        shutil.copytree(ROOT / "deploy" / name, place / "deploy" / name,
                        ignore=shutil.ignore_patterns("secrets", ".env"))
    shutil.copy(ROOT / "deploy/certificates.sh", place / "deploy")
    return place / "deploy" / "docker"


def with_kubectl():
    return {"PATH": f"{Path(kubectl()).parent}:{os.environ['PATH']}"}


def config(directory):
    return subprocess.run(["docker-compose", "config"], cwd=directory,
                          capture_output=True, text=True, timeout=60,
                          check=False)


@pytest.fixture(scope="module")
def site(installed):
    """The file as compose understands it, when all is done as docs/deploying.md
    says."""
    done = run_block("docs/deploying.md", "compose", cwd=installed.parents[1])
    return yaml.safe_load(done.stdout)


def kind_of(service):
    """The program that a service runs, if it is one of ours."""
    image = re.search(r"parley-(\w+):", service["image"])
    return image and {"migrate": "chatd", "tools": "parleyctl"}.get(
        image[1], image[1])


def ours(site):
    return [(name, service, kind_of(service))
            for name, service in site["services"].items() if kind_of(service)]


def seconds(text):
    number, unit = re.fullmatch(r"(?:0h)?(?:0m)?(\d+)(m?s|m)(?:0s)?",
                                text).groups()
    return int(number) * {"s": 1, "m": 60, "ms": 0.001}[unit]


def test_the_overlays_are_rendered_as_the_guide_says(installed):
    done = run_block("docs/deploying.md", "overlays", env=with_kubectl(),
                     cwd=installed.parents[1])
    # Those of a trial have stores.
    assert done.stdout.count("\nkind: Deployment\n") == 3 + 5


def test_compose_sees_a_fault(installed):
    file = installed / "compose.yaml"
    text = file.read_text()
    try:
        file.write_text(text.replace("stop_grace_period:", "stop_grace:"))
        assert config(installed).returncode != 0
    finally:
        file.write_text(text)


def test_secrets_are_kept_when_made_again(installed, site):
    before = {f.name: f.read_bytes()
              for f in (installed / "secrets").glob("[!c]*")}
    subprocess.run([installed / "secrets.sh", "chat.test"], check=True)
    assert before == {f.name: f.read_bytes()
                      for f in (installed / "secrets").glob("[!c]*")}
    assert (installed / "secrets").stat().st_mode & 0o777 == 0o700
    password = re.search(rb"password=(\w{48})", before["database_url"])[1]
    assert password in before["roles.sql"]


def test_there_are_two_of_each_and_one_door(site):
    for kind in KINDS:
        assert sum(1 for name, *_ in ours(site)
                   if re.fullmatch(rf"{kind}-\d", name)) == 2
    services, networks = site["services"], site["networks"]
    assert [n for n, s in services.items() if s.get("ports")] == ["proxy"]
    assert all(networks[n]["internal"] for n in ("core", "data"))
    on = {network: {name for name, s in services.items()
                    if network in s["networks"]} for network in networks}
    assert on["edge"] == {"proxy", "gateway-1", "gateway-2"}
    assert on["data"] == {"postgres", "migrate", "tools", "chatd-1",
                          "chatd-2"}


def test_what_is_named_exists(site, installed):
    services = site["services"]
    for name, service in services.items():
        for secret in service.get("secrets", []):
            source = secret["source"] if isinstance(secret, dict) else secret
            assert (installed / site["secrets"][source]["file"]).exists()
        for needed, how in (service.get("depends_on") or {}).items():
            other = services[needed]
            if how["condition"] == "service_healthy":
                assert other.get("healthcheck"), f"{name}: {needed}"
            else:
                assert other["restart"] == "no"
        assert service["mem_limit"]


def test_every_setting_is_one_and_is_taken(site, installed, tmp_path):
    for name, service, kind in ours(site):
        assert service["read_only"] and service["cap_drop"] == ["ALL"]
        environment = {
            key: value.replace("/run/secrets", f"{installed}/secrets")
            for key, value in service["environment"].items()}
        if kind == "gateway":
            environment["PARLEY_MEDIA_DIR"] = str(tmp_path)
        values = program_takes(kind, environment)
        if name in ("migrate", "tools"):
            continue
        grace = seconds(service["stop_grace_period"])
        assert grace >= values["drain_timeout"] / 1000 + END_SECONDS


def test_addresses_lead_to_services(site):
    services = site["services"]
    for name, service, _ in ours(site):
        for key in ("PARLEY_CHATD", "PARLEY_PRESENCED"):
            called = re.findall(r"tcp://([\w-]+):(\d+)",
                                service["environment"].get(key, ""))
            for host, port in called:
                other = services[host]
                assert set(other["networks"]) & set(service["networks"])
                assert other["environment"]["PARLEY_LISTEN"] == \
                    f"tcp://0.0.0.0:{port}"
            assert not called or len(called) == 2, f"{name} {key}"
    subnet = site["networks"]["edge"]["ipam"]["config"][0]["subnet"]
    for name in ("gateway-1", "gateway-2"):
        assert services[name]["environment"]["PARLEY_TRUSTED_PROXIES"] \
            == subnet


def test_the_proxy_takes_its_file_as_changed_for_a_container(
        site, installed, tmp_path):
    script = site["services"]["proxy"]["command"][2].replace("$$", "$")
    changed = tmp_path / "haproxy.cfg"
    for there, here in (
            ("/usr/local/etc/haproxy/haproxy.cfg",
             installed.parent / "proxy/haproxy.cfg"),
            ("/run/haproxy/haproxy.cfg", changed)):
        assert there in script
        script = script.replace(there, str(here))
    command, _, start = script.partition("exec ")
    subprocess.run(["sh", "-c", command.rstrip().removesuffix("&&")],
                   check=True)
    text = changed.read_text()
    assert {"8080", "8443"} == set(re.findall(r"^\tbind :(\d+)", text,
                                              re.MULTILINE))
    assert "maxconn 30000\n" in text and start.startswith("haproxy ")
    certificates = tmp_path / "certificates"
    certificates.mkdir()
    shutil.copy(installed / "secrets/site.pem", certificates)
    changed.write_text(text.replace("/etc/haproxy/certificates/",
                                    f"{certificates}/"))
    done = subprocess.run(["haproxy", "-c", "-f", changed], check=False,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert set(re.findall(r"^\tserver (gateway-\d) \1:8080$", text,
                          re.MULTILINE)) == {"gateway-1", "gateway-2"}


# ---- the images ---------------------------------------------------------------

def stages():
    """{name: (base, instructions)} of the Dockerfile."""
    found = {}
    text = re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE)
    for base, name, rest in re.findall(
            r"^FROM (\S+) AS (\S+)\n(.*?)(?=^FROM |\Z)", text, re.M | re.S):
        found[name] = (base, rest)
    return found


def test_the_images_are_those_that_are_built_and_used(site):
    made = set(re.search(r"^for service in (.*); do$", (
        ROOT / "deploy/docker/build.sh").read_text(), re.M)[1].split())
    assert made == set(stages()) - {"build", "base"}
    used = {re.search(r"parley-(\w+):", s["image"])[1]
            for _, s, _ in ours(site)}
    assert used <= made


def test_an_image_runs_as_nobody_and_is_watched():
    for name, (base, text) in stages().items():
        if name in ("build", "base"):
            continue
        whole = text
        while base in stages():
            base, more = stages()[base]
            whole = more + whole
        assert re.search(r"^USER 10001:10001$", whole, re.M), name
        assert re.search(r"^ENTRYPOINT \[", text, re.M), name
        assert "HEALTHCHECK" in whole, name
        for label in ("title", "description", "licenses", "version",
                      "revision"):
            assert f"org.opencontainers.image.{label}=" in whole, name
        assert not re.search(r"^ADD ", whole, re.M)


def test_what_the_build_needs_is_sent_to_it_and_no_secret():
    rules = (ROOT / ".dockerignore").read_text().split("\n")
    sent = {rule[1:] for rule in rules if rule.startswith("!")}
    needed = {name.split("/")[0] for name in re.findall(
        r"^add_subdirectory\((\S+)\)", (ROOT / "CMakeLists.txt").read_text(),
        re.MULTILINE)}
    for lists in (ROOT / "deploy").rglob("CMakeLists.txt"):
        needed |= set(re.findall(r"\{PROJECT_SOURCE_DIR\}/([\w.]+)",
                                 lists.read_text()))
    assert "README.md" in needed
    assert rules[1] == "*" and needed <= sent, needed - sent
    for name in sent:
        assert (ROOT / name).exists(), name
    for secret in ("secrets", ".env"):
        assert rules.index(f"deploy/docker/{secret}") > rules.index("!deploy")
        assert f"/{secret}" in (ROOT / "deploy/docker/.gitignore").read_text()


def health(port, *args):
    return subprocess.run(
        [ROOT / "deploy/docker/health", *args], capture_output=True,
        env={"PARLEY_ADMIN_LISTEN": f"0.0.0.0:{port}"}, timeout=10,
        check=False).returncode


def test_the_health_check_tells_who_is_well(stack):
    for process in stack.processes():
        assert health(process.admin_port) == 0
        assert health(process.admin_port, "readyz") == 0
    assert health(stack.gateways[0].admin_port, "nothing") != 0
    assert health(1) != 0
