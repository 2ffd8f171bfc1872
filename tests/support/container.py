"""A Debian of one's own, with a real systemd, in a container by systemd-nspawn: a
base that debootstrap makes once, and a layer over it that a test may spoil.

Needs root. The base has the network for apt; a booted container has only its own
loopback, so that it meets none of this machine's servers.

SPDX-License-Identifier: MIT
"""

import os
import subprocess
import time

# On a machine with the older control groups, too.
BOOT_ENV = {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"}
NSPAWN = ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit"]


def run(*words, **more):
    done = subprocess.run([str(w) for w in words], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False, **more)
    assert done.returncode == 0, f"{words}: {done.stdout[-4000:]}"
    return done.stdout


def make_base(directory, suite):
    """Kept from run to run if it is there; made whole or not at all."""
    if not directory.exists():
        made = directory.with_suffix(".new")
        run("rm", "-rf", made)
        run("debootstrap", "--variant=minbase",
            "--include=systemd,systemd-sysv,dbus,ca-certificates", suite, made)
        made.rename(directory)
    return directory


class Container:
    """A layer over `lower`. All calls raise with the output when they fail."""

    def __init__(self, lower, directory):
        self.root = directory / "root"
        self.boot_log = directory / "boot.log"
        self.booted = None
        for name in ("root", "upper", "work"):
            (directory / name).mkdir(parents=True)
        run("mount", "-t", "overlay", "overlay", "-o",
            f"lowerdir={lower},upperdir={directory}/upper,"
            f"workdir={directory}/work", self.root)

    def once(self, *words, **env):
        """A command in the container that is not booted, with the network."""
        sets = [f"--setenv={k}={v}" for k, v in env.items()]
        return run(*NSPAWN, "--pipe", *sets, "-D", self.root, *words)

    def boot(self):
        with open(self.boot_log, "wb") as log:
            self.booted = subprocess.Popen(
                [*NSPAWN, "--boot", "--private-network", "--console=pipe",
                 "-D", str(self.root)], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, env={**os.environ, **BOOT_ENV})
        self.eventually("systemctl is-system-running --wait ||"
                        " systemctl is-active multi-user.target", seconds=60)

    def leader(self):
        pid = self.booted.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            return f.read().split()[0]

    def attempt(self, script):
        """(status, output) of a shell script in the booted container."""
        assert self.booted.poll() is None, self.boot_log.read_text()[-4000:]
        done = subprocess.run(
            ["nsenter", f"--target={self.leader()}", "--all",
             "/usr/bin/env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
             "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive",
             "/bin/sh", "-ec", "cd /\n" + script], stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return done.returncode, done.stdout

    def sh(self, script):
        status, output = self.attempt(script)
        if status != 0:
            _, log = self.attempt("journalctl -o cat -n 30 || true")
            raise AssertionError(f"{script}\n{output[-4000:]}\n{log}")
        return output

    def eventually(self, script, seconds=30):
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self.sh(script)
            except (AssertionError, IndexError):
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.2)

    def close(self):
        if self.booted is not None and self.booted.poll() is None:
            self.attempt("systemctl --no-block poweroff")
            try:
                self.booted.wait(60)
            except subprocess.TimeoutExpired:
                self.booted.kill()
                self.booted.wait()
        run("umount", self.root)
