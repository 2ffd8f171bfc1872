"""PostgreSQL on two hosts, a primary and a synchronous standby, and what an operator
(or Patroni in his place) does when the primary fails:

    fence the old primary, then promote the standby, which now runs alone;
    when the old one is back as its standby, wait for that one again.

Files and commands are those of docs/high-availability.md, with other paths, names
and passwords.

SPDX-License-Identifier: MIT
"""

import os
import shutil
import signal
import subprocess

import psycopg

from chaos.nemesis import children_of
from support import hygiene
from support.client import PATIENCE, new_id
from support.doc_commands import block
from support.process import Process, clean_environment, poll
from support.stores import as_postgres, postgres_bin

PORT = 5432

TEXTS = {
    "postgresql.conf": block("docs/high-availability.md", "postgresql.conf"),
    "pg_hba.conf": block("docs/high-availability.md", "pg_hba.conf"),
    "role": block("docs/high-availability.md", "role"),
    "standby": block("docs/high-availability.md", "standby"),
    "wait": block("docs/high-availability.md", "wait"),
    "watch": block("docs/high-availability.md", "watch"),
    "chatd.conf": block("docs/high-availability.md", "chatd.conf"),
    "promote": block("docs/high-availability.md", "promote"),
    "checkpoint": block("docs/high-availability.md", "checkpoint"),
    "rewind": block("docs/high-availability.md", "rewind"),
}


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

    def text(self, name, own="db_1", other="db_2"):
        """A text of the page, in which this server is called `own`."""
        text = TEXTS[name]
        for old, new in (
                (own, "OWN"), (other, self.peer.name), ("OWN", self.name),
                ("/etc/postgresql/15/main", self.directory),
                ("/var/lib/postgresql/15/main", self.data),
                ("/etc/postgresql/ca.crt", self.authority.ca),
                ("/etc/postgresql/db", self.directory / self.name),
                ("DB_PASSWORD", self.password),
                (f"{other.replace('_', '-')}.example.org",
                 self.peer.host.address)):
            text = text.replace(old, str(new))
        assert "example.org" not in text, text
        return text

    def configure(self):
        for path in self.authority.make("server", self.name,
                                        self.host.address):
            own = shutil.copy(path, self.directory)
            shutil.chown(own, "postgres")
            os.chmod(own, 0o600)
        for name in ("postgresql.conf", "pg_hba.conf"):
            self.write(name, self.text(name))
        self.write("synchronous.conf", "")

    def write(self, name, text):
        path = self.directory / name
        path.touch(0o600)
        shutil.chown(path, "postgres")
        path.write_text(text)

    def command(self, *words):
        """As the account postgres, on this host."""
        done = subprocess.run(
            self.host.command(as_postgres() + [str(w) for w in words]),
            cwd=self.directory, text=True, capture_output=True, check=False,
            stdin=subprocess.DEVNULL, timeout=60 * PATIENCE,
            env=clean_environment(
                PATH=f"{postgres_bin()}:{os.environ['PATH']}",
                PGHOST=str(self.directory), PGPASSWORD=self.password))
        assert done.returncode == 0, \
            f"{self.name}: {words}: {done.stdout}{done.stderr}"

    def script(self, *text):
        """Commands of the page."""
        self.command("bash", "-euo", "pipefail", "-c", self.text(*text))

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

    def copy_peer(self):
        """A fresh copy of the other server, to be started as its standby."""
        shutil.rmtree(self.data, ignore_errors=True)
        self.script("standby", "db_2", "db_1")
        self.write("synchronous.conf", "")

    def rewind(self):
        """The same, but only what differs is copied: what this server alone had
        is undone."""
        self.peer.script("checkpoint")
        self.script("rewind")

    def wait_for_standby(self):
        self.script("wait")

    def wait_for_nobody(self):
        self.write("synchronous.conf", "")
        self.sql("SELECT pg_reload_conf()")

    def has_synchronous_standby(self):
        """Whether it can be lost without losing anything."""
        return [r for r in self.sql(self.text("watch"))
                if r[0] == "sync" and r[1] is not None and r[1] < 100_000]

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
                self.primary.text("role"),
                "CREATE ROLE parley_owner LOGIN",
                "CREATE ROLE parley_chatd LOGIN",
                "CREATE DATABASE parley OWNER parley_owner",
                "REVOKE ALL ON DATABASE parley FROM PUBLIC",
                "GRANT CONNECT ON DATABASE parley TO parley_chatd"):
            self.primary.sql(statement)
        for role in ("owner", "chatd"):
            self.primary.sql(
                f"ALTER ROLE parley_{role} PASSWORD '{self.password}'")
        self.primary.peer.copy_peer()
        self.primary.peer.start()
        self.primary.wait_for_standby()
        poll(self.primary.has_synchronous_standby, "synchronous standby",
             60 * PATIENCE, 0.2)

    def conninfo(self, user, database):
        """As in database_url: whichever of both takes writes."""
        text = TEXTS["chatd.conf"].split(" = ", 1)[1].strip()
        for old, new in (
                ("db-1.example.org", self.nodes[0].host.address),
                ("db-2.example.org", self.nodes[1].host.address),
                ("dbname=parley", f"dbname={database}"),
                ("parley_chatd", user), ("DB_PASSWORD", self.password),
                ("/etc/parley/tls/ca.crt", self.authority.ca)):
            assert old in text, f"{old} is not in database_url"
            text = text.replace(old, str(new))
        return text

    def promote(self):
        """The standby becomes the primary and waits for nobody."""
        self.primary.peer.script("promote")
        self.primary = self.primary.peer

    def stop(self):
        for node in (self.primary, self.primary.peer):
            if node.child is not None:
                # Else it would wait for a standby that is gone.
                node.wait_for_nobody()
        for node in (self.primary.peer, self.primary):
            node.stop()
