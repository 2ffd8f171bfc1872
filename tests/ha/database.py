"""PostgreSQL on two hosts, a primary and a synchronous standby, and what an operator
(or Patroni in his place) does when the primary fails:

    fence the old primary, then promote the standby, which now runs alone;
    when the old one is back as its standby, wait for that one again.

Configuration files lie beside the data, as Debian has them in /etc/postgresql, so
that neither pg_rewind nor pg_basebackup carries them from one host to the other.

SPDX-License-Identifier: MIT
"""

import os
import shutil
import signal
import subprocess
import time

import psycopg

from chaos.nemesis import children_of
from support import hygiene
from support.client import PATIENCE, new_id
from support.process import Process, clean_environment, poll
from support.stores import as_postgres, postgres_bin

PORT = 5432

# As docs/high-availability.md has it.
CONFIGURATION = """\
listen_addresses = '*'
cluster_name = '{name}'
primary_conninfo = 'host={peer} user=parley_replica password={password} \
application_name={name} sslmode=verify-full sslrootcert={ca} connect_timeout=2'
wal_log_hints = on
wal_keep_size = 1GB
wal_sender_timeout = 5s
wal_receiver_timeout = 5s
restart_after_crash = off
synchronous_commit = on
ssl = on
ssl_cert_file = '{certificate}'
ssl_key_file = '{key}'
include = 'synchronous.conf'
"""
ACCESS = """\
local all all scram-sha-256
hostssl all all all scram-sha-256
hostssl replication parley_replica all scram-sha-256
"""


class Node(Process):
    """One server. `peer` is set by who makes both."""

    def __init__(self, directory, host, authority, password):
        self.host = host
        self.name = host.name.replace("-", "_")
        self.directory = directory / host.name
        self.data = self.directory / "data"
        self.password = password
        self.authority = authority
        self.peer = None
        self.directory.mkdir(parents=True)
        shutil.chown(self.directory, "postgres")
        super().__init__(
            self.name, as_postgres() + [
                postgres_bin() / "postgres", "-D", self.data,
                f"--config-file={self.directory}/postgresql.conf",
                f"--hba-file={self.directory}/pg_hba.conf",
                f"--unix-socket-directories={self.directory}"],
            self.directory, self.directory / "postgres.log")
        host.run(self)

    def configure(self):
        certificate, key = self.authority.make("server", self.name,
                                               self.host.address)
        own = [shutil.copy(path, self.directory)
               for path in (certificate, key)]
        self.write("postgresql.conf", CONFIGURATION.format(
            name=self.name, peer=self.peer.host.address,
            password=self.password, ca=self.authority.ca,
            certificate=own[0], key=own[1]))
        self.write("pg_hba.conf", ACCESS)
        self.write("synchronous.conf", "")
        for path in own:
            shutil.chown(path, "postgres")
            os.chmod(path, 0o600)

    def write(self, name, text):
        path = self.directory / name
        path.touch(0o600)
        shutil.chown(path, "postgres")
        path.write_text(text)

    def command(self, program, *words):
        """One of PostgreSQL's programs, on this host."""
        done = subprocess.run(
            self.host.command(as_postgres() + [postgres_bin() / program,
                                               *words]),
            cwd=self.directory, text=True, capture_output=True, check=False,
            stdin=subprocess.DEVNULL, timeout=60 * PATIENCE,
            env=clean_environment(PGPASSWORD=self.password))
        assert done.returncode == 0, \
            f"{self.name}: {program}: {done.stdout}{done.stderr}"

    # ---- asking it -----------------------------------------------------------

    def connect(self, database="postgres"):
        """By its socket: also when its host is cut off."""
        return psycopg.connect(
            f"host={self.directory} user=postgres password={self.password} "
            f"dbname={database} connect_timeout=5", autocommit=True)

    def sql(self, statement, *values):
        with self.connect() as link:
            found = link.execute(statement, values)
            return found.fetchall() if found.description else None

    def answers(self):
        self.require_alive()
        try:
            self.connect().close()
            return True
        except psycopg.OperationalError:
            return False

    def kill(self):
        """All of its processes."""
        pids = children_of(self.pid)
        super().kill()
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def start(self):
        super().start()
        self.wait_ready()
        return self

    def wait_ready(self):
        poll(self.answers, f"PostgreSQL on {self.host.name}", 60 * PATIENCE)

    # ---- its roles -----------------------------------------------------------

    def initialise(self):
        self.write("password", self.password + "\n")
        self.command("initdb", "-D", self.data, "-U", "postgres", "-A",
                     "scram-sha-256", "--pwfile",
                     self.directory / "password", "-E", "UTF8",
                     "--locale=C.UTF-8")
        (self.directory / "password").unlink()

    def wait_for_standby(self, on):
        """Commits wait for the other server, or no longer."""
        name = f"FIRST 1 ({self.peer.name})" if on else ""
        self.write("synchronous.conf",
                   f"synchronous_standby_names = '{name}'\n")
        if self.alive():
            self.sql("SELECT pg_reload_conf()")

    def copy_peer(self):
        """A fresh copy of the other server, to be started as its standby."""
        shutil.rmtree(self.data, ignore_errors=True)
        self.command("pg_basebackup", "-D", self.data, "-X", "stream", "-c",
                     "fast", "-d", self.peer.reached_as("parley_replica"))
        self.be_standby()

    def rewind(self):
        """The same, but only what differs is copied: what this server alone had
        is undone. The other one needs a checkpoint since its promotion, or (up
        to PostgreSQL 15) pg_rewind sees no difference and leaves a standby that
        can never follow."""
        self.peer.sql("CHECKPOINT")
        self.command("pg_rewind", "-D", self.data,
                     f"--config-file={self.directory}/postgresql.conf",
                     f"--source-server={self.peer.reached_as('postgres')} "
                     "dbname=postgres")
        self.be_standby()

    def be_standby(self):
        self.write("data/standby.signal", "")
        self.wait_for_standby(False)

    def has_synchronous_standby(self):
        """Whether it can be lost without losing anything. That a standby
        streams is not enough: one that cannot follow streams again and again."""
        lsn, = self.sql("SELECT pg_current_wal_lsn()::text")[0]
        end = time.monotonic() + 1
        while time.monotonic() < end:
            if self.sql(
                    "SELECT 1 FROM pg_stat_replication WHERE sync_state = "
                    "'sync' AND application_name = %s AND replay_lsn >= %s",
                    self.peer.name, lsn):
                return True
        return False

    def reached_as(self, user):
        return (f"host={self.host.address} user={user} "
                f"sslmode=verify-full sslrootcert={self.authority.ca}")

    def stop(self):
        return self.terminate(signal.SIGINT, 30 * PATIENCE)


class Pair:
    """Both servers. What chaos' oracle asks of a stack's `postgres` is answered
    by whichever is the primary."""

    def __init__(self, directory, hosts, authority):
        self.password = hygiene.secret("pg-" + new_id())
        self.nodes = [Node(directory, host, authority, self.password)
                      for host in hosts]
        self.nodes[0].peer, self.nodes[1].peer = self.nodes[1], self.nodes[0]
        self.authority = authority
        self.primary = self.nodes[0]
        for node in self.nodes:
            node.configure()

    def start(self):
        self.primary.initialise()
        self.primary.start()
        for statement in (
                "CREATE ROLE parley_replica REPLICATION LOGIN",
                "CREATE ROLE parley_owner LOGIN",
                "CREATE ROLE parley_chatd LOGIN",
                "CREATE DATABASE parley OWNER parley_owner",
                "REVOKE ALL ON DATABASE parley FROM PUBLIC",
                "GRANT CONNECT ON DATABASE parley TO parley_chatd"):
            self.primary.sql(statement)
        for role in ("replica", "owner", "chatd"):
            self.primary.sql(
                f"ALTER ROLE parley_{role} PASSWORD '{self.password}'")
        self.primary.peer.copy_peer()
        self.primary.peer.start()
        self.primary.wait_for_standby(True)
        poll(self.primary.has_synchronous_standby, "synchronous standby",
             60 * PATIENCE)

    def conninfo(self, user, database):
        """As in database_url: whichever of both takes writes."""
        hosts = ",".join(n.host.address for n in self.nodes)
        return (f"host={hosts} dbname={database} user={user} "
                f"password={self.password} target_session_attrs=read-write "
                f"connect_timeout=2 tcp_user_timeout=5000 "
                f"sslmode=verify-full sslrootcert={self.authority.ca}")

    def promote(self):
        """The standby becomes the primary and waits for nobody."""
        fresh = self.primary.peer
        fresh.wait_for_standby(False)
        fresh.sql("SELECT pg_promote()")
        self.primary = fresh

    def stop(self):
        for node in (self.primary, self.primary.peer):
            if node.child is not None:
                # Else it would wait for a standby that is gone.
                node.wait_for_standby(False)
        for node in (self.primary.peer, self.primary):
            node.stop()
