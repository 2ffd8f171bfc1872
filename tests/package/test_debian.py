"""The Debian packages, on a Debian that was just installed: made, installed, set
up as README.Debian says, used, upgraded while in use, removed and purged, under a
real systemd.

    PARLEY_PACKAGE_SUITES   default "bookworm trixie"
    PARLEY_PACKAGE_KEEP     1: keep what debootstrap and the build made, under
                            build/package-trial/, for the next run

Needs root and the network; takes minutes. Not part of the default run
(`tests/run.sh package`).

SPDX-License-Identifier: MIT
"""

import json
import os
import re
import subprocess

import pytest

from support.container import Container, make_base, run
from support.stack import ROOT

pytestmark = pytest.mark.plain

KEEP = os.environ.get("PARLEY_PACKAGE_KEEP") == "1"
SUITES = os.environ.get("PARLEY_PACKAGE_SUITES", "bookworm trixie").split()
PLACE = ROOT / "build" / "package-trial"
KINDS = ("gateway", "chatd", "presenced")
UNITS = ("parley-presenced@1", "parley-chatd@1", "parley-gateway@1",
         "parley-gateway@2")

# As in README.Debian, with passwords made here.
SETUP = """
systemctl is-active postgresql || systemctl start postgresql
systemctl start redis-server
runuser -u postgres -- psql -q -f /usr/share/parley/database.sql
runuser -u postgres -- psql -q -c "ALTER ROLE parley_owner PASSWORD 'one'" \
    -c "ALTER ROLE parley_chatd PASSWORD 'two'"
install -d -m 700 /etc/credstore
umask 077
echo host=127.0.0.1 dbname=parley user=parley_owner password=one \
    >/etc/credstore/parley.migrate_url
echo host=127.0.0.1 dbname=parley user=parley_chatd password=two \
    >/etc/credstore/parley.database_url
systemctl start parley-migrate
printf 'PARLEY_LISTEN=127.0.0.1:8081\\nPARLEY_ADMIN_LISTEN=127.0.0.1:9101\\n' \
    >/etc/parley/gateway-2.env
"""

APT = ["apt-get", "-o", "Dpkg::Use-Pty=0", "-qq", "-y",
       "--no-install-recommends"]


def source_of(place):
    """The files of the source, as deploy/package.sh takes them."""
    files = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others",
         "--exclude-standard"], cwd=ROOT, check=True,
        capture_output=True).stdout.split(b"\0")
    (place / "parley").mkdir(parents=True)
    listed = b"\0".join(f for f in files
                        if f and os.path.exists(os.path.join(
                            os.fsencode(ROOT), f)))
    subprocess.run(f"tar -c -C '{ROOT}' --null -T - |"
                   f" tar -x -C '{place}/parley'", shell=True, input=listed,
                   check=True)


@pytest.fixture(scope="module", params=SUITES)
def suite(request):
    if os.getuid() != 0:
        pytest.skip("containers need root")
    yield request.param
    if not KEEP:
        run("rm", "-rf", "--one-file-system", PLACE / request.param)


@pytest.fixture(scope="module")
def base(suite):
    place = PLACE / suite
    place.mkdir(parents=True, exist_ok=True)
    return make_base(place / "base", suite)


@pytest.fixture(scope="module")
def packages(suite, base):
    """Built in this suite by deploy/package.sh, lintian's errors failing it."""
    out = PLACE / suite / "packages"
    if not out.exists():
        layer = PLACE / suite / "build"
        run("rm", "-rf", "--one-file-system", layer)
        builder = Container(base, layer)
        try:
            source_of(builder.root / "srv")
            builder.once("apt-get", "-qq", "update")
            builder.once("/srv/parley/deploy/package.sh", "/srv/packages",
                         DEBIAN_FRONTEND="noninteractive")
            run("cp", "-r", builder.root / "srv/packages", out)
        finally:
            builder.close()
            run("rm", "-rf", "--one-file-system", layer)
    return out


def debs(packages):
    return sorted(p for p in packages.glob("*.deb")
                  if "dbgsym" not in p.name)


# gdb of this machine over the packages' files, in a layer over /usr that nobody
# else sees: once with their debug information, once without.
LOOK = """
mount -t tmpfs layers "$1/layers"
mkdir "$1/layers/new" "$1/layers/work"
mount -t overlay -o "lowerdir=/usr,upperdir=$1/layers/new,workdir=$1/layers/work" \
    overlay /usr
cp -a "$1/root/usr/." /usr/
look() {
    gdb -nx -q -batch -ex 'parley state' -ex 'break log_event' \
        /usr/libexec/parley/$1 2>&1
}
for kind in gateway chatd presenced; do look $kind; done
echo without:
rm -r /usr/lib/debug/.build-id
look chatd
"""


def test_gdb_finds_debug_information_and_helpers(packages, tmp_path):
    for part in ("root", "layers"):
        (tmp_path / part).mkdir()
    for deb in packages.glob("*.deb"):
        run("dpkg", "-x", deb, tmp_path / "root")
    done = subprocess.run(
        ["unshare", "--mount", "bash", "-euc", LOOK, "bash", tmp_path],
        capture_output=True, text=True, check=False, timeout=120,
        stdin=subprocess.DEVNULL)
    there, without = done.stdout.split("without:\n")
    # The helpers are loaded, and know the program.
    assert there.count("has not started yet") == 3, done
    assert there.count("common/log.c, line ") == 3, done
    assert "package parley-...-dbgsym" in without, done


@pytest.fixture(scope="module")
def machine(suite, base, packages):
    """A fresh system with a database and Redis, booted, with our packages at
    hand and what they depend on in apt's cache: it has no network."""
    layer = PLACE / suite / "machine"
    run("rm", "-rf", "--one-file-system", layer)
    made = Container(base, layer)
    try:
        run("cp", *debs(packages), made.root / "srv")
        made.once("apt-get", "-qq", "update")
        made.once(*APT, "install", "postgresql", "redis-server", "curl",
                  "procps", "python3-websockets", DEBIAN_FRONTEND="noninteractive")
        made.once("sh", "-c", " ".join(APT) +
                  " --download-only install /srv/*.deb")
        make_successors(made)
        made.boot()
        yield made
    finally:
        made.close()
        run("rm", "-rf", "--one-file-system", layer)


def make_successors(machine):
    """The same packages as a later version, for the upgrade."""
    for kind in ("common", *KINDS):
        machine.once("sh", "-ec", f"""
            mkdir -p /srv/later; cd /srv
            dpkg-deb -R parley-{kind}_*.deb t
            sed -i 's/^Version: .*/&+later/' t/DEBIAN/control
            dpkg-deb -b t /srv/later/parley-{kind}.deb >/dev/null
            rm -r t""")


def state_of(machine, unit):
    text = machine.sh(f"systemctl show -p ActiveState -p SubState -p MainPID "
                      f"-p NRestarts -p Result {unit}")
    return dict(line.split("=", 1) for line in text.split())


# One life of an installation, in the order of the tests below.


def test_the_packages_name_what_they_need(packages):
    wanted = {"gateway": ("libwebsockets", "libcurl4"),
              "chatd": ("libpq5",), "presenced": ("libhiredis",)}
    foreign = {"gateway": "libpq", "chatd": "libwebsockets",
               "presenced": "libpq"}
    assert len(debs(packages)) >= 4
    for kind in KINDS:
        deb, = packages.glob(f"parley-{kind}_*.deb")
        depends = run("dpkg-deb", "-f", deb, "Depends")
        assert "libc6 (>=" in depends and "parley-common (>=" in depends
        assert all(library in depends for library in wanted[kind]), depends
        assert foreign[kind] not in depends
        control = run("dpkg-deb", "--ctrl-tarfile", deb, errors="replace")
        assert f"/etc/parley/{kind}.conf" in control


def test_it_installs_and_starts_nothing(machine):
    output = machine.sh(" ".join(APT) + " install /srv/*.deb")
    assert "README.Debian" in output
    for kind in KINDS:
        assert f"parley-{kind}:" in machine.sh(f"getent passwd parley-{kind}")
        assert machine.sh(f"parley-{kind} --version").startswith(kind)
    assert machine.sh("systemctl list-units --no-legend --all"
                      " 'parley-*@*'") == ""
    assert machine.sh("stat -c '%U:%G %a' /run/parley") == \
        "root:parley 2770\n"
    assert "enabled" in machine.sh("systemctl is-enabled parley.target")


def test_it_starts_against_a_given_database(machine):
    machine.sh(SETUP)
    machine.sh("systemctl enable -q --now " + " ".join(UNITS))
    for unit in UNITS:
        state = state_of(machine, unit)
        assert state["ActiveState"] == "active", (unit, state)
        assert state["NRestarts"] == "0", (unit, state)
    for port in (9100, 9101):
        assert machine.sh(f"curl -sf localhost:{port}/readyz") == "ready\n"
    owner = machine.sh("stat -c %U:%G /run/parley/chatd-1.sock")
    assert owner == "parley-chatd:parley\n"
    accounts = machine.sh(
        "ps -o euser:32= -C gateway,chatd,presenced | sort -u").split()
    assert accounts == ["parley-chatd", "parley-gateway", "parley-presenced"]


def account(machine, name):
    """A new person's token."""
    answer = machine.sh(f"""curl -sf localhost:8080/api/register -H \
        'Content-Type: application/json' -d '{{"username": "{name}", \
        "password": "a good password", "name": "Ann", \
        "email": "{name}@example.org"}}'""")
    return json.loads(answer)["token"]


def test_people_can_use_it(machine):
    token = account(machine, "ann_the_first")
    assert "<title>" in machine.sh("curl -sf localhost:8080/")
    heard = machine.sh("(sleep 1; echo '{\"type\":\"search_people\","
                       "\"input\":\"ann\"}'; sleep 2) | python3 -m websockets"
                       f" 'ws://localhost:8080/ws?token={token}' || true")
    assert '"type":"user_info"' in heard
    assert "search_people_results" in heard
    stored = machine.sh(f"""echo picture >/tmp/p.txt
        curl -s -o /dev/null -w '%{{http_code}}' -F file=@/tmp/p.txt \
        -H 'Authorization: Bearer {token}' localhost:8081/api/chat/upload""")
    assert stored == "200"


def test_an_upgrade_restarts_one_after_another(machine):
    before = {unit: state_of(machine, unit)["MainPID"] for unit in UNITS}
    machine.sh("""rm -f /tmp/stop /tmp/failed
        (while [ ! -e /tmp/stop ]; do
             curl -sf -o /dev/null localhost:8080/api/health ||
                 curl -sf -o /dev/null localhost:8081/api/health ||
                 echo both >>/tmp/failed
             sleep 0.02
         done) >/dev/null 2>&1 &""")
    machine.sh("dpkg -i /srv/later/*.deb")
    machine.sh("touch /tmp/stop; [ ! -e /tmp/failed ]")
    for unit in UNITS:
        state = state_of(machine, unit)
        assert state["ActiveState"] == "active", (unit, state)
        assert state["MainPID"] != before[unit]
        assert state["Result"] == "success"
    log = machine.sh("journalctl -o cat -u 'parley-*@*'")
    assert not re.search(r"Main process exited.*status=(?!0)", log)


def test_an_upgrade_that_does_not_get_ready_stops_at_the_first(machine):
    before = {unit: state_of(machine, unit)["MainPID"] for unit in UNITS}
    machine.sh("""echo listen = nowhere >>/etc/parley/gateway.conf
        sed -i 's/^READY_SECONDS=.*/READY_SECONDS=5/' \
        /var/lib/dpkg/info/parley-gateway.postinst""")
    output = machine.sh("/var/lib/dpkg/info/parley-gateway.postinst"
                        " configure 0.0")
    assert "is not ready" in output
    after = {unit: state_of(machine, unit)["MainPID"] for unit in UNITS}
    assert after["parley-gateway@2"] == before["parley-gateway@2"]
    assert state_of(machine, "parley-gateway@1")["ActiveState"] != "active"
    machine.sh("""sed -i '/^listen = nowhere/d' /etc/parley/gateway.conf
        systemctl restart parley-gateway@1""")


def test_settings_of_the_administrator_survive(machine):
    machine.sh("""sed -i 's|^public_url.*|public_url = http://other|' \
        /etc/parley/chatd.conf; dpkg -i /srv/parley-chatd_*.deb""")
    assert "http://other" in machine.sh("cat /etc/parley/chatd.conf")


def test_purging_leaves_nothing_but_uploads_and_accounts(machine):
    output = machine.sh("apt-get -qq -y purge 'parley-*'")
    assert "/var/lib/parley/media" in output
    left = machine.sh("find /etc /usr /run /var/lib -path '*parley*'"
                      " ! -path '/var/lib/parley*' ! -path '/usr/share/doc/*'"
                      " ! -path '*/credentials/*' -print")
    assert left == ""
    assert machine.sh("find /var/lib/parley -type f -size -9") != ""
    assert machine.sh("ps -C gateway,chatd,presenced -o pid= || true") == ""
    assert machine.sh("systemctl --failed --no-legend") == ""
