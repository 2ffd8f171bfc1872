"""deploy/local.sh: the local stack by one command, from up to down, under a
debugger, and what it says when it cannot.

The programs are those under test.

SPDX-License-Identifier: MIT
"""

import os
import random
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

from support import hygiene
from support.client import (Session, http_request, private_chat, register)
from support.process import Gateway, poll
from support.stack import BUILD, ROOT

pytestmark = pytest.mark.plain

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
        self.port = random.randrange(16000, 19000)
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


async def test_up_twice_kill_restart_and_down(local):
    out = local.ok("up", "--gateways", "2", "--chatds=2", "--demo")
    assert f"http://localhost:{local.port}" in out
    pids = local.pids()
    assert set(pids) == {"postgres", "redis", "chatd-1", "chatd-2",
                         "presenced-1", "gateway-1", "gateway-2"}
    await talk(local)
    # The demonstration's people are there.
    answer = http_request(local.gateway(2), "POST", "/api/login",
                          {"username": "demo2", "password": "password"})
    assert answer.status == 200
    hygiene.secret(answer.json["token"])
    # Up again changes nothing, with or without the counts, demo or not.
    local.ok("up")
    local.ok("up", "--gateways=2", "--demo")
    assert local.pids() == pids
    # Only what is missing is started.
    os.kill(pids["chatd-1"], signal.SIGKILL)
    os.kill(pids["redis"], signal.SIGKILL)
    assert re.search(r"chatd-1\s+-\s+down", local.ok("status"))
    local.ok("up")
    now = local.pids()
    assert {n for n in pids if pids[n] != now[n]} == {"chatd-1", "redis"}
    await talk(local)
    # One by one.
    local.ok("restart", "gateway-2")
    assert local.pid("gateway-2") != now["gateway-2"]
    local.ok("stop", "presenced-1")
    assert not alive(now["presenced-1"])
    local.ok("start", "presenced-1")
    status = local.ok("status")
    assert " not-ready " not in status and " down " not in status
    assert "listening" in local.ok("logs", "gateway-1")
    assert "demo1" in local.ok("ctl", "user", "list")
    assert local.ok("ctl", "status").count(" ready ") == 5
    assert local.ok("psql", "-Atc", "SELECT count(*) >= 5 FROM messages") \
        == "t\n"
    assert local.ok("redis-cli", "ping") == "PONG\n"
    pids = local.pids()
    local.ok("down")
    assert not any(alive(pid) for pid in pids.values())
    local.ok("down")
    # Data outlives "down", until --fresh.
    local.ok("up")
    assert set(local.pids()) == {"postgres", "redis", "chatd-1",
                                 "presenced-1", "gateway-1"}
    count = "SELECT count(*) > 0 FROM messages"
    assert local.ok("psql", "-Atc", count) == "t\n"
    local.ok("up", "--fresh", "--bench")
    assert local.ok("psql", "-Atc", count) == "f\n"
    await talk(local)


def test_a_busy_port_is_named_with_its_owner_and_variable(local):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", local.port))
        taken.listen()
        error = local.fails("up")
    assert f"port {local.port}" in error and f"pid {os.getpid()}" in error
    assert "PARLEY_PORT" in error


def test_stale_pid_files_are_nobody(local):
    local.ok("up")
    pids = local.pids()
    local.ok("down")
    # The number is another process's by now: it is neither taken for ours nor
    # killed.
    sleeper = subprocess.Popen(["sleep", "1000"])
    try:
        for name in pids:
            (local.directory / f"{name}.pid").write_text(f"{sleeper.pid}\n")
            (local.directory / f"{name}.start").write_text("12345\n")
        assert " up " not in local.ok("status")
        local.ok("down")
        assert sleeper.poll() is None
    finally:
        sleeper.kill()
        sleeper.wait()


@pytest.mark.parametrize("arguments, words", [
    (["up", "--gateways"], "--gateways"), (["up", "--gateways=0"], "1 to 20"),
    (["up", "--gateways=many"], "1 to 20"), (["up", "--sideways"], "sideways"),
    (["up", "--without", "postgres"], "postgres"), (["sideways"], "sideways"),
    (["restart"], "name"), (["logs", "nobody"], "nobody"),
    (["debug", "postgres"], "postgres"), (["start", "chatd-1"], "local.sh up"),
])
def test_wrong_use_is_one_line(local, arguments, words):
    error = local.fails(*arguments)
    assert len(error.splitlines()) == 1 and words in error


def test_a_process_that_cannot_start_shows_its_last_words(local):
    error = local.fails("up", PARLEY_LOG_LEVEL="loud")
    assert "log_level" in error


@pytest.mark.parametrize("kind", ["gateway", "chatd", "presenced"])
async def test_debug_runs_one_under_gdb_with_all_else_up(local, kind):
    debugger = subprocess.Popen(
        [SCRIPT, "debug", kind, "--", "-batch", "-ex", "run"], cwd="/",
        env=local.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, start_new_session=True)
    try:
        def ready():
            assert debugger.poll() is None, debugger.stdout.read()
            answer = None
            try:
                answer = http_request(local.gateway(), "GET", "/api/health")
            except OSError:
                return False
            if answer.status != 200:
                return False
            return " not-ready " not in local.ok("status")
        poll(ready, "stack under the debugger", 90, 0.3)
        assert f"{kind}-1" not in local.pids()
        end = time.monotonic() + 30
        while True:
            try:
                await talk(local)
                break
            except (AssertionError, OSError):
                # The debugged process may still be on its way.
                assert time.monotonic() < end
                time.sleep(0.2)
    finally:
        os.killpg(debugger.pid, signal.SIGTERM)
        try:
            output, _ = debugger.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(debugger.pid, signal.SIGKILL)
            output, _ = debugger.communicate()
    assert "No such file" not in output and "SIGSEGV" not in output, output


async def test_up_builds_what_it_starts(local):
    del local.env["PARLEY_BUILD_DIR"]
    out = local.ok("up", seconds=400)
    assert "building" in out
    exe = os.readlink(f"/proc/{local.pid('gateway-1')}/exe")
    assert exe == str(ROOT / "build/release/gateway/gateway")
    await talk(local)


def test_without_one_kind_the_others_are_up(local):
    out = local.ok("up", "--without", "gateway")
    assert "debug gateway" in out
    assert set(local.pids()) == {"postgres", "redis", "chatd-1",
                                 "presenced-1"}
