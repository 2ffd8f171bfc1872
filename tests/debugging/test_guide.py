"""docs/debugging.md, command by command: one process under gdb, valgrind,
sanitizers, strace and perf while people talk through it; stand-ins; cores.

SPDX-License-Identifier: MIT
"""

import asyncio
import os
import re
import signal
import subprocess
import time

import pytest

from support.client import (DEADLINE, PATIENCE, Session, message_frame,
                            private_chat, register)
from support.debugger import HELPERS, check
from support.doc_commands import block, replaced
from support.local import alive, local, talk  # noqa: F401
from support.process import clean_environment, free_port, poll
from support.stack import BUILD, ROOT, program

pytestmark = pytest.mark.plain

KINDS = ["gateway", "chatd", "presenced"]
# Longer than anything that would be given up: a ping (10 s), a link to PostgreSQL
# (8 s), a gateway's lease (6 s), a request (5 s), an attempt (1.5 s).
STOP = 12
LONG = 60 * PATIENCE
TEXT = "while somebody looks on"


def here(local, text, **more):
    """The page's text with this run's places, as far as it names them."""
    places = {".run/": f"{local.env['PARLEY_RUN_DIR']}/",
              "build/release/": f"{BUILD.relative_to(ROOT)}/", **more}
    if BUILD != ROOT / "build/dev":
        places["cmake --preset dev"] = "true"
        places["build/dev"] = str(BUILD.relative_to(ROOT))
    return replaced(text, {k: v for k, v in places.items() if k in text},
                    "docs/debugging.md")


def run_here(local, text, seconds=60, **more):
    """A block that comes to its end; what it printed."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", here(local, text, **more)], cwd=ROOT,
        env=clean_environment(**parley(local)), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=seconds * PATIENCE, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def parley(local):
    return {k: v for k, v in local.env.items() if k.startswith("PARLEY_")}


class Running:
    """A block whose process goes on until it is told to end."""

    def __init__(self, local, text, stdin="", seconds=60):
        self.local = local
        self.seconds = seconds
        self.log = ROOT / local.env["PARLEY_RUN_DIR"]
        self.log.mkdir(parents=True, exist_ok=True)
        # No log of ours: a debugger may show what logs must not.
        self.log = self.log / "debugged.out"
        with open(self.log, "wb") as out:
            self.shell = subprocess.Popen(
                ["bash", "-euo", "pipefail", "-c", text], cwd=ROOT,
                env=clean_environment(**parley(local)), stdin=subprocess.PIPE,
                stdout=out, stderr=subprocess.STDOUT, text=True,
                start_new_session=True)
        self.shell.stdin.write(stdin)
        self.shell.stdin.close()

    def text(self):
        return self.log.read_text(errors="replace")

    def pid(self):
        """As the process itself says it."""
        assert self.shell.poll() is None, self.text()
        found = re.findall(r" ready version=\S+ pid=(\d+)", self.text())
        return int(found[-1]) if found else None

    def wait_ready(self):
        poll(self.pid, "process that is ready", self.seconds * PATIENCE, 0.2)

    def all_ready(self):
        self.wait_ready()
        poll(lambda: " not-ready " not in self.local.ok("status"),
             "stack", LONG, 0.3)

    async def end(self, status=0):
        """SIGTERM to the process; what all has printed."""
        os.kill(self.pid(), signal.SIGTERM)
        try:
            await asyncio.to_thread(self.shell.wait, LONG)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(self.text()) from None
        assert self.shell.returncode == status, self.text()
        return self.text()

    def kill(self):
        if self.shell.poll() is None:
            os.killpg(self.shell.pid, signal.SIGKILL)
            self.shell.wait()


@pytest.fixture
def running(local):
    """Makes a Running; ends what a failed test left."""
    made = []

    def make(text, **more):
        made.append(Running(local, here(local, text), **more))
        return made[-1]
    yield make
    for one in made:
        one.kill()


async def two(local):
    """Ann and Ben, connected, and their chat."""
    ann = await Session.open(local.gateway(), register(local.gateway()))
    ben = await Session.open(local.gateway(), register(local.gateway()))
    return ann, ben, await private_chat(ann, ben)


async def one_message(ann, ben, chat_id):
    """Sent while its process will be stopped for a long time: it arrives."""
    await ann.send({"type": "send_message", **message_frame(chat_id, TEXT)})
    await ann.wait("new_message", timeout=LONG)
    await ben.wait("new_message", timeout=LONG)


def debugged(kind):
    return block("docs/debugging.md", "debug").replace("chatd", kind)


# ---- gdb ---------------------------------------------------------------------

async def test_a_chatd_that_stands_at_a_breakpoint(local, running):
    commands = block("docs/debugging.md", "session")
    assert commands.endswith("\ncontinue\n")
    commands = commands[:-len("continue\n")] + \
        f"shell sleep {STOP}\ncontinue\n"
    gdb = running(debugged("chatd"), stdin=commands)
    gdb.all_ready()
    assert re.search(r"chatd-1 .* by-hand ", local.ok("status"))
    ann, ben, chat_id = await two(local)
    await one_message(ann, ben, chat_id)
    text = await gdb.end()
    check(text, secret=False)
    # It was asked once, and answered though it took long.
    assert text.count("hit Breakpoint 1, handle_send_message") == 1, text
    assert "= send_message req=" in text and chat_id in text
    assert f"content: text of {len(TEXT)} bytes" in text, text
    assert TEXT not in text.split("Breakpoint 1, ")[1].split("finish")[0]
    assert "peer_silent" not in local.ok("logs", "gateway-1")
    assert "--request-timeout=1h" in (
        local.directory / "gateway-1.cmd").read_text()
    await ann.close()
    await ben.close()
    # Afterwards all is as before.
    local.ok("up")
    assert "request-timeout" not in (
        local.directory / "gateway-1.cmd").read_text()
    await talk(local)


async def test_a_gateway_that_stands_at_a_breakpoint(local, running):
    gdb = running(debugged("gateway"), stdin=(
        "break request_parse if len > 150\nrun\nprint *r\nparley sessions\n"
        f"shell sleep {STOP}\ndelete\ncontinue\n"))
    gdb.all_ready()
    ann, ben, chat_id = await two(local)
    await one_message(ann, ben, chat_id)
    # Nobody was cut off, nobody was taken for gone.
    answer = await ben.say(chat_id, TEXT)
    assert answer["type"] == "new_message"
    assert "gateways_expired" not in local.ok("logs", "presenced-1")
    await ann.close()
    await ben.close()
    text = await gdb.end()
    check(text, secret=False)
    assert text.count("hit Breakpoint 1") == 1 and "2 sessions" in text, text


async def test_a_presenced_that_stands_at_a_breakpoint(local, running):
    gdb = running(debugged("presenced"), stdin=(
        "tbreak store_change if n > 0\nrun\nprint *changes\n"
        f"shell sleep {STOP}\ncontinue\n"))
    gdb.all_ready()
    ann, ben, chat_id = await two(local)
    poll(lambda: "= up user" in gdb.text(), "a change of sessions", LONG)
    # It stands, and chat does not wait for it.
    assert await status_of(ben, ann, chat_id) == "Offline"
    await one_message(ann, ben, chat_id)
    # When it goes on it hears of both.
    end = time.monotonic() + LONG
    while (seen := await status_of(ben, ann, chat_id)) != "Online":
        assert time.monotonic() < end, gdb.text()
        await asyncio.sleep(0.1)
    await ann.close()
    await ben.close()
    text = await gdb.end()
    assert ann.account.id in text or ben.account.id in text, text


async def status_of(whom, asker, chat_id):
    chat = (await asker.ask("open_chat", chat_id=chat_id))["chat"]
    return next(m["status"] for m in chat["members"]
                if m["user_id"] == whom.account.id)


def test_conditions_and_the_breakpoints_that_are_named(tmp_path):
    script = tmp_path / "conditions.gdb"
    script.write_text(block("docs/debugging.md", "conditions"))
    done = subprocess.run(
        ["gdb", "-nx", "-q", "-batch", "-x", HELPERS, "-x", script, "-ex",
         "info breakpoints", program("chatd")], capture_output=True, text=True,
        timeout=60, check=True, stdin=subprocess.DEVNULL)
    assert done.stdout.count("stop only if") == 2, done.stdout + done.stderr


# ---- what runs already ---------------------------------------------------------

async def test_a_look_at_what_runs_and_its_core(local):
    local.ok("up")
    ann, ben, chat_id = await two(local)
    for words in (block("docs/debugging.md", "attach"),
                  block("docs/debugging.md", "gcore")):
        text = run_here(local, words)
        check(text, secret=False)
        assert "gateway, process" in text and "running, ready" in text
        assert ann.account.id in text and ben.account.id in text
        assert "2 sessions" in text
    # It goes on as if nothing had been.
    await one_message(ann, ben, chat_id)
    await ann.close()
    await ben.close()


def core_of(pid, before):
    """The core of a process that died; None where a program takes cores."""
    pattern = open("/proc/sys/kernel/core_pattern").read().strip()
    if pattern.startswith(("|", "/")):
        return None
    found = set(ROOT.glob("core*")) - before
    assert len(found) == 1, (pattern, pid, found)
    return found.pop()


async def test_a_crash_and_its_core(local):
    local.ok("up")
    text = run_here(local, block("docs/debugging.md", "core"))
    assert "started chatd-1" in text
    await talk(local)
    pid, before = local.pid("chatd-1"), set(ROOT.glob("core*"))
    os.kill(pid, signal.SIGSEGV)
    poll(lambda: not alive(pid), "end")
    core = core_of(pid, before)
    if core is None:
        pytest.skip("this machine's core_pattern takes cores elsewhere")
    try:
        text = run_here(local, block("docs/debugging.md", "read-core"),
                        **{" core ": f" {core} "})
    finally:
        core.unlink()
    check(text, secret=False)
    assert "terminated with signal SIGSEGV" in text
    assert f"chatd, process {pid}, running, ready" in text, text
    assert "daemon_main(" in text and "database links up" in text


# ---- others in front of it -----------------------------------------------------

@pytest.mark.parametrize("kind", KINDS)
async def test_no_error_and_no_leak_under_valgrind(local, running, kind):
    words = block("docs/debugging.md", "valgrind").replace("gateway", kind)
    valgrind = running(words, seconds=120)
    valgrind.all_ready()
    await talk(local)
    text = await valgrind.end()
    assert "Memcheck" in text and "ERROR SUMMARY: 0 errors" in text, text
    assert "definitely lost: 0 bytes" in text or \
        "All heap blocks were freed" in text, text


async def test_a_build_with_sanitizers(local, running):
    words = here(local, block("docs/debugging.md", "asan"))
    for line in words.splitlines()[:2]:
        subprocess.run(line, shell=True, cwd=ROOT, check=True, timeout=600,
                       stdout=subprocess.DEVNULL)
    sanitized = running(words.splitlines()[2])
    sanitized.all_ready()
    maps = open(f"/proc/{sanitized.pid()}/maps").read()
    assert "libasan" in maps and "build/asan/chatd/chatd" in maps
    await talk(local)
    text = await sanitized.end()
    assert "Sanitizer" not in text, text


async def test_system_calls_without_texts(local, running):
    traced = running(block("docs/debugging.md", "strace"))
    traced.all_ready()
    await talk(local)
    await traced.end()
    calls = (local.directory / "strace.txt").read_text()
    assert "epoll_" in calls and "sendmsg(" in calls
    assert "exited with 0" in calls
    for line in calls.splitlines():
        if re.match(r"\d+ (read|write|send|recv)", line):
            assert not any(re.findall('"([^"]*)"', line)), line


async def test_where_the_time_goes(local):
    local.ok("up")
    task = asyncio.create_task(asyncio.to_thread(
        run_here, local, block("docs/debugging.md", "perf")))
    while not task.done():
        await talk(local)
    text = await task
    assert "task-clock" not in text     # perf stat writes to stderr
    assert "Samples" in text or "chatd" in text, text


# ---- stand-ins -----------------------------------------------------------------

async def test_a_gateway_alone(local, running):
    ports = {"18090": str(free_port()), "18190": str(free_port())}
    text = replaced(block("docs/debugging.md", "alone"), ports, "alone")
    try:
        alone = running(text, seconds=240)
        alone.wait_ready()
        load = run_here(local, block("docs/debugging.md", "alone-load"),
                        **{"18090": ports["18090"]})
        assert int(re.search(r'"acked":(\d+)', load)[1]) > 100, load
        text = await alone.end()
        assert " ready version=" in text
    finally:
        for path in (ROOT / "build").glob("alone.*"):
            path.unlink()


def test_one_started_by_hand_beside_the_others(local):
    text = run_here(local, block("docs/debugging.md", "by-hand"), 240)
    assert "Up, without presenced" in text
    assert int(re.search('"acked":(\\d+)', text)[1]) > 0, text


# ---- logs ------------------------------------------------------------------------

async def test_one_request_through_the_logs(local):
    local.ok("up")
    run_here(local, block("docs/debugging.md", "logs"))
    local.ok("up")
    await talk(local)
    text = run_here(local, block("docs/debugging.md", "by-id"))
    for process in ("gateway", "chatd"):
        assert re.search(rf"debug {process} .* req=", text), text
    assert len({re.search("req=(\\w+)", line)[1]
                for line in text.splitlines()}) == 1, text


def test_the_state_in_the_log(local):
    local.ok("up")
    end = time.monotonic() + DEADLINE
    while True:
        text = run_here(local, block("docs/debugging.md", "dump"),
                        **{":9120": f":{local.port + 120}"})
        if "dump_need" in text and "info chatd state " in text:
            break
        assert time.monotonic() < end, text
    assert "parley_chatd_in_flight 0" in text
