"""An installation over nine hosts, as the tests of a stack know it (support/stack.py):
gateways, chatds and presenceds on two hosts, every link between them with TLS.

SPDX-License-Identifier: MIT
"""

import subprocess

from support.process import Daemon, Gateway, clean_environment
from support.stack import QUICK, ROOT, program

from .cache import Cache
from .database import Pair

HOSTS = ("db-1", "db-2", "cache-1", "cache-2", "cache-3", "app-1", "app-2")
CHATD, PRESENCED, GATEWAY = 7001, 7002, 8443


def on_host(kind, host):
    """A class of process whose ports are at the host's address."""
    return type(kind.__name__, (kind,), {"host": host.address,
                                         "admin_host": host.address})


class Installation:
    def __init__(self, tests, directory, network):
        self.tests = tests
        self.directory = directory
        self.network = network
        self.hosts = network.hosts
        self.authority = tests.authority()
        directory.mkdir(parents=True)
        self.database = "parley"
        self.postgres = Pair(directory, self.host_list("db"), self.authority)
        self.cache = Cache(directory, self.host_list("cache"))
        self.gateways, self.chatds, self.presenceds = [], [], []
        self.lists = {"gateway": self.gateways, "chatd": self.chatds,
                      "presenced": self.presenceds}
        for kind, processes in self.lists.items():
            for host in self.host_list("app"):
                processes.append(self.make(kind, host))

    def host_list(self, kind):
        return [self.hosts[name] for name in HOSTS if name.startswith(kind)]

    def addresses(self, port):
        return ",".join(f"tls+tcp://{host.address}:{port}"
                        for host in self.host_list("app"))

    def make(self, kind, host):
        name = f"{kind}-{host.name[-1]}"
        settings = {
            "gateway": {"listen": f"{host.address}:{GATEWAY}",
                        "chatd": self.addresses(CHATD),
                        "presenced": self.addresses(PRESENCED),
                        "public_url": "https://parley.test",
                        "www_dir": ROOT / "gateway" / "www",
                        "media_dir": self.directory / "media"},
            "chatd": {"listen": f"tls+tcp://{host.address}:{CHATD}",
                      "presenced": self.addresses(PRESENCED),
                      "public_url": "https://parley.test", "migrate": "off"},
            "presenced": {"listen": f"tls+tcp://{host.address}:{PRESENCED}",
                          "chatd": self.addresses(CHATD)},
        }[kind]
        # Redis is plain: Debian 12's hiredis has no TLS.
        settings.update(QUICK[kind] if kind == "chatd" else {},
                        insecure_links="on",
                        **self.authority.links(kind, name, host.address))
        secrets = {"redis_url": self.cache.url()}
        if kind == "chatd":
            secrets["database_url"] = self.postgres.conninfo(
                "parley_chatd", self.database)
        (self.directory / "media").mkdir(exist_ok=True)
        maker = on_host(Gateway if kind == "gateway" else Daemon, host)
        process = maker(name, program(kind), settings, secrets, self.directory)
        if kind == "gateway":
            process.port = GATEWAY
        return host.run(process)

    def migrate(self):
        done = subprocess.run(
            self.hosts["app-1"].command([program("chatd"), "--migrate-only"]),
            cwd=self.directory, stdin=subprocess.DEVNULL, timeout=60,
            capture_output=True, text=True, check=False,
            env=clean_environment(
                PARLEY_DATABASE_URL=self.postgres.conninfo(
                    "parley_chatd", self.database),
                PARLEY_MIGRATE_URL=self.postgres.conninfo(
                    "parley_owner", self.database)))
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self):
        self.postgres.start()
        self.migrate()
        self.cache.start()
        for process in self.processes():
            process.start()
        for process in self.processes():
            process.wait_ready()

    def processes(self):
        return self.chatds + self.presenceds + self.gateways

    def everyone(self):
        return (self.processes() + self.postgres.nodes
                + self.cache.processes())

    def close(self):
        for group in (self.gateways, self.presenceds, self.chatds):
            for process in group:
                process.begin_terminate()
            for process in group:
                process.end_terminate()
        self.cache.stop()
        self.postgres.stop()
        return self.tests.faults_of(self.everyone())
