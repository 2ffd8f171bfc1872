"""What the database itself says: the tables after a run, samples of the
watermarks during it, and two triggers of the test's own. One notes at which seq of
its chat somebody became a member or ceased to be one (both happen under the
chat's lock, so the seq is exact); the other notes every watermark that moves
backwards.

SPDX-License-Identifier: MIT
"""

import contextlib
from typing import NamedTuple

import psycopg

INSTALL_TRIES = 5

TRIGGERS = """
CREATE SCHEMA chaos;
CREATE TABLE chaos.membership (n bigserial PRIMARY KEY, chat_id uuid,
	user_id uuid, inside boolean, seq bigint);
CREATE TABLE chaos.backwards (n bigserial PRIMARY KEY, what text);
CREATE FUNCTION chaos.note_member() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
	r record;
BEGIN
	IF TG_OP = 'INSERT' THEN r := NEW; ELSE r := OLD; END IF;
	INSERT INTO chaos.membership (chat_id, user_id, inside, seq)
	SELECT r.chat_id, r.user_id, TG_OP = 'INSERT',
	    (SELECT last_seq FROM public.chats WHERE id = r.chat_id);
	RETURN NULL;
END $$;
CREATE FUNCTION chaos.note_backwards() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
	INSERT INTO chaos.backwards (what)
	VALUES (format('%s: %s -> %s', TG_TABLE_NAME, OLD, NEW));
	RETURN NULL;
END $$;
CREATE TRIGGER chaos_member AFTER INSERT OR DELETE ON members
FOR EACH ROW EXECUTE FUNCTION chaos.note_member();
CREATE TRIGGER chaos_marks AFTER UPDATE ON members FOR EACH ROW
WHEN (NEW.read_seq < OLD.read_seq OR NEW.delivered_seq < OLD.delivered_seq
	OR NEW.joined_seq < OLD.joined_seq)
EXECUTE FUNCTION chaos.note_backwards();
CREATE TRIGGER chaos_seq AFTER UPDATE ON chats FOR EACH ROW
WHEN (NEW.last_seq < OLD.last_seq OR NEW.announced_seq < OLD.announced_seq)
EXECUTE FUNCTION chaos.note_backwards();
"""


class Row(NamedTuple):
    """A stored message."""
    chat: str
    seq: int
    id: str
    sender: str
    front: str
    digest: str


class Member(NamedTuple):
    joined: int
    delivered: int
    read: int
    own_unread: int


class Database(NamedTuple):
    """The tables after a run. membership: (chat, user, inside, seq) in the
    order it happened; groups: (creator, request_id) of each group."""
    rows: list
    chats: dict             # id -> last_seq
    members: dict           # (chat, user) -> Member
    membership: list
    backwards: list
    groups: list


class Oracle:
    def __init__(self, stack):
        self.stack = stack

    def connect(self):
        return psycopg.connect(
            self.stack.postgres.conninfo("postgres", self.stack.database)
            + " connect_timeout=3 options='-c statement_timeout=20s'",
            autocommit=True)

    def install(self):
        """The services run already, and lock the same tables in other orders."""
        with self.connect() as link:
            for _ in range(INSTALL_TRIES - 1):
                with contextlib.suppress(psycopg.errors.DeadlockDetected):
                    link.execute(TRIGGERS)
                    return
            link.execute(TRIGGERS)

    def sample(self):
        """(chats, members) as of Sample, or None while the database is away."""
        try:
            with self.connect() as link:
                link.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                chats = {c: (last, told) for c, last, told in link.execute(
                    "SELECT id::text, last_seq, announced_seq FROM chats")}
                members = {(c, u): marks for c, u, *marks in link.execute(
                    "SELECT chat_id::text, user_id::text, joined_seq, "
                    "delivered_seq, read_seq FROM members")}
                return chats, members
        except psycopg.Error:
            return None

    def undelivered(self):
        """How many memberships have messages of others beyond their mark; None
        while the database is away."""
        try:
            with self.connect() as link:
                return link.execute(
                    "SELECT count(*) FROM members x WHERE EXISTS (SELECT FROM "
                    "messages m WHERE m.chat_id = x.chat_id AND "
                    "m.seq > x.delivered_seq AND m.sender_id <> x.user_id)"
                ).fetchone()[0]
        except psycopg.Error:
            return None

    def read(self):
        with self.connect() as link:
            def ask(statement):
                return link.execute(statement).fetchall()
            link.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            return Database(
                [Row(*r) for r in ask(
                    "SELECT chat_id::text, seq, id::text, sender_id::text, "
                    "front_msg_id::text, left(md5(content), 16) "
                    "FROM messages ORDER BY chat_id, seq")],
                dict(ask("SELECT id::text, last_seq FROM chats")),
                {(c, u): Member(*m) for c, u, *m in ask(
                    "SELECT chat_id::text, user_id::text, joined_seq, "
                    "delivered_seq, read_seq, own_unread FROM members")},
                ask("SELECT chat_id::text, user_id::text, inside, seq "
                    "FROM chaos.membership ORDER BY n"),
                [what for what, in ask(
                    "SELECT what FROM chaos.backwards ORDER BY n")],
                ask("SELECT created_by::text, create_request_id FROM chats "
                    "WHERE kind = 1"))
