"""Hosts that are network namespaces, joined by a bridge that stands in a namespace
of its own, so that nothing appears in the machine's own network.

    clients ---+
    app-1 -----+--- bridge (namespace "switch")
    db-1 ------+
    ...

A host is cut off at the bridge: nothing tells it, its packets just come to
nothing, as when a cable or a switch dies. Two hosts are parted by routes that
lead nowhere, while all others still reach both.

SPDX-License-Identifier: MIT
"""

import ctypes
import os
import shutil
import subprocess

NETWORK = "10.213.77"
CLONE_NEWNET = 0x40000000


def why_not():
    """Why there can be no hosts here; None where there can."""
    if os.getuid() != 0:
        return "network namespaces need root"
    for program in ("ip", "nsenter"):
        if shutil.which(program) is None:
            return f"no {program}: deploy/packages.sh ha"
    name = f"parley-try-{os.getpid()}"
    made = run("ip", "netns", "add", name, check=False)
    if made.returncode != 0:
        return f"no network namespaces: {made.stderr.strip()}"
    veth = run("ip", "-n", name, "link", "add", "name", "v1", "type", "veth", "peer",
               "name", "v2", check=False)
    bridge = run("ip", "-n", name, "link", "add", "name", "v3", "type", "bridge",
                 check=False)
    run("ip", "netns", "del", name)
    if veth.returncode != 0 or bridge.returncode != 0:
        return f"no veth or bridge: {(veth.stderr + bridge.stderr).strip()}"
    return None


def run(*words, check=True):
    return subprocess.run([str(w) for w in words], check=check, text=True,
                          stdin=subprocess.DEVNULL, capture_output=True)


def enter(path):
    """This thread, and who it starts from now on, is in that namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open(path, "rb") as namespace:
        if libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {path}")


class Host:
    def __init__(self, network, name, number):
        self.network = network
        self.name = name
        self.namespace = network.namespace(name)
        self.address = f"{NETWORK}.{number}"
        self.port = f"p{number}"    # its place at the bridge
        self.processes = []

    def command(self, argv):
        """The words that run a command on this host."""
        return ["nsenter", f"--net=/run/netns/{self.namespace}", "--",
                *(str(a) for a in argv)]

    def run(self, process):
        """That process will run here."""
        process.argv = self.command(process.argv)
        self.processes.append(process)
        return process

    def ip(self, *words):
        return run("ip", "-n", self.namespace, *words)

    def cut(self):
        self.network.ip("link", "set", self.port, "nomaster")

    def join(self):
        self.network.ip("link", "set", self.port, "master", "bridge")

    def part(self, other):
        for one, two in ((self, other), (other, self)):
            one.ip("route", "add", "blackhole", f"{two.address}/32")

    def meet(self, other):
        for one, two in ((self, other), (other, self)):
            one.ip("route", "del", "blackhole", f"{two.address}/32")

    def lose(self):
        """Its power fails: nobody hears a word, not even a FIN or RST."""
        self.cut()
        for process in self.processes:
            if process.child is not None:
                process.kill()


class Network:
    """hosts[name]; use `with`: the test itself is then on the host `clients`."""

    def __init__(self, names):
        self.hosts = {}
        self.home = f"/proc/{os.getpid()}/ns/net"
        run("ip", "netns", "add", self.namespace("switch"))
        try:
            self.ip("link", "add", "name", "bridge", "type", "bridge")
            self.ip("link", "set", "bridge", "up")
            for number, name in enumerate(["clients", *names], start=10):
                self.add(name, number)
        except BaseException:
            self.close()
            raise

    @staticmethod
    def namespace(name):
        return f"parley-{os.getpid()}-{name}"

    def ip(self, *words):
        return run("ip", "-n", self.namespace("switch"), *words)

    def add(self, name, number):
        host = Host(self, name, number)
        run("ip", "netns", "add", host.namespace)
        self.hosts[name] = host
        self.ip("link", "add", "name", host.port, "type", "veth", "peer", "name",
                "eth0", "netns", host.namespace)
        host.join()
        self.ip("link", "set", host.port, "up")
        host.ip("address", "add", f"{host.address}/24", "dev", "eth0")
        host.ip("link", "set", "lo", "up")
        host.ip("link", "set", "eth0", "up")

    def __enter__(self):
        self.back = os.open(self.home, os.O_RDONLY)
        enter(f"/run/netns/{self.hosts['clients'].namespace}")
        return self

    def __exit__(self, *_):
        enter(f"/proc/self/fd/{self.back}")
        os.close(self.back)
        self.close()

    def close(self):
        for host in self.hosts.values():
            run("ip", "netns", "del", host.namespace, check=False)
        run("ip", "netns", "del", self.namespace("switch"), check=False)
