"""Whole installations for tests: any number of gateways, chatds and presenceds
over a PostgreSQL database and a Redis of their own.

    PARLEY_BUILD     the build directory whose programs are tested (build/dev)
    PARLEY_TEST_TLS  1: every stack has TLS on its links and at its gateways

All lies under build/test-run/ of the repository and is removed after a run that
found no fault.

SPDX-License-Identifier: MIT
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

from . import hygiene
from .certificates import Authority
from .process import Daemon, Gateway, clean_environment, free_port
from .relay import Relay
from .stores import HOST, Postgres, Redis

ROOT = Path(__file__).resolve().parents[2]
BUILD = (ROOT / os.environ.get("PARLEY_BUILD", "build/dev")).resolve()
RUNS = ROOT / "build" / "test-run"

# What a stack encrypts unless it is told.
TLS = ("links", "clients") if os.environ.get("PARLEY_TEST_TLS") == "1" else ()

# What makes a run quick without changing what is tested: the cheapest password
# hash, short grace and drain.
QUICK = {
    "chatd": {"password_memory": 8192, "password_ops": 1},
    "presenced": {"grace": "1s"},
    "gateway": {"drain_spread": "200ms"},
}


def program(kind):
    path = BUILD / kind / kind
    assert path.exists(), f"{path} is not built: tests/run.sh builds it"
    return path


class World:
    """What all stacks of one run share: the directory, a PostgreSQL."""

    def __init__(self):
        self.directory = RUNS / str(os.getpid())
        self.directory.mkdir(parents=True)
        self.postgres = None
        self.ca = None
        self.stacks = 0
        self.faulty = False

    def shared_postgres(self):
        if self.postgres is None:
            self.postgres = self.new_postgres("postgres")
        return self.postgres

    def authority(self):
        if self.ca is None:
            self.ca = Authority(self.directory / "certificates")
        return self.ca

    def new_postgres(self, name, port=None):
        """A cluster with the roles and a migrated template."""
        postgres = Postgres(self.directory / name, port)
        postgres.start()
        try:
            postgres.make_roles()
            postgres.make_database("parley_template")
            self.migrate(postgres, "parley_template")
        except BaseException:
            postgres.stop()
            raise
        return postgres

    def migrate(self, postgres, database):
        log = self.directory / f"migrate-{database}.log"
        with open(log, "ab") as output:
            status = subprocess.run(
                [program("chatd"), "--migrate-only"], cwd=self.directory,
                stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, timeout=60,
                env=clean_environment(
                    PARLEY_DATABASE_URL=postgres.conninfo(
                        "parley_chatd", database),
                    PARLEY_MIGRATE_URL=postgres.conninfo(
                        "parley_owner", database))).returncode
        assert status == 0, f"migration failed: {log.read_text()}"

    def new_stack(self, **layout):
        self.stacks += 1
        return Stack(self, self.directory / f"stack-{self.stacks}", **layout)

    def faults_of(self, processes):
        """What stopped processes did wrong, in deed or in their logs."""
        faults = []
        for process in processes:
            faults += process.faults
            process.faults = []
            if process.log_path.exists():
                faults += hygiene.faults_in(process.log_path)
        self.faulty = self.faulty or bool(faults)
        return faults

    def close(self):
        faults = []
        if self.postgres is not None:
            self.postgres.stop()
            faults = self.faults_of([self.postgres])
        faults += hygiene.sweep(self.directory)
        faults += hygiene.faults_in_command_lines()
        if not self.faulty and not faults and not os.environ.get("PARLEY_TEST_KEEP"):
            shutil.rmtree(self.directory, ignore_errors=True)
        return faults


class Stack:
    """gateways[], chatds[], presenceds[] by list; more settings a kind, and for
    one process by its name: settings={"chatd": {..}, "gateway-2": {..}};
    secrets={"gateway": {..}} go by the environment.

    tls=("links", "clients"): TLS between the processes, and to the clients.

    relays=["gateway-redis", "chatd-postgres", ..]: a relay (relay.py) on each
    link of those kinds, one for every process and target; any of gateway, chatd,
    presenced to any of redis, postgres, chatd, presenced that it speaks to.
    relay("gateway-1", "redis") is one of them, relay("gateway-1", "chatd-2")
    another."""

    def __init__(self, world, directory, gateways=1, chatds=1, presenceds=1,
                 settings=None, secrets=None, own_postgres=False,
                 start=True, relays=(), tls=TLS):
        self.world = world
        self.directory = directory
        self.settings = settings or {}
        self.secrets = secrets or {}
        self.own_postgres = own_postgres
        self.tls = tls
        self.ports = {}         # of processes that listen by TCP
        directory.mkdir(parents=True)
        self.postgres = world.new_postgres(f"{directory.name}-postgres") \
            if own_postgres else world.shared_postgres()
        self.database = self.postgres.make_database(template="parley_template")
        self.redis = Redis(directory / "redis").start()
        self.relay_kinds = set(relays)
        self.relays = {}        # (process, target) -> Relay
        self.counts = {"chatd": chatds, "presenced": presenceds,
                       "gateway": gateways}
        self.gateways, self.chatds, self.presenceds = [], [], []
        self.lists = {"gateway": self.gateways, "chatd": self.chatds,
                      "presenced": self.presenceds}
        for kind, count in self.counts.items():
            for number in range(1, count + 1):
                self.add(kind, number)
        if start:
            self.start()

    def relay(self, process, target):
        return self.relays[process, target]

    def through(self, process, kind, target, address):
        """Where `process` is to connect for the target that is at `address`: a
        (host, port), or the path of a unix socket."""
        if f"{process.rsplit('-', 1)[0]}-{kind}" not in self.relay_kinds:
            return address
        name = process, target
        if name not in self.relays:
            listen = None if isinstance(address, tuple) else \
                self.directory / f"{process}-{target}.sock"
            self.relays[name] = Relay(address, listen, "-".join(name))
        return self.relays[name].address

    def place(self, name):
        """Where a chatd or presenced listens."""
        if "links" not in self.tls:
            return self.directory / f"{name}.sock"
        if name not in self.ports:
            self.ports[name] = free_port()
        return HOST, self.ports[name]

    def url(self, place):
        if isinstance(place, tuple):
            return "tls+tcp://{}:{}".format(*place)
        return f"ipc://{Path(place).name}"

    def addresses(self, process, kind):
        names = (f"{kind}-{i}" for i in range(1, self.counts[kind] + 1))
        return ",".join(
            self.url(self.through(process, kind, name, self.place(name)))
            for name in names)

    def certificates(self, kind, name):
        """Settings of a process for what this stack encrypts."""
        settings = {}
        authority = self.world.authority() if self.tls else None
        if "links" in self.tls:
            settings.update(authority.links(kind, name))
        if "clients" in self.tls and kind == "gateway":
            cert, key = authority.make("server", f"{name}-clients", HOST)
            settings.update(tls_cert=cert, tls_key=key)
        return settings

    def store_urls(self, process):
        """How `process` reaches Redis and PostgreSQL."""
        urls = {"redis_url": self.redis.url_at(*self.through(
            process, "redis", "redis", self.redis.address))}
        if process.startswith("chatd"):
            urls["database_url"] = self.postgres.conninfo(
                "parley_chatd", self.database, *self.through(
                    process, "postgres", "postgres", self.postgres.address))
        return urls

    def add(self, kind, number):
        name = f"{kind}-{number}"
        settings = {
            "chatd": lambda: {
                "listen": self.url(self.place(name)), "migrate": "off",
                "presenced": self.addresses(name, "presenced"),
                "public_url": "http://parley.test"},
            "presenced": lambda: {
                "listen": self.url(self.place(name)),
                "chatd": self.addresses(name, "chatd")},
            "gateway": lambda: {
                "chatd": self.addresses(name, "chatd"),
                "presenced": self.addresses(name, "presenced"),
                "public_url": "http://parley.test",
                "www_dir": ROOT / "gateway" / "www",
                "media_dir": self.directory / "media"},
        }[kind]()
        settings.update(QUICK[kind])
        settings.update(self.certificates(kind, name))
        settings.update(self.settings.get(kind, {}))
        settings.update(self.settings.get(name, {}))
        secrets = self.store_urls(name)
        secrets.update(self.secrets.get(kind, {}))
        secrets.update(self.secrets.get(name, {}))
        for value in secrets.values():
            # The passwords within URLs are noted by who made them.
            if len(str(value)) >= 8 and not re.search("[:=]", str(value)):
                hygiene.secret(str(value))
        maker = Gateway if kind == "gateway" else Daemon
        (self.directory / "media").mkdir(exist_ok=True)
        process = maker(name, program(kind), settings, secrets,
                        self.directory)
        if "clients" in self.tls and kind == "gateway":
            process.tls = self.world.authority().client()
        self.lists[kind].append(process)
        return process

    def processes(self):
        return self.chatds + self.presenceds + self.gateways

    def start(self):
        for process in self.processes():
            process.start()
        for process in self.processes():
            process.wait_ready()
        return self

    def sql(self, statement, *values):
        with self.postgres.connect(self.database) as link:
            return link.execute(statement, values).fetchall()

    def logs(self):
        return "".join(p.log_text() for p in self.processes())

    def warnings(self):
        """Log lines of level warn and error."""
        return [line for line in self.logs().splitlines()
                if re.match(r"\S+ (warn|error) ", line)]

    def close(self):
        for group in (self.gateways, self.presenceds, self.chatds):
            for process in group:
                process.begin_terminate()
            for process in group:
                process.end_terminate()
        for relay in self.relays.values():
            relay.close()
        self.redis.terminate()
        stopped = self.processes() + [self.redis]
        if self.own_postgres:
            self.postgres.stop()
            stopped.append(self.postgres)
        else:
            self.postgres.execute(
                "postgres", f"DROP DATABASE {self.database} WITH (FORCE)")
        return self.world.faults_of(stopped) + [
            fault for relay in self.relays.values() for fault in relay.faults]
