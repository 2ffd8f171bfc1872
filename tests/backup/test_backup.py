"""Backups as docs/backup.md has them, by its own commands: taken while people
chat; the store destroyed; restored; started; and what was acknowledged before
the backup's point is there, with its files, numbers and marks, and chat goes on.

SPDX-License-Identifier: MIT
"""

import asyncio
import os
import shutil
import subprocess
from urllib.parse import urlsplit

import psycopg
from support.chatter import chat_through
from support.client import (Closed, Session, http_form, http_request, login)
from support.doc_commands import block
from support.process import clean_environment, poll
from support.rolling import company, nobody_saw_an_error, progress
from support.stores import postgres_bin


class Site:
    """An installation, and where this page's places are on it."""

    def __init__(self, stack):
        self.stack = stack
        self.backups = stack.directory / "backups"
        self.backups.mkdir()
        self.give(self.backups)
        self.places = {
            "/var/backups/parley": self.backups,
            "/var/lib/parley/media": stack.directory / "media",
            "/var/lib/postgresql/15/main": stack.postgres.data,
            "/usr/lib/postgresql/15/bin": postgres_bin(),
            " parley\n": f" {stack.database}\n",
        }

    @staticmethod
    def give(path):
        """To the account that PostgreSQL runs as."""
        if os.getuid() == 0:
            subprocess.run(["chown", "-R", "postgres", path], check=True)

    def run(self, text):
        """A block of the page, as PostgreSQL's superuser on its machine."""
        postgres = self.stack.postgres
        for old, new in self.places.items():
            text = text.replace(old, str(new))
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=self.stack.directory, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=120, check=False,
            env=clean_environment(
                PGHOST="127.0.0.1", PGPORT=str(postgres.port),
                PGUSER="postgres", PGPASSWORD=postgres.password))
        assert done.returncode == 0, text + done.stdout + done.stderr
        self.give(self.backups)

    async def aside(self, text):
        """While the clients go on."""
        await asyncio.get_running_loop().run_in_executor(None, self.run, text)

    def stop(self):
        for process in reversed(self.stack.processes()):
            assert process.terminate() == 0

    def start(self):
        """Redis stays as it was."""
        self.stack.start()

    def lose_media(self):
        shutil.rmtree(self.stack.directory / "media")
        (self.stack.directory / "media").mkdir()


def acknowledged(chatters):
    return {front: message for c in chatters
            for front, message in c.acked.items()}


def upload(stack, session, chat_id, text):
    """Returns the path under which the file is found."""
    answer = http_form(
        stack.gateways[0], "/api/chat/upload",
        {"file": ("note.txt", "text/plain", text.encode())},
        headers={"Authorization": f"Bearer {session.account.token}"})
    assert answer.status == 200, answer
    return urlsplit(answer.json["url"]).path


def judge(stack, kept, files):
    """The restored store has all that was kept and holds together. Returns how
    many messages it has."""
    rows = {front: (message_id, chat, seq) for front, message_id, chat, seq in
            stack.sql("SELECT front_msg_id::text, id::text, chat_id::text, seq "
                      "FROM messages")}
    lost = [m for front, m in kept.items() if rows.get(front) !=
            (m["id"], m["chat_id"], m["seq"])]
    assert not lost, f"{len(lost)} of {len(kept)} are lost"
    assert stack.sql(
        "SELECT count(*) FROM chats c WHERE last_seq <> (SELECT "
        "coalesce(max(seq), 0) FROM messages m WHERE m.chat_id = c.id) OR "
        "last_seq <> (SELECT count(*) FROM messages m WHERE m.chat_id = c.id)"
        ) == [(0,)]
    assert stack.sql(
        "SELECT count(*) FROM members x JOIN chats c ON c.id = x.chat_id WHERE "
        "x.delivered_seq > c.last_seq OR x.read_seq > c.last_seq") == [(0,)]
    assert stack.sql("SELECT count(*) FROM members WHERE delivered_seq > 0"
                     )[0][0] > 0
    for path, text in files.items():
        answer = http_request(stack.gateways[0], "GET", path)
        assert (answer.status, answer.body.decode()) == (200, text)
    return len(rows)


async def chat_goes_on(stack, chatters):
    """Old tokens and passwords hold; the next message has the next number."""
    ann = await Session.open(stack.gateways[0], chatters[0].account)
    ben = await Session.open(stack.gateways[-1],
                             login(stack.gateways[0], chatters[1].account))
    for chat_id in chatters[0].chats:
        top = stack.sql("SELECT last_seq FROM chats WHERE id = %s", chat_id)
        answer = await ann.say(chat_id, "after the restore")
        assert answer["message"]["seq"] == top[0][0] + 1
        await ben.until(lambda: any(
            m["id"] == answer["message"]["id"] for m in ben.messages(chat_id)),
            "the first message after the restore")


def promoted(stack):
    def writes():
        try:
            return not stack.postgres.connect("postgres").execute(
                "SELECT pg_is_in_recovery()").fetchone()[0]
        except psycopg.OperationalError:
            return False
    poll(writes, "end of the recovery", 60)


def restore_data(site, *, to_point):
    stack = site.stack
    text = block("docs/backup.md", "base-restore")
    named = "recovery_target_name = 'before_the_change'\n"
    assert named in text
    site.run(text if to_point else text.replace(named, ""))
    site.give(stack.postgres.data)
    stack.postgres.start()
    promoted(stack)
    site.run(block("docs/backup.md", "base-after"))


async def test_a_dump_taken_in_traffic_is_restored(new_stack):
    stack = new_stack(gateways=2, chatds=2, own_postgres=True)
    site = Site(stack)
    chatters = await company(stack)
    files = {upload(stack, chatters[0].session, None, "kept"): "kept"}
    kept = {}

    async def backup():
        await progress(chatters, 10)
        kept.update(acknowledged(chatters))
        await site.aside(block("docs/backup.md", "dump"))
        await progress(chatters, 10)
    await chat_through(chatters, backup())
    nobody_saw_an_error(chatters)
    assert not any(c.closes for c in chatters)

    site.stop()
    stack.postgres.stop()
    shutil.rmtree(stack.postgres.data)
    stack.postgres.initialise()
    stack.postgres.start()
    site.lose_media()
    site.run(block("docs/backup.md", "dump-restore"))
    site.start()
    assert judge(stack, kept, files) < len(acknowledged(chatters))
    await chat_goes_on(stack, chatters)

    # The runtime role came back with what it may and may not do.
    site.stop()
    site.run(block("docs/backup.md", "log-all-out"))
    site.start()
    try:
        await Session.open(stack.gateways[0], chatters[2].account)
        raise AssertionError("an ended session was let in")
    except Closed:
        pass
    login(stack.gateways[0], chatters[2].account)


async def physical(site, chatters, files):
    """Archiving, a base backup, a point, and chat beyond it. Gives what was
    acknowledged before the point."""
    stack, kept = site.stack, {}

    async def backup():
        await progress(chatters, 10)
        await site.aside(block("docs/backup.md", "base"))
        await progress(chatters, 10)
        path = upload(stack, chatters[0].session, None, "after the base")
        files[path] = "after the base"
        kept.update(acknowledged(chatters))
        await site.aside(block("docs/backup.md", "point"))
        await site.aside(block("docs/backup.md", "media"))
        await progress(chatters, 10)
    await chat_through(chatters, backup())
    nobody_saw_an_error(chatters)
    assert not any(c.closes for c in chatters)
    return kept


def begin_archiving(site):
    site.run(block("docs/backup.md", "archive"))
    site.stack.postgres.stop()
    site.stack.postgres.start()


async def test_a_base_backup_and_the_archive_lead_to_a_point(new_stack):
    stack = new_stack(gateways=2, chatds=2, own_postgres=True, start=False)
    site, files = Site(stack), {}
    begin_archiving(site)
    stack.start()
    chatters = await company(stack)
    kept = await physical(site, chatters, files)

    segment = "SELECT last_archived_wal FROM pg_stat_archiver"
    poll(lambda: stack.sql(segment)[0][0], "archived segment", 30)
    site.stop()
    stack.postgres.stop()
    shutil.rmtree(stack.postgres.data)
    site.lose_media()
    restore_data(site, to_point=True)
    site.start()
    assert judge(stack, kept, files) < len(acknowledged(chatters))
    await chat_goes_on(stack, chatters)
    site.run(block("docs/backup.md", "base"))


async def test_with_the_last_wal_nothing_is_lost(new_stack):
    stack = new_stack(gateways=2, chatds=2, own_postgres=True, start=False)
    site, files = Site(stack), {}
    begin_archiving(site)
    stack.start()
    chatters = await company(stack)
    await physical(site, chatters, files)

    # The machine dies, its disk is still there to read.
    for process in stack.processes():
        process.kill()
    stack.postgres.kill()
    old = stack.postgres.data.with_name("data.old")
    os.rename(stack.postgres.data, old)
    site.lose_media()
    site.run(block("docs/backup.md", "last-wal").replace(
        "/var/lib/postgresql/15/main.old", str(old)))
    restore_data(site, to_point=False)
    site.start()
    everything = acknowledged(chatters)
    assert judge(stack, everything, files) == len(everything)
    await chat_goes_on(stack, chatters)
