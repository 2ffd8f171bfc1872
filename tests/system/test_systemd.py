"""The units in deploy/systemd: well formed, closed as far as can be, and wide
enough that the processes do their work in them.

SPDX-License-Identifier: MIT
"""

import grp
import os
import pwd
import re
import shutil
import subprocess

import pytest

from support.client import Session, http_form, private_chat, register
from support.stack import BUILD, ROOT, program

KINDS = ("gateway", "chatd", "presenced")
# systemd's own measure: 0 (closed) to 100 (open).
EXPOSURE_MAX = 15
SANDBOXED = ["/usr/bin/python3", str(ROOT / "tests/support/sandboxed.py")]


@pytest.fixture(scope="module")
def units(tmp_path_factory):
    """The units as they are installed, with the programs of this build."""
    directory = tmp_path_factory.mktemp("units")
    for kind in KINDS:
        made = BUILD / "deploy" / "systemd" / f"parley-{kind}@.service"
        text = re.sub(rf"^ExecStart=\S+/{kind} ",
                      f"ExecStart={program(kind)} ", made.read_text(),
                      flags=re.MULTILINE)
        assert str(program(kind)) in text
        (directory / made.name).write_text(text)
    shutil.copy(ROOT / "deploy/systemd/parley.target", directory)
    return directory


def analyze(units, *words):
    return subprocess.run(["systemd-analyze", *words], cwd=units, text=True,
                          capture_output=True, check=False,
                          env={"PATH": os.environ["PATH"],
                               "SYSTEMD_COLORS": "0"})


@pytest.mark.parametrize("kind", KINDS)
def test_a_unit_is_well_formed(units, kind):
    done = analyze(units, "verify", "--man=no", f"./parley-{kind}@1.service")
    assert done.returncode == 0 and done.stderr == "", done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_a_unit_is_closed(units, kind):
    done = analyze(units, "security", "--offline=yes", "--no-pager",
                   f"--threshold={EXPOSURE_MAX}", f"./parley-{kind}@1.service")
    assert done.returncode == 0, done.stdout[-3000:]


def test_the_threshold_sees_an_opened_unit(units):
    text = (units / "parley-chatd@.service").read_text()
    opened = units / "opened@.service"
    opened.write_text(text.replace("NoNewPrivileges=yes", "").replace(
        "CapabilityBoundingSet=", "").replace("SystemCallFilter", "#"))
    done = analyze(units, "security", "--offline=yes", "--no-pager",
                   f"--threshold={EXPOSURE_MAX}", "./opened@1.service")
    assert done.returncode != 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_unit_hands_secrets_over_as_credentials(units, kind):
    """Every secret among the settings has one, by the setting's name."""
    usage = subprocess.run([program(kind), "--help"], check=True, text=True,
                           capture_output=True).stdout
    secrets = re.findall(r"^  --(\S+)=TEXT.*\n.*\n.*; secret:", usage,
                         re.MULTILINE)
    assert secrets
    unit = (units / f"parley-{kind}@.service").read_text()
    given = re.findall(r"^LoadCredential=(\w+):parley\.(\w+)$", unit,
                       re.MULTILINE)
    assert {name for name, _ in given} == \
        {flag.replace("-", "_") for flag in secrets}
    assert all(name == source for name, source in given)
    assert "LimitCORE=0" in unit


async def test_the_processes_work_within_the_sandbox(units, new_stack):
    """As another account and with the unit's filter of system calls: people
    register, write, upload and fetch, and every process ends well."""
    group = grp.getgrgid(pwd.getpwnam("nobody").pw_gid).gr_name
    shared = {"listen_group": group} if os.getuid() == 0 else {}
    stack = new_stack(start=False,
                      settings={"chatd": shared, "presenced": shared})
    for process in stack.processes():
        kind = process.name.split("-")[0]
        process.argv = SANDBOXED + [
            str(units / f"parley-{kind}@.service"), "nobody"] + process.argv
    if os.getuid() == 0:
        for path in (stack.directory, stack.directory / "media"):
            shutil.chown(path, "nobody")
    units.chmod(0o755)
    stack.start()
    for process in stack.processes():
        status = dict(re.findall(
            r"^(\w+):\s+(.*)$", open(f"/proc/{process.pid}/status").read(),
            re.MULTILINE))
        assert status["Seccomp"] == "2" and status["NoNewPrivs"] == "1"
        assert int(status["CapEff"], 16) == 0 and "0\t0" not in status["Uid"]
    gateway = stack.gateways[0]
    ann = await Session.open(gateway, register(gateway))
    ben = await Session.open(gateway, register(gateway))
    chat_id = await private_chat(ann, ben)
    answer = await ann.say(chat_id, "a text from within the sandbox")
    await ben.wait("new_message", lambda f: f["message"]["id"]
                   == answer["message"]["id"])
    sent = http_form(gateway, "/api/chat/upload",
                     {"file": ("a.bin", "text/plain", b"x" * 300000)},
                     headers={"Authorization": "Bearer " + ann.account.token})
    assert sent.status == 200, sent
