"""Redis on three hosts: a master, two replicas, and a Sentinel beside each, which
agree by two of three on who is the master.

SPDX-License-Identifier: MIT
"""

import redis

from support import hygiene
from support.client import PATIENCE, new_id
from support.doc_commands import block
from support.process import Process, poll

PORT, SENTINEL_PORT = 6379, 26379
MASTER = "parley"

REDIS = block("docs/high-availability.md", "redis.conf")
SENTINEL = block("docs/high-availability.md", "sentinel.conf")
URL = block("docs/high-availability.md", "redis_url")


def filled(text, password, *addresses):
    """A text of the page, whose first host is the first of these."""
    for number, address in enumerate(addresses, start=21):
        text = text.replace(f"10.0.0.{number}", address)
    return text.replace("REDIS_PASSWORD", password)


class Server(Process):
    def __init__(self, name, host, directory, port, password, argv, text):
        config = directory / f"{name}.conf"
        config.touch(0o600)
        config.write_text(text)
        self.host = host
        self.address = host.address, port
        self.password = password
        super().__init__(name, [*argv[:1], config, *argv[1:]], directory,
                         directory / f"{name}.log")
        host.run(self)

    def connect(self):
        return redis.Redis(*self.address, password=self.password,
                           socket_timeout=2, socket_connect_timeout=2)

    def answers(self):
        self.require_alive()
        try:
            return self.connect().ping()
        except (redis.ConnectionError, redis.TimeoutError):
            return False

    def start(self):
        super().start()
        self.wait_ready()
        return self

    def wait_ready(self):
        poll(self.answers, self.name, 20 * PATIENCE)


class Cache:
    """servers[] and sentinels[], one of each a host."""

    def __init__(self, directory, hosts):
        self.password = hygiene.secret("redis-" + new_id())
        first = hosts[0].address
        self.servers, self.sentinels = [], []
        for host in hosts:
            place = directory / host.name
            place.mkdir(parents=True)
            text = filled(REDIS, self.password, host.address)
            if host is not hosts[0]:
                text += f"replicaof {first} {PORT}\n"
            self.servers.append(Server(
                f"redis-{host.name}", host, place, PORT, self.password,
                ["redis-server"], text))
            text = filled(SENTINEL, self.password, host.address).replace(
                f"parley {host.address}", f"parley {first}")
            self.sentinels.append(Server(
                f"sentinel-{host.name}", host, place, SENTINEL_PORT,
                self.password, ["redis-server", "--sentinel"], text))

    def start(self):
        for server in self.servers:
            server.start()
        poll(lambda: self.servers[0].connect().info("replication")[
            "connected_slaves"] == len(self.servers) - 1, "replicas",
            20 * PATIENCE)
        for sentinel in self.sentinels:
            sentinel.start()
        poll(self.agreed, "Sentinels that know each other", 30 * PATIENCE)

    def agreed(self):
        """All Sentinels know each other, and one healthy master with its
        replicas."""
        others = len(self.servers) - 1
        said = [self.master_at(s) for s in self.sentinels]
        return len({m["ip"] for m in said}) == 1 and all(
            m["num-other-sentinels"] == others and m["flags"] == "master" and
            m["num-slaves"] == others for m in said) and \
            self.master().connect().info("replication")[
                "connected_slaves"] == others

    @staticmethod
    def master_at(sentinel):
        """What a Sentinel says of the master."""
        return sentinel.connect().sentinel_master(MASTER)

    def url(self):
        return filled(URL, self.password, *(
            s.address[0] for s in self.sentinels)).split(" = ")[1].strip()

    def master(self):
        """The server that is the master by the latest word of any Sentinel."""
        said = []
        for sentinel in self.sentinels:
            try:
                said.append(self.master_at(sentinel))
            except (redis.ConnectionError, redis.TimeoutError):
                pass
        latest = max(said, key=lambda m: m["config-epoch"])
        return next(s for s in self.servers if s.address[0] == latest["ip"])

    def moved_from(self, old):
        """Whether another one is the master, and knows it."""
        master = self.master()
        return master is not old and \
            master.connect().info("replication")["role"] == "master"

    def processes(self):
        return self.servers + self.sentinels

    def stop(self):
        for process in self.sentinels + self.servers:
            process.terminate()
