"""One process alone under load, with stand-ins for its neighbours.

Used by run.py, whose installation is up meanwhile (and idle): a gateway alone is
one more gateway beside it, on the same Redis, before a stand-in chatd and
presenced; chatd alone is its chatd, asked by a stand-in gateway; presenced alone
is one more presenced before a stand-in chatd. What is loaded has the first core
for itself and the load the second, so that the figure is that of one core.

SPDX-License-Identifier: MIT
"""

import contextlib
import json
import os
import shutil
import subprocess
import time
import urllib.request

GATEWAY_PORT, GATEWAY_ADMIN, PRESENCED_ADMIN = 18090, 19190, 19191
ECHO_PORT = 18095
WORLD = "7"
RATES = ("sends", "reads", "searches", "changes", "typing", "uploads",
         "upload-bytes", "address-frames", "address-requests",
         "address-connects", "address-refusals", "address-registrations",
         "address-logins", "address-login-failures")


def core(number):
    """What puts a command on one core, where there is another for the rest."""
    if (os.cpu_count() or 1) < 2 or shutil.which("taskset") is None:
        return []
    return ["taskset", "-c", str(number)]


class Alone:
    """`bench` is run.py's module: where the installation is and its tools."""

    def __init__(self, bench):
        self.bench = bench
        self.state = f"{bench.RUN_DIR}/alone"
        os.makedirs(bench.ROOT / self.state / "media", exist_ok=True)

    def address(self, name):
        path = self.bench.ROOT / self.state / f"{name}.sock"
        path.unlink(missing_ok=True)
        return f"ipc://{self.state}/{name}.sock"

    @contextlib.contextmanager
    def process(self, name, command):
        env = dict(os.environ, PARLEY_REDIS_URL="unix:"
                   f"{self.bench.RUN_DIR}/redis/redis.sock")
        with open(self.bench.ROOT / self.state / f"{name}.log", "w") as log:
            child = subprocess.Popen([str(word) for word in command], env=env,
                                     cwd=self.bench.ROOT, stdout=log,
                                     stderr=log)
        try:
            yield child.pid
        finally:
            child.terminate()
            child.wait(30)

    def stand_in(self, name, mode, address, *more):
        return self.process(name, core(1) + [
            self.bench.tool("parley-stand-in"), mode, "--address", address,
            "--world", WORLD, *more])

    def program(self, name):
        return self.bench.program(name)

    def load(self, tool, arguments, watched, env=None):
        """Runs a load tool, which also watches itself, as `client`."""
        watch = [word for name, pid in watched.items()
                 for word in ("--watch", f"{name}={pid}")]
        done = subprocess.run(
            core(1) + ["sh", "-c", 'exec "$@" --watch client=$$', "sh",
                       str(self.bench.tool(tool)), *arguments, *watch],
            cwd=self.bench.ROOT, stdout=subprocess.PIPE, text=True,
            env=dict(os.environ, **(env or {})))
        if done.returncode != 0:
            return {"failed": done.returncode}
        return json.loads(done.stdout)

    def echo(self, seconds):
        """Requests a second through bare libwebsockets."""
        with self.process("echo", core(0) + [
                self.bench.tool("parley-ceiling"), "lws", ECHO_PORT]):
            time.sleep(0.5)
            result = self.load("parley-load", [
                "request", "--request", "echo", "--connections", "1000",
                "--window", "4", "--seconds", str(seconds), "--target",
                f"127.0.0.1:{ECHO_PORT}"], {})
        return float(result.get("acked_per_s", 0))

    def gateway(self, arguments, seconds):
        connections = arguments[arguments.index("--connections") + 1]
        chatd, presenced = self.address("chatd"), self.address("presenced")
        with contextlib.ExitStack() as stack:
            chatd_pid = stack.enter_context(self.stand_in(
                "chatd", "chatd", chatd, "--connections", connections))
            stack.enter_context(self.stand_in("presenced", "presenced",
                                              presenced))
            pid = stack.enter_context(self.process("gateway", core(0) + [
                self.program("gateway"), f"--listen=127.0.0.1:{GATEWAY_PORT}",
                f"--admin-listen=127.0.0.1:{GATEWAY_ADMIN}",
                f"--chatd={chatd}", f"--presenced={presenced}",
                f"--media-dir={self.bench.ROOT / self.state / 'media'}",
                f"--www-dir={self.bench.ROOT / 'gateway' / 'www'}",
                "--abuse-max=1000000", "--connections-max=100000",
                "--address-connections-max=1000000",
                "--address-handshakes-max=1000000",
                *(f"--rate-{rate}=off" for rate in RATES)]))
            ready(GATEWAY_ADMIN)
            return self.load("parley-load", [
                *arguments, "--seconds", str(seconds), "--world", WORLD,
                "--target", f"127.0.0.1:{GATEWAY_PORT}"],
                {"gateway-1": pid, "stand-in": chatd_pid})

    def chatd(self, arguments, seconds):
        pids = {name: (self.bench.ROOT / self.bench.RUN_DIR / f"{name}.pid")
                .read_text().split()[0]
                for name in ("chatd-1", "postgres", "redis")}
        return self.load("parley-stand-in", [
            "gateway-chatd", "--address",
            f"ipc://{self.bench.RUN_DIR}/chatd-1.sock", "--world",
            str(int(time.time())), "--seconds", str(seconds), *arguments],
            pids, {"BENCH_DATABASE": self.bench.conninfo()})

    def presenced(self, arguments, seconds):
        chatd, presenced = self.address("chatd"), self.address("presenced")
        redis = (self.bench.ROOT / self.bench.RUN_DIR / "redis.pid") \
            .read_text().split()[0]
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.stand_in("chatd", "chatd", chatd))
            pid = stack.enter_context(self.process("presenced", core(0) + [
                self.program("presenced"), f"--listen={presenced}",
                f"--admin-listen=127.0.0.1:{PRESENCED_ADMIN}",
                f"--chatd={chatd}"]))
            ready(PRESENCED_ADMIN)
            return self.load("parley-stand-in", [
                "gateway-presenced", "--address", presenced, "--seconds",
                str(seconds), *arguments],
                {"presenced-1": pid, "redis": redis})


def ready(port, seconds=20):
    """Waits until a process says that it is ready."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            url = f"http://127.0.0.1:{port}/readyz"
            if urllib.request.urlopen(url, timeout=1).status == 200:
                return
        time.sleep(0.1)
    raise SystemExit(f"not ready within {seconds} s: port {port}")
