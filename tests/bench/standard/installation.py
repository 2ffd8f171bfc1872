"""The installation that is measured: deploy/local.sh with --bench, in a
directory and on ports of its own, and the tools that load it.

SPDX-License-Identifier: MIT
"""

import json
import os
import re
import resource
import subprocess
import sys
import urllib.request
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
RUN_DIR = "build/bench-run"
PORT, ADMIN = 18080, 19100
PARLEY = ("gateway-1", "chatd-1", "presenced-1")
PROCESSES = PARLEY + ("postgres", "redis")
FILES_SPARE = 200  # a process's own: its other links, its logs


def run(words, **more):
    """A command that must succeed; returns what it printed."""
    done = subprocess.run([str(w) for w in words], cwd=ROOT, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          **more)
    if done.returncode != 0:
        sys.exit(f"{' '.join(str(w) for w in words)} failed:\n"
                 f"{done.stdout[-3000:]}")
    return done.stdout


def build(directory):
    """Builds the programs and tools: the preset "release", or what another
    build directory was configured for."""
    if directory == "build/release":
        run(["cmake", "--preset", "release", "-DPARLEY_TESTS=ON"])
    run(["cmake", "--build", directory, "--target", "gateway", "chatd",
         "presenced", "bench"])


class Installation:
    """One of each process, empty stores. `seconds` is how long a case is
    measured unless it says otherwise."""

    ROOT, RUN_DIR = ROOT, RUN_DIR

    def __init__(self, build_dir, seconds):
        self.build_dir = build_dir
        self.seconds = seconds
        self.worlds = set()

    # ---- up and down ------------------------------------------------------

    def local(self, *words, **settings):
        environment = dict(
            os.environ, PARLEY_RUN_DIR=RUN_DIR, PARLEY_PORT=str(PORT),
            PARLEY_ADMIN_PORT=str(ADMIN), PARLEY_BUILD_DIR=self.build_dir,
            PARLEY_CONNECTIONS_MAX="100000", **settings)
        return run([ROOT / "deploy" / "local.sh", *words], env=environment)

    def up(self):
        self.local("up", "--bench", "--fresh", "--detach")

    def down(self):
        self.local("down")

    def restart(self, name, **settings):
        """Starts one process anew, its environment changed by `settings`."""
        self.local("restart", name, **settings)

    # ---- what runs ---------------------------------------------------------

    @staticmethod
    def pid(name):
        return int((ROOT / RUN_DIR / f"{name}.pid").read_text().split()[0])

    @staticmethod
    def pids(name):
        """Of the process and its children (PostgreSQL's backends)."""
        parent = Installation.pid(name)
        found = [parent]
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == parent:
                found.append(int(stat.parent.name))
        return found

    @staticmethod
    def resident_kib(name):
        status = Path(f"/proc/{Installation.pid(name)}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1])

    @staticmethod
    def metrics(name):
        """What a process's /metrics says: {name{labels}: value}."""
        number = {"gateway": 0, "chatd": 20, "presenced": 40}
        kind, _, i = name.rpartition("-")
        port = ADMIN + number[kind] + int(i) - 1
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics",
                                    timeout=10) as answer:
            text = answer.read().decode()
        found = {}
        for line in text.splitlines():
            if line and line[0] != "#":
                key, _, value = line.rpartition(" ")
                found[key] = float(value)
        return found

    def conninfo(self):
        secrets = dict(line.split("=", 1) for line in
                       (ROOT / RUN_DIR / "secrets").read_text().split())
        host, port = ROOT / RUN_DIR / "postgres", 5432
        given = ROOT / RUN_DIR / "postgres.port"
        if given.exists():
            host, port = "127.0.0.1", given.read_text().strip()
        return (f"host='{host}' port={port} dbname=parley user=parley_owner "
                f"password={secrets['PG_OWNER']}")

    # ---- the tools ----------------------------------------------------------

    def tool(self, name):
        return ROOT / self.build_dir / "tests" / "bench" / name

    def program(self, name):
        return ROOT / self.build_dir / name / name

    def environment(self):
        # The conninfo holds a password: it goes by the environment.
        return dict(os.environ, BENCH_DATABASE=self.conninfo(),
                    BENCH_REDIS=str(ROOT / RUN_DIR / "redis" / "redis.sock"))

    def watched(self, names=PROCESSES):
        words = []
        for name in names:
            words += ["--watch", f"{name}={self.pid(name)}"]
        return words

    def start_load(self, *arguments, world=None, watch=PROCESSES):
        """Starts parley-load on a world of its own, or on one made by
        world(). Returns the process; finish_load() takes its figures."""
        words = [str(a) for a in arguments]
        environment = self.environment()
        if "--seconds" not in words:
            words += ["--seconds", str(self.seconds)]
        if world is not None:
            words += ["--world", str(world)]
            del environment["BENCH_DATABASE"]
        return subprocess.Popen(
            [str(self.tool("parley-load")), *words, "--target",
             f"127.0.0.1:{PORT}", *self.watched(watch)], cwd=ROOT,
            env=environment, stdout=subprocess.PIPE, text=True)

    @staticmethod
    def finish_load(process):
        text = process.communicate()[0]
        if process.returncode != 0:
            raise CaseFailed(f"parley-load ended with {process.returncode}")
        return json.loads(text)

    def load(self, *arguments, **more):
        """Runs parley-load; returns its figures."""
        return self.finish_load(self.start_load(*arguments, **more))

    def world(self, *arguments):
        """The number of a world made with these arguments of parley-load,
        which is made but once."""
        words = [str(a) for a in arguments]
        number = zlib.crc32(" ".join(words).encode()) | 1
        if number not in self.worlds:
            run([self.tool("parley-load"), "seed", *words, "--world", number],
                env=self.environment())
            self.worlds.add(number)
        return number

    def seed_store(self, messages, people, world):
        """Fills the store as years of use do; seed_messages.sql."""
        run([ROOT / "deploy" / "local.sh", "psql", "-q", "-X",
             "-v", f"people={people}", "-v", "each=20", "-v", "groups=50",
             "-v", f"messages={messages}", "-v", f"world={world:08x}",
             "-f", "tests/bench/seed_messages.sql"],
            env=dict(os.environ, PARLEY_RUN_DIR=RUN_DIR))

    def connections(self, wanted):
        """How many of so many connections one process may hold here."""
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if hard == resource.RLIM_INFINITY or hard >= wanted + FILES_SPARE:
            return wanted
        allowed = (hard - FILES_SPARE) // 100 * 100
        print(f"  only {allowed:,} of {wanted:,} connections: a process may "
              f"have {hard:,} open files here; raise the hard limit (ulimit "
              "-Hn, LimitNOFILE=, at most fs.nr_open)", file=sys.stderr)
        return allowed


class CaseFailed(Exception):
    """A case could not be measured; the run goes on."""
