"""docs/tls.md, word by word: its commands are run and its files are used, on this
machine in place of all its hosts.

SPDX-License-Identifier: MIT
"""

import os
import shutil
import ssl
import subprocess

import pytest
import redis

from support import client, hygiene
from support.client import Session, register
from support.doc_commands import block
from support.process import (Daemon, Gateway, Process, clean_environment,
                             free_port, poll)
from support.stack import ROOT, program

HOST = "127.0.0.1"

COMMANDS = {
    "certificates": block("docs/tls.md", "certificates"),
    "install": block("docs/tls.md", "install"),
    "postgresql-files": block("docs/tls.md", "postgresql-files"),
    "redis-files": block("docs/tls.md", "redis-files"),
    "check": block("docs/tls.md", "check"),
    "renew": block("docs/tls.md", "renew"),
}
FILES = {
    "postgresql.conf": block("docs/tls.md", "postgresql.conf"),
    "pg_hba.conf": block("docs/tls.md", "pg_hba.conf"),
    "redis.conf": block("docs/tls.md", "redis.conf"),
    "redis-tls.conf": block("docs/tls.md", "redis-tls.conf"),
    "stunnel.conf": block("docs/tls.md", "stunnel.conf"),
    "redis-stunnel.conf": block("docs/tls.md", "redis-stunnel.conf"),
    "chatd.conf": block("docs/tls.md", "chatd.conf"),
    "presenced.conf": block("docs/tls.md", "presenced.conf"),
    "gateway.conf": block("docs/tls.md", "gateway.conf"),
}


class Guide:
    """The guide's blocks, with this machine's names, ports and paths."""

    def __init__(self, directory, changes):
        self.directory = directory
        self.changes = changes

    def here(self, text):
        for old, new in self.changes:
            text = text.replace(old, str(new))
        return text

    def run(self, name):
        body = self.here(COMMANDS[name])
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", body], cwd=self.directory,
            capture_output=True, text=True, timeout=60, check=False,
            env=clean_environment())
        assert done.returncode == 0, f"{body}\n{done.stdout}{done.stderr}"

    def file(self, name):
        path = self.directory / name
        path.write_text(self.here(FILES[name]))
        path.chmod(0o600)
        return path


@pytest.fixture(scope="module")
def guide(world):
    directory = world.directory / "guide"
    for name in ("postgresql", "redis", "media"):
        (directory / name).mkdir(parents=True)
    (directory / "deploy").symlink_to(ROOT / "deploy")
    owner = " -o postgres -g postgres"
    redis_password = hygiene.secret("redis-" + os.urandom(9).hex())
    ports = {name: free_port() for name in
             ("db", "redis", "stunnel", "chatd", "presenced", "gateway")}
    return Guide(directory, [
        ("/etc/parley/tls", directory / "installed"),
        ("/etc/postgresql", directory / "postgresql"),
        ("/etc/redis", directory / "redis"),
        ("/var/lib/parley/media", directory / "media"),
        (owner, owner if os.getuid() == 0 else ""),
        # The only one of these that is in use here.
        ("pkill -HUP -x chatd", "kill -HUP $(cat chatd.pid)"),
        ("REDIS_PASSWORD", redis_password),
        *((f"{host}.example.org", "localhost") for host in
          ("chatd-1", "presenced-1", "db", "redis", "chat")),
        ("0.0.0.0", HOST),
        *((old, f"{old[0]}{ports[name]}") for old, name in
          (("=5432", "db"), (":6379", "stunnel"), (":6380", "redis"),
           (" 6380", "redis"), (":7001", "chatd"), (":7002", "presenced"),
           (":8443", "gateway"))),
    ]), ports, redis_password


def start_redis(guide, port, password):
    config = guide.file("redis.conf")
    with open(config, "a", encoding="ascii") as more:
        more.write(f'bind {HOST}\nsave ""\nappendonly no\n')
    server = Process("redis", ["redis-server", config], guide.directory,
                     guide.directory / "redis.log").start()
    etc = guide.directory / "installed"

    def answers():
        server.require_alive()
        try:
            return redis.Redis(
                HOST, port, username="parley", password=password, ssl=True,
                ssl_ca_certs=str(etc / "ca.crt"), ssl_check_hostname=False,
                ssl_certfile=str(etc / "redis-client.crt"),
                ssl_keyfile=str(etc / "redis-client.key")).ping()
        except redis.ConnectionError:
            return False
    poll(answers, "Redis over TLS", 20)
    return server


def configure_postgres(guide, postgres):
    """The guide's lines, before the rules that the tests are let in by."""
    with open(postgres.data / "postgresql.conf", "a",
              encoding="ascii") as config:
        config.write(guide.file("postgresql.conf").read_text())
    rules = postgres.data / "pg_hba.conf"
    own = guide.file("pg_hba.conf").read_text()
    rules.write_text(own + "host parley parley_chatd all reject\n"
                     + rules.read_text())
    postgres.execute("postgres", "SELECT pg_reload_conf()")


def speaks_tls_to_redis():
    done = subprocess.run(
        [program("presenced"), "--check-config"], capture_output=True,
        stdin=subprocess.DEVNULL, text=True, timeout=60, check=False,
        env=clean_environment(PARLEY_REDIS_URL="rediss://localhost"))
    if done.returncode != 0:
        assert "hiredis" in done.stderr and "stunnel" in done.stderr
        assert "docs/tls.md" in done.stderr
    return done.returncode == 0


def start_processes(guide, ports, redis_lines):
    """Each with the guide's file; redis_lines names the one for Redis."""
    processes = []
    lines = guide.file(redis_lines).read_text()
    for kind in ("chatd", "presenced", "gateway"):
        config = guide.file(f"{kind}.conf")
        with open(config, "a", encoding="ascii") as more:
            more.write(lines)
        maker = Gateway if kind == "gateway" else Daemon
        process = maker(kind, program(kind), {"config": config}, {},
                        guide.directory)
        process.argv = [a for a in process.argv
                        if not a.startswith("--listen=")]
        processes.append(process)
    processes[2].port = ports["gateway"]
    processes[2].host = "localhost"
    processes[2].argv.append(f"--www-dir={ROOT / 'gateway' / 'www'}")
    for process in processes:
        process.start()
    return processes


async def test_the_guide(world, guide):
    guide, ports, password = guide
    for name in ("certificates", "install", "postgresql-files",
                 "redis-files"):
        guide.run(name)
    started = []
    postgres = world.new_postgres("guide-postgres", port=ports["db"])
    try:
        postgres.make_database("parley", "parley_template")
        guide.changes.append(("DB_PASSWORD", postgres.password))
        configure_postgres(guide, postgres)
        started.append(start_redis(guide, ports["redis"], password))
        ways = ["redis-stunnel.conf"]
        if speaks_tls_to_redis():
            ways.append("redis-tls.conf")
        started.append(Process(
            "stunnel", [shutil.which("stunnel4") or "/usr/bin/stunnel4",
                        guide.file("stunnel.conf")],
            guide.directory, guide.directory / "stunnel.log").start())
        poll(lambda: "Configuration successful" in started[-1].log_text(),
             "stunnel")
        for way in ways:
            await try_it(guide, ports, way, postgres)
    finally:
        for process in started:
            process.terminate()
        postgres.stop()
    faults = world.faults_of([*started, postgres])
    assert not faults, "\n".join(faults)


async def try_it(guide, ports, way, postgres):
    processes = start_processes(guide, ports, way)
    chatd, _, gateway = processes
    try:
        for process in processes:
            process.wait_ready()
        gateway.tls = ssl.create_default_context(
            cafile=guide.directory / "installed" / "ca.crt")
        await speak(gateway)
        seen = postgres.connect("postgres").execute(
            "SELECT DISTINCT s.ssl, s.client_dn FROM pg_stat_ssl s "
            "JOIN pg_stat_activity a USING (pid) "
            "WHERE a.usename = 'parley_chatd'").fetchall()
        assert seen == [(True, "/CN=parley_chatd/O=Parley")] or \
            seen == [(True, "/O=Parley/CN=parley_chatd")], seen
        assert chatd.metric("parley_db_tls_links") == \
            chatd.metric("parley_db_links") > 0
        assert "postgres_link_up link=0 tls=TLSv1.3" in chatd.log_text()
        guide.run("check")
        (guide.directory / "chatd.pid").write_text(str(chatd.pid))
        mark = len(chatd.log_text())
        guide.run("renew")
        chatd.wait_log("certificate_loaded setting=rpc_tls_cert", mark)
    finally:
        for process in reversed(processes):
            process.terminate()
    faults = [f for p in processes for f in p.faults]
    assert not faults, "\n".join(faults)


async def speak(gateway):
    """Two people; answers of every length, which TLS cuts into records."""
    one = await Session.open(gateway, register(gateway))
    other = await Session.open(gateway, register(gateway))
    chat_id = await client.private_chat(one, other)
    texts = [f"{i:02}" + "x" * (i * 83) for i in range(60)]
    for text in texts:
        await one.say(chat_id, text)
    await other.until(lambda: len(other.messages(chat_id)) == 60, "messages")
    for limit in range(1, 61):
        page = await other.ask("get_messages", chat_id=chat_id, limit=limit)
        assert [m["content"] for m in page["messages"]] == texts[-limit:]
    await one.close()
    await other.close()
