"""deploy/local.sh under test: a stack of its own on free ports, taken down and
looked at afterwards.

SPDX-License-Identifier: MIT
"""

import os
import random
import shutil
import signal
import subprocess

import pytest

from . import hygiene
from .client import Session, private_chat, register
from .process import Gateway, free_ports
from .stack import BUILD, ROOT

SCRIPT = ROOT / "deploy" / "local.sh"


class At:
    """One gateway's address."""

    host = "127.0.0.1"
    tls = None
    connection = Gateway.connection
    ws_url = Gateway.ws_url

    def __init__(self, port):
        self.port = port
        self.name = f"port-{port}"


class Local:
    def __init__(self, directory):
        self.directory = directory
        self.port = free_ports() + random.randrange(30)
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith("PARLEY_")}
        self.env.update(
            PARLEY_RUN_DIR=str(directory.relative_to(ROOT)),
            PARLEY_BUILD_DIR=str(BUILD), PARLEY_PORT=str(self.port),
            PARLEY_ADMIN_PORT=str(self.port + 100))

    def run(self, *arguments, seconds=120, **env):
        return subprocess.run(
            [SCRIPT, *arguments], cwd="/", env=dict(self.env, **env),
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=seconds)

    def ok(self, *arguments, **more):
        result = self.run(*arguments, **more)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def fails(self, *arguments, **more):
        result = self.run(*arguments, **more)
        assert result.returncode != 0, result.stdout
        return result.stderr

    def gateway(self, number=1):
        return At(self.port + number - 1)

    def pid(self, name):
        return int((self.directory / f"{name}.pid").read_text())

    def pids(self):
        return {f.stem: int(f.read_text())
                for f in self.directory.glob("*.pid")}


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.fixture
def local(world):
    world.stacks += 1
    directory = world.directory / f"local-{world.stacks}"
    local = Local(directory)
    yield local
    pids = local.pids()
    result = local.run("down")
    left = [name for name, pid in pids.items() if alive(pid)]
    for name in left:
        os.kill(pids[name], signal.SIGKILL)
    faults = [fault for log in directory.glob("*.log")
              for fault in hygiene.faults_in(log)]
    shutil.rmtree(directory, ignore_errors=True)
    assert result.returncode == 0 and "killed" not in result.stderr, result
    assert not left and not faults, (left, faults)


async def talk(local):
    """Two people chat over the first and the last gateway."""
    ann = register(local.gateway())
    ben = register(local.gateway())
    last = local.gateway(2 if "gateway-2" in local.pids() else 1)
    one = await Session.open(local.gateway(), ann)
    other = await Session.open(last, ben)
    chat_id = await private_chat(one, other)
    answer = await one.say(chat_id, "by way of the local stack")
    assert answer["type"] == "new_message"
    await other.wait("new_message")
    await one.close()
    await other.close()
