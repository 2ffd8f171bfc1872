"""Private PostgreSQL and Redis servers for the tests, on ports of their own.

Run by root, PostgreSQL is the package's account's process. Both want a password,
so that the tests also see passwords work and never leak.

SPDX-License-Identifier: MIT
"""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import uuid
from pathlib import Path

import psycopg
import redis

from . import hygiene
from .process import (Process, children_of, clean_environment, free_port,
                      poll)

HOST = "127.0.0.1"


def postgres_bin():
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"),
                   key=lambda p: float(p.parts[-3]))
    assert found, "no PostgreSQL server: deploy/packages.sh run"
    return found[-1].parent


def as_postgres():
    """The words before a command that must not run as root. The account may
    pass through directories closed to it, and may change only its own files."""
    if os.getuid() != 0:
        return []
    pwd.getpwnam("postgres")
    return ["setpriv", "--reuid", "postgres", "--regid", "postgres",
            "--init-groups", "--inh-caps", "+dac_read_search",
            "--ambient-caps", "+dac_read_search", "--pdeathsig", "KILL", "--"]


class Postgres(Process):
    """One cluster. Databases are made from a template that holds the schema."""

    def __init__(self, directory, port=None):
        self.directory = directory
        self.data = directory / "data"
        self.port = port or free_port()
        self.password = hygiene.secret("pg-" + uuid.uuid4().hex)
        self.count = 0
        directory.mkdir(parents=True)
        self.initialise()
        super().__init__(
            "postgres", as_postgres() + [
                postgres_bin() / "postgres", "-D", self.data,
                "-c", f"listen_addresses={HOST}", "-c", f"port={self.port}",
                "-c", "unix_socket_directories=", "-c", "max_connections=200"],
            directory, directory / "postgres.log")

    def initialise(self):
        password_file = self.directory / "password"
        password_file.write_text(self.password + "\n")
        if os.getuid() == 0:
            shutil.chown(self.directory, "postgres")
            shutil.chown(password_file, "postgres")
        self.directory.chmod(0o700)
        subprocess.run(
            as_postgres() + [postgres_bin() / "initdb", "-D", self.data, "-U",
                             "postgres", "-A", "scram-sha-256", "--pwfile",
                             password_file, "-E", "UTF8", "--locale=C.UTF-8"],
            cwd=self.directory, check=True, stdout=subprocess.DEVNULL,
            env=clean_environment())
        password_file.unlink()

    def start(self):
        super().start()
        return self.wait_ready()

    def kill(self):
        """With all its backends: one that has not yet noticed would serve on."""
        backends = children_of(self.pid)
        super().kill()
        for pid in backends:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def wait_ready(self):
        def answers():
            self.require_alive()
            try:
                self.connect("postgres").close()
                return True
            except psycopg.OperationalError:
                return False
        poll(answers, "PostgreSQL", 60)
        return self

    @property
    def address(self):
        return HOST, self.port

    def conninfo(self, user, database, host=HOST, port=None):
        return (f"host={host} port={port or self.port} dbname={database} "
                f"user={user} password={self.password}")

    def connect(self, database, user="postgres"):
        return psycopg.connect(self.conninfo(user, database), autocommit=True,
                               connect_timeout=5)

    def execute(self, database, *statements):
        with self.connect(database) as link:
            for statement in statements:
                link.execute(statement)

    def make_roles(self):
        self.execute(
            "postgres",
            *(f"CREATE ROLE {role} LOGIN PASSWORD '{self.password}'"
              for role in ("parley_owner", "parley_chatd")))

    def make_database(self, name=None, template="template1"):
        """A database as deploy/local.sh makes it; returns its name."""
        self.count += 1
        name = name or f"parley_{self.count}"
        self.execute(
            "postgres",
            f"CREATE DATABASE {name} OWNER parley_owner TEMPLATE {template}",
            f"REVOKE ALL ON DATABASE {name} FROM PUBLIC",
            f"GRANT CONNECT ON DATABASE {name} TO parley_chatd")
        return name

    def stop(self):
        # Fast shutdown: cuts connections, loses nothing.
        return self.terminate(signal.SIGINT, 30)


class Redis(Process):
    def __init__(self, directory, password=None):
        self.port = free_port()
        self.password = password or hygiene.secret(
            "redis-" + uuid.uuid4().hex)
        directory.mkdir(parents=True, exist_ok=True)
        config = directory / "redis.conf"
        config.touch(0o600)
        config.write_text(
            f"bind {HOST}\nport {self.port}\nrequirepass {self.password}\n"
            'save ""\nappendonly no\n'
            "client-output-buffer-limit pubsub 256mb 64mb 60\n")
        super().__init__("redis", ["redis-server", config], directory,
                         directory / "redis.log")

    @property
    def address(self):
        return HOST, self.port

    @property
    def url(self):
        return self.url_at(*self.address)

    def url_at(self, host, port):
        return f"redis://:{self.password}@{host}:{port}"

    def connect(self):
        return redis.Redis(HOST, self.port, password=self.password,
                           socket_timeout=5)

    def start(self):
        super().start()

        def answers():
            self.require_alive()
            try:
                return self.connect().ping()
            except redis.ConnectionError:
                return False
        poll(answers, "Redis", 20)
        return self
