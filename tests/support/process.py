"""Child processes of the tests: started, watched, hurt and ended.

No child outlives the tests (the kernel kills it with its parent), each has a log
of its own, and each that was asked to stop must have ended with status 0.

SPDX-License-Identifier: MIT
"""

import http.client
import os
import random
import signal
import socket
import subprocess
import time

from . import hygiene
from .client import DEADLINE

STOP_SECONDS = DEADLINE * 1.5
DIE_WITH_PARENT = ["setpriv", "--pdeathsig", "KILL", "--"]

# "1/2": of the runs that go on side by side this is the second of two.
_shard, _shards = map(int, os.environ.get("PARLEY_TEST_SHARD",
                                          "0/1").split("/"))
_given = set()


def free_port():
    """A port of 127.0.0.1 that nobody uses, none we gave before, and none that
    a run beside this one gives."""
    while True:
        port = random.randrange(20000, 32000)
        if port in _given or port % _shards != _shard:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port


def free_ports():
    """The first of 200 ports for programs that count on from it: below those of
    free_port, and none of a run beside this one."""
    return 16000 + 200 * (_shard + _shards * random.randrange(18 // _shards))


def children_of(pid):
    """Of its main thread; none once it is gone."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as text:
            return [int(child) for child in text.read().split()]
    except FileNotFoundError:
        return []


def poll(condition, what, seconds=DEADLINE, every=0.02):
    """Waits for a condition that no event tells of."""
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"in {seconds:g} s: no {what}")
        time.sleep(every)


def clean_environment(**more):
    """Nothing of the caller's settings reaches a child by accident."""
    kept = {k: v for k, v in os.environ.items()
            if k in ("PATH", "HOME", "TMPDIR", "LANG", "ASAN_OPTIONS",
                     "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS")}
    kept.update(more)
    return kept


class Process:
    def __init__(self, name, argv, cwd, log_path, env=None):
        self.name = name
        self.argv = [str(a) for a in argv]
        self.cwd = cwd
        self.log_path = log_path
        self.env = env or clean_environment()
        self.child = None
        self.paused = False
        self.faults = []

    def start(self):
        assert self.child is None, f"{self.name} runs already"
        with open(self.log_path, "ab") as log:
            self.child = subprocess.Popen(
                DIE_WITH_PARENT + self.argv, cwd=self.cwd, env=self.env,
                stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True)
        return self

    @property
    def pid(self):
        return self.child.pid

    def alive(self):
        return self.child is not None and self.child.poll() is None

    def require_alive(self):
        assert self.alive(), (f"{self.name} ended with status "
                              f"{self.child.returncode}:\n{self.log_tail()}")

    def memory(self):
        """Bytes of memory in use, without what is shared with others."""
        with open(f"/proc/{self.pid}/statm", encoding="ascii") as statm:
            _, resident, shared, *_ = map(int, statm.read().split())
        return (resident - shared) * os.sysconf("SC_PAGE_SIZE")

    def open_files(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def log_text(self):
        if not self.log_path.exists():
            return ""
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def log_tail(self, lines=15):
        return "\n".join(self.log_text().splitlines()[-lines:])

    def kill(self):
        """kill -9."""
        hygiene.note_command_lines(self.name, self.pid)
        self.child.send_signal(signal.SIGKILL)
        self.child.wait(DEADLINE)
        self.child = None
        self.paused = False

    def pause(self):
        self.child.send_signal(signal.SIGSTOP)
        self.paused = True

    def resume(self):
        self.child.send_signal(signal.SIGCONT)
        self.paused = False

    def stacks(self):
        """Where every thread stands, for a process that hangs."""
        try:
            return subprocess.run(
                ["gdb", "-p", str(self.pid), "-batch", "-ex",
                 "thread apply all backtrace 16"], stdin=subprocess.DEVNULL,
                capture_output=True, text=True, timeout=60,
                check=False).stdout[-6000:]
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"(no backtrace: {error})"

    def terminate(self, how=signal.SIGTERM, seconds=STOP_SECONDS):
        """Asks for an orderly end and returns the exit status."""
        self.begin_terminate(how)
        return self.end_terminate(seconds)

    def begin_terminate(self, how=signal.SIGTERM):
        if self.child is not None:
            hygiene.note_command_lines(self.name, self.pid)
            self.child.send_signal(how)
            # Not to who is awake: it would take away the SIGSTOP by which a
            # leak checker holds its own threads, and leave it waiting for ever.
            if self.paused:
                self.resume()

    def end_terminate(self, seconds=STOP_SECONDS):
        if self.child is None:
            return 0
        try:
            status = self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            where = self.stacks()
            self.kill()
            self.faults.append(f"{self.name} did not stop in {seconds:g} s:\n"
                               + self.log_tail() + "\n" + where)
            return None
        self.child = None
        if status != 0:
            self.faults.append(f"{self.name} ended with status {status}:\n"
                               + self.log_tail(30))
        return status


class Daemon(Process):
    """One of ours: has an admin port."""
    admin_host = "127.0.0.1"

    def __init__(self, name, program, settings, secrets, cwd):
        self.admin_port = free_port()
        settings = {"admin_listen": f"{self.admin_host}:{self.admin_port}",
                    **settings}
        flags = [f"--{key.replace('_', '-')}={value}"
                 for key, value in settings.items()]
        env = clean_environment(**{
            "PARLEY_" + key.upper(): value for key, value in secrets.items()})
        super().__init__(name, [program, *flags], cwd, cwd / f"{name}.log", env)
        self.settings = settings

    def admin(self, path, timeout=2.0):
        """(status, text) from the admin port, or (None, "") without answer."""
        link = http.client.HTTPConnection(self.admin_host, self.admin_port,
                                          timeout=timeout)
        try:
            link.request("GET", path)
            answer = link.getresponse()
            return answer.status, answer.read().decode()
        except OSError:
            return None, ""
        finally:
            link.close()

    def metric(self, name):
        """The sum over the label sets of a metric."""
        _, text = self.admin("/metrics")
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
                   if line.split("{")[0].split(" ")[0] == name)

    def is_ready(self, path="/readyz"):
        self.require_alive()
        return self.admin(path)[0] == 200

    def wait_ready(self, path="/readyz", seconds=DEADLINE * 2):
        try:
            poll(lambda: self.is_ready(path), path, seconds)
        except AssertionError as error:
            raise AssertionError(f"{self.name} is not ready: {error}; "
                                 f"{self.admin('/readyz')}\n{self.log_tail()}"
                                 ) from None
        return self

    def wait_log(self, words, since=0, seconds=DEADLINE):
        poll(lambda: words in self.log_text()[since:],
             f"\"{words}\" in the log of {self.name}", seconds)


class Gateway(Daemon):
    host = "127.0.0.1"
    tls = None  # an ssl context, if it speaks TLS with its clients

    def __init__(self, name, program, settings, secrets, cwd):
        self.port = free_port()
        settings = {"listen": f"{self.host}:{self.port}", **settings}
        super().__init__(name, program, settings, secrets, cwd)

    def connection(self, timeout=DEADLINE):
        """For HTTP; the caller closes it."""
        if self.tls is None:
            return http.client.HTTPConnection(self.host, self.port,
                                              timeout=timeout)
        return http.client.HTTPSConnection(self.host, self.port,
                                           timeout=timeout, context=self.tls)

    def dial(self, timeout=DEADLINE):
        """A bare socket to it."""
        link = socket.create_connection((self.host, self.port), timeout)
        if self.tls is None:
            return link
        return self.tls.wrap_socket(link, server_hostname=self.host)

    def ws_url(self, path):
        scheme = "ws" if self.tls is None else "wss"
        return f"{scheme}://{self.host}:{self.port}{path}"
