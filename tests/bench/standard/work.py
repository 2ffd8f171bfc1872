"""Per message: which system calls each process makes, and how often it
allocates. Counting disturbs, so it is a pass of its own after the cases.

System calls are counted by the kernel's tracepoints through perf, which needs
root and tracefs; allocations by a library preloaded into the processes
(allocations/count.c), for which they are started anew.

SPDX-License-Identifier: MIT
"""

import os
import re
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path

from standard.figures import at
from standard.installation import PARLEY, PROCESSES

SECONDS = 3
# name: (meaning, parley-load's arguments, the rate, what one is called)
LOADS = {
    "private-100": ("private messages, 100 connections",
                    ("private", "--connections", 100, "--window", 8),
                    "acked_per_s", "message"),
    "group-500": ("a group of 500",
                  ("group", "--group", 500, "--senders", 4),
                  "delivered_per_s", "delivery"),
}
CALLS = ("read", "write", "readv", "writev", "recvfrom", "recvmsg", "sendto",
         "sendmsg", "epoll_wait", "epoll_pwait", "epoll_pwait2", "epoll_ctl",
         "poll", "ppoll", "futex", "fdatasync", "pwrite64", "pread64", "lseek",
         "ioctl", "getsockopt", "setsockopt", "getpid", "gettid", "kill",
         "rt_sigprocmask", "madvise", "brk", "setitimer", "getrusage")
MOST = 4


def perf_events(names):
    return ",".join(["raw_syscalls:sys_enter"]
                    + [f"syscalls:sys_enter_{n}" for n in names])


def why_no_perf():
    """None where perf can count system calls."""
    if shutil.which("perf") is None:
        return "perf is not installed (deploy/packages.sh bench)"
    done = subprocess.run(
        ["perf", "stat", "-x", ";", "-e", perf_events(CALLS), "true"],
        text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 0 or "not counted" in done.stderr.split("\n")[0]:
        return ("the kernel does not let perf count them (it takes root, "
                "tracefs and tracepoints of system calls)")
    return None


def start_perf(pids, seconds):
    return subprocess.Popen(
        ["perf", "stat", "-x", ";", "-e", perf_events(CALLS), "-p",
         ",".join(str(p) for p in pids), "sleep", str(seconds)],
        text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def counted(perf):
    """{event: count} of what perf printed."""
    found = {}
    for line in perf.communicate()[1].splitlines():
        fields = line.split(";")
        if len(fields) > 2 and fields[0].isdigit():
            found[re.sub(r".*sys_enter_?", "", fields[2]) or "all"] = \
                int(fields[0])
    return found


def calls(bench, arguments, rate):
    """{process: (calls a message, [(name, a message)])}."""
    process = bench.start_load(*arguments, "--warmup", 1, "--seconds",
                               SECONDS + 2, "--quiet")
    time.sleep(2.5)  # connected and warm
    begun = {name: start_perf(bench.pids(name), SECONDS)
             for name in PROCESSES}
    begun["client"] = start_perf([process.pid], SECONDS)
    counts = {name: counted(perf) for name, perf in begun.items()}
    messages = at(bench.finish_load(process), rate) * SECONDS
    found = {}
    for name, c in counts.items():
        most = sorted(((v, k) for k, v in c.items() if k != "all"),
                      reverse=True)[:MOST]
        found[name] = {"calls": c.get("all", 0) / messages,
                       "most": [(k, v / messages) for v, k in most if v]}
    return found


def read_allocations(pid):
    """(allocations, frees, bytes) so far, or None where nothing counts."""
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            if "parley-allocations" in os.readlink(fd):
                return struct.unpack("=3Q", fd.read_bytes()[:24])
        except OSError:
            continue
    return None


def allocations(bench, arguments, rate):
    """{process: allocations and bytes a message}, of Parley's own."""
    process = bench.start_load(*arguments, "--warmup", 1, "--seconds",
                               SECONDS + 2, "--quiet")
    time.sleep(2.5)
    pids = {name: bench.pid(name) for name in PARLEY}
    before = {n: read_allocations(p) for n, p in pids.items()}
    time.sleep(SECONDS)
    after = {n: read_allocations(p) for n, p in pids.items()}
    messages = at(bench.finish_load(process), rate) * SECONDS
    return {name: {"allocations": (after[name][0] - before[name][0])
                   / messages,
                   "bytes": (after[name][2] - before[name][2]) / messages}
            for name in PARLEY if before[name] and after[name]}


def count(bench, notes):
    """Both for each load: {name: {meaning, one, processes}}. What cannot be
    counted here is said in `notes`."""
    print("== work: system calls and allocations", file=sys.stderr)
    found = {name: {"meaning": meaning, "one": one, "processes": {}}
             for name, (meaning, _, _, one) in LOADS.items()}
    missing = why_no_perf()
    if missing:
        notes.append(f"System calls were not counted: {missing}.")
    for name, (_, arguments, rate, _) in LOADS.items():
        if not missing:
            found[name]["processes"] = calls(bench, arguments, rate)
    for process in PARLEY:
        bench.restart(process, LD_PRELOAD=str(bench.tool(
            "libparley-allocations.so")))
    for name, (_, arguments, rate, _) in LOADS.items():
        for process, figures in allocations(bench, arguments, rate).items():
            found[name]["processes"].setdefault(process, {}).update(figures)
    return found
