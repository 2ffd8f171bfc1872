"""deploy/local.sh: the local stack by one command, from up to down, under a
debugger, and what it says when it cannot.

The programs are those under test.

SPDX-License-Identifier: MIT
"""

import os
import re
import signal
import socket
import subprocess
import time

import pytest

from support import hygiene
from support.client import http_request
from support.local import SCRIPT, alive, local, talk  # noqa: F401
from support.process import poll
from support.stack import ROOT

pytestmark = pytest.mark.plain


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
    (["debug", "chatd", "--with"], "--with"),
    (["debug", "chatd", "--with", "no-such-tool -x"], "no-such-tool"),
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
        poll(lambda: re.search(rf"{kind}-1 +- +by-hand ", local.ok("status")),
             "process that is debugged", 30, 0.3)
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
    local.env["PARLEY_RUN_DIR"] = str(local.directory)  # absolute, for once
    out = local.ok("up", "--without", "gateway")
    assert "debug gateway" in out
    assert set(local.pids()) == {"postgres", "redis", "chatd-1",
                                 "presenced-1"}
