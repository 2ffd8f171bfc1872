"""parleyctl: what operators do, each command against real processes.

SPDX-License-Identifier: MIT
"""

import json
import os
import re
import subprocess
import uuid

import pytest

from support import frames, hygiene
from support.client import (DEADLINE, PASSWORD, Session, http_form,
                            http_request, login, private_chat, register)
from support.doc_commands import run_block
from support.process import clean_environment, free_port, poll
from support.stack import BUILD, ROOT

PROGRAM = BUILD / "chatd" / "parleyctl" / "parleyctl"

# Exit statuses, as docs/parleyctl.md has them.
FAILED, USAGE, NOT_FOUND, FORBIDDEN, AWAY, UNWELL, UNCONFIRMED = range(1, 8)


class Tool:
    """parleyctl, beside a stack's processes."""

    def __init__(self, stack):
        self.stack = stack
        self.settings = {
            "PARLEY_CHATD": stack.addresses("parleyctl", "chatd"),
            "PARLEY_DATABASE_URL": stack.postgres.conninfo(
                "parley_chatd", stack.database),
            "PARLEY_MIGRATE_URL": stack.postgres.conninfo(
                "parley_owner", stack.database),
            "PARLEY_MEDIA_DIR": str(stack.directory / "media"),
            "PARLEY_PROCESSES": ",".join(
                f"{p.name}=127.0.0.1:{p.admin_port}"
                for p in stack.processes()),
            "PARLEY_TIMEOUT": f"{int(DEADLINE * 1000)}",
        }
        if "links" in stack.tls:
            links = stack.world.authority().links("parleyctl", "parleyctl")
            self.settings.update({f"PARLEY_{key.upper()}": str(value)
                                  for key, value in links.items()})

    def run(self, *arguments, given="", before=(), **settings):
        env = clean_environment(**{**self.settings, **settings})
        return subprocess.run(
            [*before, PROGRAM, *map(str, arguments)], env=env, text=True,
            cwd=self.stack.directory, input=given, capture_output=True,
            timeout=DEADLINE * 6)

    def ok(self, *arguments, **more):
        done = self.run(*arguments, **more)
        assert done.returncode == 0, (done.returncode, done.stderr)
        return done.stdout

    def json(self, *arguments, **more):
        return [json.loads(line) for line in
                self.ok(*arguments, "--json", **more).splitlines()]

    def fails(self, status, *arguments, **more):
        done = self.run(*arguments, **more)
        assert done.returncode == status, (done.returncode, done.stdout,
                                           done.stderr)
        return done.stderr


@pytest.fixture
def tool(stack):
    return Tool(stack)


@pytest.fixture(scope="module")
def own_stack(world):
    """For tests that need a database without others' people and chats."""
    stack = world.new_stack(gateways=2)
    yield stack
    faults = stack.close()
    assert not faults, "\n".join(faults)


def with_program():
    return {"PATH": f"{PROGRAM.parent}:{os.environ['PATH']}"}


def try_login(stack, username, password=PASSWORD):
    answer = http_request(stack.gateways[0], "POST", "/api/login",
                          {"username": username, "password": password})
    if answer.status == 200:
        hygiene.secret(answer.json["token"])
    return answer.status


def identify(tool, account):
    account.id = tool.json("user", "show", account.username)[0]["id"]
    return account


def person(stack, tool, prefix="p", **fields):
    name = f"{prefix}_{uuid.uuid4().hex[:12]}"
    return identify(tool, register(stack.gateways[0], name, **fields))


def audit(stack, what, user_id):
    lines = [line for chatd in stack.chatds
             for line in chatd.log_text().splitlines()
             if f"admin done={what} " in line and user_id in line]
    assert lines and all('by="' in line for line in lines), (what, user_id)
    return lines


# ---- accounts ---------------------------------------------------------------

async def test_accounts_are_made_found_and_listed(stack, tool):
    name = "ops_" + uuid.uuid4().hex[:8]
    password = hygiene.secret("given-" + uuid.uuid4().hex)
    made = tool.json("user", "create", name, "--name=Zoë Ops",
                     f"--email={name}@example.org", given=password + "\n")
    audit(stack, "user_created", made[0]["id"])
    assert try_login(stack, name, password) == 200
    # One that is made for us is printed once, and works.
    other = name + "_2"
    out = tool.ok("user", "create", other, f"--email={other}@example.org",
                  "--generate").splitlines()
    assert try_login(stack, other, hygiene.secret(out[1])) == 200
    for who in (name, name.upper(), f"{name}@example.org", made[0]["id"]):
        assert tool.json("user", "show", who)[0]["username"] == name
    found = tool.json("user", "search", name)
    assert [u["username"] for u in found] == [name, other]
    assert tool.json("user", "search", "zoe ops")[0]["username"] == name
    assert tool.json("user", "search", name, "--limit", "1") == found[:1]
    listed = [u["username"] for u in tool.json("user", "list", "--limit=5000")]
    assert listed == sorted(listed, key=str.lower) and name in listed
    table = tool.ok("user", "show", name)
    assert "Zoë Ops" in table and password not in table


async def test_a_list_is_read_in_pages(own_stack):
    stack, tool = own_stack, Tool(own_stack)
    with stack.postgres.connect(stack.database) as link:
        link.execute("INSERT INTO users (id, username, name, email, "
                     "password_hash) SELECT gen_random_uuid(), 'page_' || i, "
                     "E'a\\x1b[31mb', i || '@x.org', '' "
                     "FROM generate_series(1, 1200) i")
    assert len([u for u in tool.json("user", "list", "--limit=2000")
                if u["username"].startswith("page_")]) == 1200
    # What people call themselves does nothing to a terminal.
    table = tool.ok("user", "search", "page_", "--limit=2")
    assert "\x1b" not in table and "a?[31mb" in table


async def test_what_is_refused_says_why(stack, tool):
    ann = person(stack, tool)
    assert "username has already been taken" in tool.fails(
        FAILED, "user", "create", ann.username, "--email=q@q.org",
        given="long enough\n")
    error = tool.fails(FAILED, "user", "create", "x", "--email=q",
                       given="short\n")
    for field in ("username", "email", "password"):
        assert f"parleyctl: {field} " in error
    for command in (["show"], ["disable", "--yes"], ["enable"], ["export"],
                    ["delete", "--yes"], ["password", "--generate"]):
        error = tool.fails(NOT_FOUND, "user", command[0], "nobody_at_all",
                           *command[1:])
        assert error == "parleyctl: no such user or session\n"
    tool.fails(NOT_FOUND, "session", "end", ann.username, str(uuid.uuid4()),
               "--yes")
    for wrong in (["user"], ["user", "explode"], ["user", "show"],
                  ["user", "list", "--batch=3"], ["user", "list", "--limit=0"],
                  ["session", "end", ann.username],
                  ["retention", "messages"], ["user", "list", "--what=1"],
                  ["retention", "messages", "--older-than=1h"],
                  ["user", "password", ann.username],
                  ["user", "create", "abc", "--generate=x"]):
        assert len(tool.fails(USAGE, *wrong).splitlines()) == 1, wrong
    # A password has no place on a command line.
    assert "--password" not in tool.ok("--help")
    tool.fails(USAGE, "user", "password", ann.username, "--password=secret")
    for what in (["user", "disable"], ["user", "delete"]):
        error = tool.fails(UNCONFIRMED, *what, ann.username)
        assert "--yes" in error
    assert try_login(stack, ann.username) == 200


# ---- sessions ---------------------------------------------------------------

async def test_a_disabled_user_is_cut_off_and_kept_out(stack, tool):
    ann, ben = person(stack, tool), person(stack, tool)
    one = await Session.open(stack.gateways[0], ann)
    two = await Session.open(stack.gateways[1], login(stack.gateways[1], ann))
    friend = await Session.open(stack.gateways[1], ben)
    chat_id = await private_chat(friend, one)
    assert tool.ok("user", "disable", ann.username, "--yes") == \
        "disabled, 2 sessions ended\n"
    for session in (one, two):
        assert await session.wait_closed() == (1008, "Unauthorized")
    audit(stack, "user_disabled", ann.id)
    # Neither the tokens nor the password open anything; as if unknown.
    again = await Session.open(stack.gateways[0], ann, wait=False)
    assert await again.wait_closed() == (1008, "Unauthorized")
    assert try_login(stack, ann.username) == 401
    assert tool.json("user", "search", ann.username,
                     "--disabled")[0]["id"] == ann.id
    # For others the person is there as before, and what is sent is kept.
    info = await friend.ask("get_person_info", person_id=ann.id)
    assert info["person_info"]["username"] == ann.username
    sent = await friend.say(chat_id, "for when you are back")
    assert sent["message"]["state"] == "sent"
    tool.ok("user", "disable", ann.username, "--yes")
    assert tool.ok("user", "enable", ann.username) == "enabled\n"
    back = await Session.open(stack.gateways[0],
                              login(stack.gateways[0], ann))
    item = [c for c in back.info["last_chats"] if c["id"] == chat_id][0]
    assert item["unread_messages"] == 1


async def test_a_login_under_way_does_not_outlive_disabling(own_stack):
    """The password was found right; before the token is stored the account is
    disabled."""
    stack, tool = own_stack, Tool(own_stack)
    ann = person(stack, tool)
    with stack.postgres.connect(stack.database) as link:
        link.execute("BEGIN")
        link.execute("UPDATE users SET disabled_at = now() WHERE id = %s",
                     [ann.id])
        child = subprocess.Popen(
            ["/usr/bin/python3", "-c",
             "import http.client, json, sys\n"
             "h = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]))\n"
             "h.request('POST', '/api/login', sys.stdin.read(),\n"
             "          {'Content-Type': 'application/json'})\n"
             "print(h.getresponse().status)",
             stack.gateways[0].host, str(stack.gateways[0].port)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        child.stdin.write(json.dumps({"username": ann.username,
                                      "password": PASSWORD}))
        child.stdin.close()
        poll(lambda: stack.sql(
            "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
            "AND query LIKE '%%FOR SHARE%%' AND datname = %s",
            stack.database), "login that waits for the account")
        link.execute("COMMIT")
    assert child.stdout.read() == "401\n" and child.wait(DEADLINE) == 0
    assert stack.sql("SELECT count(*) FROM tokens WHERE user_id = %s "
                     "AND ended_at IS NULL AND created_at > (SELECT "
                     "disabled_at FROM users WHERE id = %s)",
                     ann.id, ann.id) == [(0,)]


async def test_a_password_is_reset(stack, tool):
    ann = person(stack, tool)
    session = await Session.open(stack.gateways[0], ann)
    fresh = hygiene.secret("fresh-" + uuid.uuid4().hex)
    tool.ok("user", "password", ann.username, "--keep-sessions",
            given=fresh + "\n")
    assert try_login(stack, ann.username) == 401
    assert try_login(stack, ann.username, fresh) == 200
    await session.fence()
    out = tool.ok("user", "password", ann.username, "--generate")
    assert await session.wait_closed() == (1008, "Unauthorized")
    assert try_login(stack, ann.username, fresh) == 401
    made = hygiene.secret(out.splitlines()[1])
    assert try_login(stack, ann.username, made) == 200
    audit(stack, "password_reset", ann.id)
    assert "password should be at least" in tool.fails(
        FAILED, "user", "password", ann.username, given="short\n")


async def test_sessions_are_shown_and_ended(stack, tool):
    ann = person(stack, tool)
    laptop = login(stack.gateways[0], ann)
    first = await Session.open(stack.gateways[0], ann, source="127.0.0.9")
    second = await Session.open(stack.gateways[1], laptop)
    third = await Session.open(stack.gateways[1], laptop)
    shown = tool.json("online", ann.username)[0]
    assert shown["missing"] == 0 and len(shown["gateways"]) == 2
    held = {g["listen"]: g["list"] for g in shown["gateways"]}
    at = [held[f"127.0.0.1:{g.port}"] for g in stack.gateways]
    assert [len(x) for x in at] == [1, 2]
    assert at[0][0]["address"] == "127.0.0.9"
    assert at[1][0]["session"] == at[1][1]["session"] != at[0][0]["session"]
    assert "127.0.0.9" in tool.ok("online", ann.username)
    listed = tool.ok("session", "list", ann.username).splitlines()
    counts = {line.split()[0]: line.split()[-1] for line in listed[1:]}
    assert counts == {at[0][0]["session"]: "1", at[1][0]["session"]: "2"}
    assert len(tool.json("session", "list", ann.username)[0]["sessions"]) == 2
    # One login with its two sockets; the other one stays.
    tool.ok("session", "end", ann.username, at[1][0]["session"], "--yes")
    for session in (second, third):
        assert await session.wait_closed() == (1008, "Unauthorized")
    await first.fence()
    audit(stack, "sessions_ended", ann.id)
    assert tool.ok("session", "end", ann.username, "--all", "--yes") == \
        "1 sessions ended\n"
    assert await first.wait_closed() == (1008, "Unauthorized")
    assert try_login(stack, ann.username) == 200
    # Nobody's session is another's.
    eve = person(stack, tool)
    tool.fails(NOT_FOUND, "session", "end", eve.username,
               at[0][0]["session"], "--yes")


async def test_what_each_gateway_holds(stack, tool):
    sessions = [await Session.open(stack.gateways[0], person(stack, tool))
                for _ in range(3)]
    report = tool.json("online")[0]
    mine = [g for g in report["gateways"]
            if g["listen"].endswith(f":{stack.gateways[0].port}")][0]
    assert mine["sessions"] >= len(sessions) and "list" not in mine
    assert "in all" in tool.ok("online")


# ---- what is stored ---------------------------------------------------------

async def talk_of(stack, tool):
    """Somebody with all that can be stored of him: returns him, his words, and
    what else to look for."""
    ann, ben, cat = (person(stack, tool, p) for p in ("gone", "ben", "cat"))
    one = await Session.open(stack.gateways[0], ann)
    two = await Session.open(stack.gateways[1], ben)
    three = await Session.open(stack.gateways[1], cat)
    words = [f"words of {uuid.uuid4().hex}" for _ in range(4)]
    private = await private_chat(one, two)
    notes = (await one.ask("create_private_chat",
                           user_id=ann.id))["chat_item"]["id"]
    group = (await one.ask("create_group", name="The group", member_ids=[
        ben.id, cat.id]))["chat_item"]["id"]
    await one.say(private, words[0])
    await two.say(private, "an answer that stays")
    await one.say(notes, words[1])
    await one.say(group, words[2])
    await two.say(group, "said by another")
    await one.ask("add_contact", user_id=cat.id)
    await two.ask("add_contact", user_id=ann.id)
    await two.ask("change_nickname", user_id=ann.id,
                  new_nickname="Nick of " + ann.id[-12:])
    upload = http_form(stack.gateways[0], "/api/chat/upload",
                       {"file": ("a.bin", "application/octet-stream",
                                 b"\x01\x02" * 50)},
                       headers={"Authorization": f"Bearer {ann.token}"})
    url = upload.json["url"]
    await one.say(group, url, format="file", filename=words[3])
    return ann, (one, two, three), words, (private, notes, group), url


def tables(stack):
    return [name for name, in stack.sql(
        "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n "
        "ON n.oid = c.relnamespace WHERE n.nspname = 'public' "
        "AND c.relkind IN ('r', 'p')")]


def found_in(stack, *needles):
    """Which tables hold any of these, in whatever column."""
    return {(table, needle) for table in tables(stack) for needle in needles
            if stack.sql(f"SELECT 1 FROM {table} t WHERE strpos(lower("
                         f"t::text), lower(%s)) > 0 LIMIT 1", needle)}


async def test_an_export_is_complete(stack, tool):
    ann, sessions, words, chats, url = await talk_of(stack, tool)
    path = stack.directory / f"{ann.username}.jsonl"
    tool.ok("user", "export", ann.username, "--output", path)
    assert path.stat().st_mode & 0o777 == 0o600
    tool.fails(FAILED, "user", "export", ann.username, "--output", path)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    by_kind = {kind: [x for x in lines if x["kind"] == kind]
               for kind in {x["kind"] for x in lines}}
    assert by_kind["profile"][0]["email"] == f"{ann.username}@example.org"
    assert len(by_kind["session"]) == 1
    assert [c["user_id"] for c in by_kind["contact"]] == [
        sessions[2].account.id]
    assert {c["id"] for c in by_kind["chat"]} == set(chats)
    assert {m["content"] for m in by_kind["message"]} == {*words[:3], url}
    assert by_kind["media"] == [
        {"kind": "media", "url": url, "message_id": by_kind["media"][0][
            "message_id"]}]
    assert all(m["time"].endswith("Z") for m in by_kind["message"])
    audit(stack, "user_exported", ann.id)
    # Others' words are theirs, and given out only on demand.
    told = tool.ok("user", "export", ann.username, "--conversations")
    assert "an answer that stays" in told and "said by another" in told
    assert "an answer that stays" not in path.read_text()
    # In pages: more than one holds.
    with stack.postgres.connect(stack.database) as link:
        link.execute(
            "WITH c AS (UPDATE chats SET last_seq = last_seq + 450 WHERE id = "
            "%s RETURNING last_seq - 450 AS base) INSERT INTO messages "
            "(chat_id, seq, id, sender_id, front_msg_id, format, content, "
            "created_at) SELECT %s, base + i, gen_random_uuid(), %s, "
            "gen_random_uuid(), 0, 'm' || i, now() FROM c, "
            "generate_series(1, 450) i", [chats[0], chats[0], ann.id])
    more = [json.loads(x) for x in
            tool.ok("user", "export", ann.username).splitlines()]
    contents = {m["content"] for m in more if m["kind"] == "message"}
    assert {f"m{i}" for i in range(1, 451)} <= contents
    received = [json.loads(x) for x in tool.ok(
        "user", "export", sessions[1].account.username,
        "--conversations").splitlines()]
    assert {f"m{i}" for i in range(1, 451)} <= {
        m["content"] for m in received if m["kind"] == "message"}


async def test_nothing_is_left_of_who_is_deleted(stack, tool):
    ann, (one, two, three), words, chats, url = await talk_of(stack, tool)
    private, notes, group = chats
    name = url.rsplit("/", 1)[1]
    stored = stack.directory / "media" / name
    assert found_in(stack, ann.id) and stored.exists()
    # Long enough a chat for its texts to be copied for search.
    with stack.postgres.connect(stack.database) as link:
        link.execute("INSERT INTO message_blocks VALUES (%s, 0, "
                     "parley_fold(%s))", [group, " ".join(words)])
    out = tool.json("user", "delete", ann.username, "--yes")
    assert out == [{"erased": True, "messages": 4, "groups": 1}]
    assert await one.wait_closed() == (1008, "Unauthorized")
    removed = await two.wait("chat_member_removed")
    assert removed["user_id"] == ann.id and removed["chat_id"] == group
    # He was its only admin.
    await two.wait("admin_given_to_member", lambda f: f["chat_id"] == group)
    poll(lambda: not stack.sql("SELECT 1 FROM messages WHERE chat_id = %s",
                               notes), "emptied notes")
    assert not found_in(stack, ann.id, ann.username, ann.name,
                        f"{ann.username}@example.org", "Nick of " + ann.id[-12:],
                        url, *words)
    audit(stack, "user_erased", ann.id)
    assert try_login(stack, ann.username) == 401
    tool.fails(NOT_FOUND, "user", "show", ann.id)
    # The others' chats are whole: places kept, numbers without gaps.
    again = await Session.open(stack.gateways[0],
                               login(stack.gateways[0], two.account))
    items = {c["id"]: c for c in again.info["last_chats"]}
    assert items[private]["name"] == "Deleted account"
    assert items[private]["other_user_id"] not in (ann.id, two.account.id)
    assert notes not in items
    for chat, kept in ((private, "an answer that stays"),
                       (group, "said by another")):
        shown = (await again.ask("open_chat", chat_id=chat))["chat"]
        assert [m["seq"] for m in shown["messages"]] == list(
            range(1, shown["last_seq"] + 1))
        assert [m["content"] for m in shown["messages"]
                if m["deleted_at"] is None] == [kept]
        gone = [m for m in shown["messages"] if m["deleted_at"]]
        assert {(m["content"], m["sender_name"], m["format"])
                for m in gone} == {("Message deleted", "Deleted account",
                                    "text")}
    assert ann.id not in {m["user_id"] for m in shown["members"]}
    answer = http_request(stack.gateways[0], "GET",
                          f"/api/chats/{group}/search?q=words", None,
                          {"Authorization": f"Bearer {two.account.token}"})
    assert answer.status == 200 and answer.json == []
    # Shells are nobody: not found by people, not listed to operators.
    found = await again.ask("search_people", input="Deleted acc")
    assert "Deleted account" not in json.dumps(found)
    assert not [u for u in tool.json("user", "list", "--limit=100000")
                if u["name"] == "Deleted account"]
    # Writing on in the private chat works; nobody reads it.
    assert (await again.say(private, "still there?"))["message"]["seq"] == 3
    # Files that nothing refers to any more go when they are old enough.
    os.utime(stored, (1, 1))
    keep = stack.directory / "media" / "young-one"
    keep.write_bytes(b"x")
    assert name in tool.ok("retention", "media", "--dry-run")
    assert stored.exists()
    tool.ok("retention", "media", "--yes")
    assert not stored.exists() and keep.exists()


async def test_deleting_both_sides_of_a_chat_deletes_the_chat(stack, tool):
    ann, ben = person(stack, tool), person(stack, tool)
    one = await Session.open(stack.gateways[0], ann)
    two = await Session.open(stack.gateways[1], ben)
    chat_id = await private_chat(one, two)
    await one.say(chat_id, "to be gone")
    tool.ok("user", "delete", ann.username, "--yes")
    assert stack.sql("SELECT count(*) FROM members WHERE chat_id = %s",
                     chat_id) == [(2,)]
    tool.ok("user", "delete", ben.id, "--yes")
    assert not stack.sql("SELECT 1 FROM chats WHERE id = %s", chat_id)
    poll(lambda: not found_in(stack, chat_id), "rest of the chat")


async def test_a_message_that_comes_last_is_erased_too(own_stack):
    """A send that was under way when its sender was cut off is stored right
    before the account goes."""
    stack, tool = own_stack, Tool(own_stack)
    ann, ben = person(stack, tool), person(stack, tool)
    one = await Session.open(stack.gateways[0], ann)
    two = await Session.open(stack.gateways[1], ben)
    chat_id = await private_chat(one, two)
    with stack.postgres.connect(stack.database) as link:
        # Once, when the chat is about to get its other member.
        link.execute(f"""
            CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql
            SECURITY DEFINER AS $f$ BEGIN
            INSERT INTO messages (chat_id, seq, id, sender_id, front_msg_id,
                format, content, created_at)
            VALUES ('{chat_id}', 1, gen_random_uuid(), '{ann.id}',
                gen_random_uuid(), 0, 'just before', now())
            ON CONFLICT DO NOTHING;
            UPDATE chats SET last_seq = 1 WHERE id = '{chat_id}';
            RETURN NEW; END $f$""")
        link.execute("CREATE TRIGGER late BEFORE UPDATE ON members FOR EACH "
                     f"ROW WHEN (OLD.user_id = '{ann.id}' AND NEW.user_id <> "
                     "OLD.user_id) EXECUTE FUNCTION late()")
        out = tool.json("user", "delete", ann.username, "--yes")
        link.execute("DROP TRIGGER late ON members")
    assert out[0]["messages"] == 1
    assert not found_in(stack, ann.id, "just before")


async def test_deleting_goes_on_where_it_was_cut_off(own_stack):
    stack, tool = own_stack, Tool(own_stack)
    ann, _, words, chats, url = await talk_of(stack, tool)
    with stack.postgres.connect(stack.database) as link:
        link.execute("INSERT INTO messages (chat_id, seq, id, sender_id, "
                     "front_msg_id, format, content, created_at) SELECT %s, "
                     "1000 + i, gen_random_uuid(), %s, gen_random_uuid(), 0, "
                     "'more of it', now() FROM generate_series(1, 250) i",
                     [chats[2], ann.id])
        # The last step is refused: what is done before stays done.
        link.execute("CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql "
                     "AS 'BEGIN RAISE ''not now''; END'")
        link.execute("CREATE TRIGGER no BEFORE DELETE ON users FOR EACH ROW "
                     "EXECUTE FUNCTION no()")
        error = tool.fails(AWAY, "user", "delete", ann.username, "--yes")
        assert "goes on where this one stopped" in error
        assert not found_in(stack, *words, "more of it")
        state = tool.ok("user", "show", ann.username)
        assert "being erased" in state
        assert try_login(stack, ann.username) == 401
        tool.fails(NOT_FOUND, "user", "enable", ann.username)
        link.execute("DROP TRIGGER no ON users")
    tool.ok("user", "delete", ann.username, "--yes")
    assert not found_in(stack, ann.id, ann.username, url)


# ---- retention --------------------------------------------------------------

def age(stack, chat_id, upto, days=400):
    with stack.postgres.connect(stack.database) as link:
        link.execute("UPDATE messages SET created_at = now() - %s * "
                     "interval '1 day' WHERE chat_id = %s AND seq <= %s",
                     [days, chat_id, upto])


async def test_retention_keeps_the_contract(own_stack):
    stack, tool = own_stack, Tool(own_stack)
    ann, ben = person(stack, tool), person(stack, tool)
    one = await Session.open(stack.gateways[0], ann)
    two = await Session.open(stack.gateways[1], ben)
    chat_id = await private_chat(one, two)
    for i in range(1, 31):
        await (two if i % 3 == 0 else one).say(chat_id, f"old {i}")
    await two.wait("new_message", lambda f: f["message"]["seq"] == 29)
    await two.close()
    for i in range(31, 41):
        await one.say(chat_id, f"young {i}")
    emptied = await private_chat_of_notes(one)
    age(stack, chat_id, 30)
    age(stack, emptied, 3)
    with stack.postgres.connect(stack.database) as link:
        link.execute("INSERT INTO message_blocks VALUES (%s, 0, 'old 1')",
                     [chat_id])
    before = stack.sql("SELECT count(*) FROM messages")
    dry = tool.json("retention", "messages", "--older-than=365d", "--dry-run")
    assert (dry[0]["messages"], dry[0]["chats"]) == (33, 2)
    assert stack.sql("SELECT count(*) FROM messages") == before
    # In batches of 7, each a transaction.
    done = tool.json("retention", "messages", "--older-than=365d",
                     "--batch=7", "--yes")
    assert (done[0]["messages"], done[0]["chats"]) == (33, 2)
    assert tool.json("retention", "messages", "--older-than=365d",
                     "--yes")[0]["messages"] == 0
    # What was copied for search is made anew of what is left.
    body, = stack.sql("SELECT body FROM message_blocks WHERE chat_id = %s",
                      chat_id)[0]
    assert "old" not in body and "young 31" in body
    frames.begins.update({chat_id: 31, emptied: 4})
    # Who had read nothing has ten unread, which are all there is.
    back = await Session.open(stack.gateways[1],
                              login(stack.gateways[1], ben))
    item = [c for c in back.info["last_chats"] if c["id"] == chat_id][0]
    assert item["unread_messages"] == 10
    assert item["last_message"]["content"] == "young 40"
    shown = (await back.ask("open_chat", chat_id=chat_id))["chat"]
    assert [m["seq"] for m in shown["messages"]] == list(range(31, 41))
    assert shown["has_more"] is False and shown["last_seq"] == 40
    assert shown["unread_messages"] == 10
    # Pages end where the history does.
    page = await back.ask("get_messages", chat_id=chat_id, limit=4)
    assert ([m["seq"] for m in page["messages"]], page["has_more"]) == (
        [37, 38, 39, 40], True)
    page = await back.ask("get_messages", chat_id=chat_id, before_seq=35,
                          limit=4)
    assert ([m["seq"] for m in page["messages"]], page["has_more"]) == (
        [31, 32, 33, 34], False)
    page = await back.ask("get_messages", chat_id=chat_id, before_seq=31)
    assert (page["messages"], page["has_more"]) == ([], False)
    # A client that was away since long before gets what is there, and an end.
    for mark, seqs in ((0, range(31, 41)), (12, range(31, 41)),
                       (35, range(36, 41)), (40, ())):
        done, pages = await sync(back, chat_id, mark)
        assert [m["seq"] for p in pages for m in p["messages"]] == list(seqs)
        assert not any(p["has_more"] for p in pages)
        assert done["chats"] == len(pages)
    # A chat of which nothing is left: no loop, no message, the next number.
    _, pages = await sync(one, emptied, 0)
    assert [(p["messages"], p["has_more"]) for p in pages] == [([], False)]
    shown = (await one.ask("open_chat", chat_id=emptied))["chat"]
    assert (shown["messages"], shown["has_more"], shown["last_seq"]) == (
        [], False, 3)
    # Receipts and sending go on where they were.
    said = await one.say(chat_id, "and on")
    assert said["message"]["seq"] == 41
    heard = await back.wait("new_message")
    assert heard["message"]["seq"] == 41
    await one.wait("messages_delivered",
                   lambda f: said["message"]["id"] in f["message_ids"])
    await back.ask("chat_messages_read", chat_id=chat_id)
    await one.wait("chat_read")
    assert (await one.say(emptied, "again"))["message"]["seq"] == 4


async def sync(session, chat_id, last_seq):
    since = session.mark()
    await session.send({"type": "sync", "chats": [
        {"chat_id": chat_id, "last_seq": last_seq}]})
    done = await session.wait("sync_done", since=since)
    return done, session.all("chat_messages", since)


async def private_chat_of_notes(session):
    made = await session.ask("create_private_chat",
                             user_id=session.account.id)
    chat_id = made["chat_item"]["id"]
    for i in range(3):
        await session.say(chat_id, f"note {i}")
    return chat_id


def test_retention_by_the_guide(own_stack):
    run_block("docs/parleyctl.md", "retention",
              env={**Tool(own_stack).settings, **with_program()})


async def test_retention_waits_for_who_is_writing(own_stack):
    """The chat's lock is held by somebody else for a while."""
    stack, tool = own_stack, Tool(own_stack)
    one = await Session.open(stack.gateways[0], person(stack, tool))
    chat_id = await private_chat_of_notes(one)
    age(stack, chat_id, 2, 40)
    with stack.postgres.connect(stack.database) as link:
        link.execute("BEGIN")
        link.execute("SELECT FROM chats WHERE id = %s FOR UPDATE", [chat_id])
        child = subprocess.Popen(
            [PROGRAM, "retention", "messages", "--older-than=30d", "--yes",
             "--json"], env=clean_environment(**tool.settings), text=True,
            stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        poll(lambda: stack.sql(
            "SELECT 1 FROM pg_stat_activity WHERE application_name = "
            "'parleyctl' AND wait_event_type = 'Lock'"), "waiting parleyctl")
        link.execute("COMMIT")
    assert json.loads(child.stdout.read())["messages"] == 2
    assert child.wait(DEADLINE) == 0


# ---- the schema -------------------------------------------------------------

async def test_the_schema_is_checked_and_brought_up_to_date(new_stack):
    stack = new_stack(start=False)
    tool = Tool(stack)
    empty = stack.postgres.make_database()
    urls = {"PARLEY_DATABASE_URL": stack.postgres.conninfo(
                "parley_owner", empty),
            "PARLEY_MIGRATE_URL": stack.postgres.conninfo(
                "parley_owner", empty)}
    assert "up to date" in tool.ok("migrate", "status")
    done = tool.run("migrate", "status", **urls)
    assert done.returncode == UNWELL and "0001_chats" in done.stdout
    tool.fails(UNCONFIRMED, "migrate", "run", **urls)
    tool.ok("migrate", "run", "--yes", **urls)
    state = tool.json("migrate", "status", **urls)[0]
    assert state["state"] == "up to date"
    assert state["database"] == state["program"] > 5
    with stack.postgres.connect(empty) as link:
        link.execute("INSERT INTO schema_migrations VALUES (9999, 'future')")
    assert tool.run("migrate", "status", **urls).returncode == UNWELL
    tool.fails(FAILED, "migrate", "run", "--yes", **urls)


# ---- when something is away, or not allowed ---------------------------------

async def test_what_is_away_is_named(new_stack):
    stack = new_stack()
    tool = Tool(stack)
    ann = person(stack, tool)
    session = await Session.open(stack.gateways[0], ann)
    assert {x["state"] for x in tool.json("status")} == {"ready"}
    stack.redis.terminate()
    poll(lambda: stack.chatds[0].admin("/readyz")[0] == 503, "a chatd's "
         "noticing")
    done = tool.run("status")
    assert done.returncode == UNWELL and "missing: redis" in done.stdout
    tool.fails(AWAY, "online")
    # Ending sessions does not depend on it: sockets close when it is back.
    tool.ok("session", "end", ann.username, "--all", "--yes")
    stack.redis.child = None
    stack.redis.start()
    assert await session.wait_closed() == (1008, "Unauthorized")
    stack.chatds[0].kill()
    error = tool.fails(AWAY, "user", "list", PARLEY_TIMEOUT="500ms")
    assert "no chatd answers at ipc://chatd-1.sock within 500 ms" in error
    done = tool.run("status")
    assert done.returncode == UNWELL and "does not answer" in done.stdout
    done = tool.run("doctor", PARLEY_TIMEOUT="500ms")
    assert done.returncode == UNWELL and "BAD      chatd-1" in done.stdout
    stack.chatds[0].start().wait_ready()
    url = tool.settings["PARLEY_DATABASE_URL"].replace(
        f"port={stack.postgres.port}", f"port={free_port()}")
    assert "cannot reach PostgreSQL" in tool.fails(
        AWAY, "migrate", "status", PARLEY_DATABASE_URL=url)


async def test_doctor_finds_what_is_set_wrong(own_stack):
    stack, tool = own_stack, Tool(own_stack)
    assert "BAD" not in tool.ok("doctor")
    with stack.postgres.connect(stack.database) as link:
        link.execute(f"ALTER DATABASE {stack.database} "
                     "SET synchronous_commit = off")
    done = tool.run("doctor", PARLEY_DATABASE_URL=stack.postgres.conninfo(
        "parley_owner", stack.database))
    assert done.returncode == UNWELL
    found = re.findall(r"^BAD +(.*)$", done.stdout, re.MULTILINE)
    assert len(found) == 2, done.stdout
    assert "synchronous_commit is off" in found[0] and \
        "owns the schema" in found[1]
    # Without a database it says so and looks at the rest.
    done = tool.run("doctor", PARLEY_DATABASE_URL="")
    assert done.returncode == 0 and "skipped" in done.stdout
    with stack.postgres.connect(stack.database) as link:
        link.execute(f"ALTER DATABASE {stack.database} "
                     "RESET synchronous_commit")


@pytest.mark.skipif(os.getuid() != 0, reason="changes to another account")
@pytest.mark.plain
async def test_other_accounts_may_not(new_stack):
    """Over ipc:// the kernel says who calls: a gateway's account, which is in
    the group that may connect, is no operator."""
    stack = new_stack(settings={"chatd": {"listen_group": "nogroup"}})
    tool = Tool(stack)
    ann = person(stack, tool)
    for path in (stack.directory, *stack.directory.parents[:3]):
        assert path.stat().st_mode & 0o005 == 0o005, path
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    error = tool.fails(FORBIDDEN, "user", "disable", ann.username, "--yes",
                       before=nobody)
    assert error.startswith("parleyctl: not permitted: chatd takes this from")
    assert "call_forbidden call=admin_user_find" in \
        stack.chatds[0].log_text()
    os.chmod(stack.directory / "chatd-1.sock", 0o600)
    assert "not permitted to connect" in tool.fails(
        FORBIDDEN, "user", "list", before=nobody, PARLEY_TIMEOUT="500ms")
    assert try_login(stack, ann.username) == 200


@pytest.mark.plain
async def test_plain_tcp_takes_no_operator(new_stack):
    address = f"tcp://127.0.0.1:{free_port()}"
    stack = new_stack(start=False, settings={
        "chatd": {"listen": address}, "gateway": {"chatd": address},
        "presenced": {"chatd": address}})
    stack.start()
    tool = Tool(stack)
    tool.settings["PARLEY_CHATD"] = address
    assert "insecure_admin_calls" in tool.fails(FORBIDDEN, "user", "list")
    chatd = stack.chatds[0]
    chatd.terminate()
    chatd.argv.append("--insecure-admin-calls=on")
    chatd.child = None
    chatd.start().wait_ready()
    assert tool.json("user", "list") == []


async def test_with_tls_a_certificate_says_who_is_an_operator(new_stack):
    stack = new_stack(tls=("links",))
    tool = Tool(stack)
    ann = person(stack, tool)
    assert tool.json("user", "show", ann.username)[0]["id"] == ann.id
    links = stack.world.authority().links("gateway", "gateway-1")
    error = tool.fails(USAGE, "user", "list", **{
        f"PARLEY_{key.upper()}": str(value) for key, value in links.items()})
    assert "not made for a parleyctl" in error
    # And by the guide's words.
    made = stack.world.authority().directory
    done = run_block("docs/parleyctl.md", "certificate", {
        "tls+tcp://chatd-1.example.org:7001": tool.settings["PARLEY_CHATD"],
        ".sh tls ": f".sh {made} ", "tls/": f"{made}/"}, env=with_program())
    assert ann.username in done.stdout


# ---- help, completion, settings ---------------------------------------------

async def test_help_and_completion_know_every_command(tool):
    text = tool.ok("--help")
    commands = re.findall(r"^  ((?:user|session|migrate|retention) \w+|online|"
                          r"status|doctor)\b", text, re.MULTILINE)
    assert len(commands) == 18
    for command in commands:
        one = tool.ok(*command.split(), "--help")
        assert one.startswith(f"Usage: parleyctl {command}")
    for setting in ("--chatd", "--processes", "--rpc-tls-ca", "--timeout"):
        assert setting in tool.ok("settings", "--help")
    # The guide has them all.
    guide = (ROOT / "docs" / "parleyctl.md").read_text()
    for command in commands:
        assert re.search(rf"\b{command}\b", guide), command
    for flag in re.findall(r"^  --([a-z0-9-]+)", tool.ok(
            "settings", "--help"), re.MULTILINE):
        key = flag.replace("-", "_")
        assert f"`{key}`" in guide or key in ("config", "insecure_links") or \
            key.endswith("_file"), key
    for option in re.findall(r"^  --([a-z-]+)", text.split("Options:")[1],
                             re.MULTILINE):
        assert f"--{option}" in guide, option
    script = tool.ok("completion")
    words = {"user ": "create list search show disable enable password export "
                      "delete", "session ": "list end", "": "user"}
    for line, expected in words.items():
        typed = ["parleyctl", *line.split(), ""]
        done = subprocess.run(
            ["bash", "-c", script + "\nCOMP_WORDS=(" + " ".join(
                f'"{w}"' for w in typed) + f"); COMP_CWORD={len(typed) - 1}; "
             "_parleyctl; echo ${COMPREPLY[*]}"],
            capture_output=True, text=True, check=True)
        assert set(expected.split()) <= set(done.stdout.split()), (
            line, done.stdout, done.stderr)


async def test_settings_come_from_a_file_too(stack, tool):
    path = stack.directory / "parleyctl.conf"
    path.write_text(f"chatd = {tool.settings.pop('PARLEY_CHATD')}\n")
    tool.ok("--config", path, "user", "list")
    assert "chatd = " in tool.ok("--config", path, "--print-config")
    tool.fails(USAGE, "--config", path, "--chatd=nonsense", "user", "list")
