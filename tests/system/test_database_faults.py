"""The database refuses, conflicts, fails over, or is cut off within a COMMIT: what
was answered holds, what was not is resolved by asking again.

SPDX-License-Identifier: MIT
"""

import asyncio
import threading

from support.client import PATIENCE, new_id
from support.process import poll
from support.relay import Relay
from support.scene import chat_info, pair, person
from support.traffic import Sender

QUICK = {"gateway": {"request_timeout": "2s"}}


def lenient(*sessions):
    for session in sessions:
        session.invariants.lenient = True


async def stored(stack, chat_id):
    return stack.sql("SELECT count(*), count(DISTINCT front_msg_id), max(seq) "
                     "FROM messages WHERE chat_id = %s", chat_id)[0]


def role(stack, setting):
    """A setting of chatd's role in this database, for new connections."""
    with stack.postgres.connect(stack.database) as link:
        link.execute(f"ALTER ROLE parley_chatd IN DATABASE {stack.database} "
                     f"{setting}")


def cut_links(stack):
    """chatd's connections are ended as by an administrator (57P01)."""
    return len(stack.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
        "datname = %s AND usename = 'parley_chatd'", stack.database))


def links(stack):
    return stack.chatds[0].metric("parley_db_links")


def all_links(stack):
    return links(stack) == stack.chatds[0].metric("parley_db_links_wanted")


async def background(function, *arguments):
    return await asyncio.to_thread(function, *arguments)


# ---- conflicts ---------------------------------------------------------------------

async def test_serialization_failures_are_repeated(new_stack):
    """Two chatds under serializable isolation and many who write to one chat."""
    stack = new_stack(gateways=2, chatds=2, settings={"gateway": {
        "request_timeout": "20s"}})
    role(stack, "SET default_transaction_isolation = 'serializable'")
    cut_links(stack)
    ann, ben, chat_id = await pair(stack)
    lenient(ann, ben)
    made = {"type": "error", "reason": "unavailable"}
    while made["type"] == "error":      # the links are being made anew
        assert made["reason"] == "unavailable", made
        made = await ann.ask("create_group", name="Busy",
                             member_ids=[ben.account.id])
    group = made["chat"]["id"]
    senders = [Sender(who, chat, 30, f"{i} conflicts")
               for i, (who, chat) in enumerate(
                   [(ann, chat_id), (ben, chat_id)])]

    async def rename(who, label):
        for i in range(10):
            answer = await who.ask("change_group_name", chat_id=group,
                                   new_name=f"{label} {i}")
            assert answer["type"] == "group_name_change_result", answer
    await ann.ask("give_admin", chat_id=group, user_id=ben.account.id)
    await asyncio.gather(*(s.run() for s in senders), rename(ann, "a"),
                         rename(ben, "b"))
    assert await stored(stack, chat_id) == (60, 60, 60)
    assert sum(s.errors for s in senders) == 0
    version = stack.sql("SELECT version FROM chats WHERE id = %s", group)
    assert version == [(21,)]


async def test_a_deadlock_is_resolved_and_repeated(new_stack):
    """Another session takes the locks of two chats in the opposite order."""
    stack = new_stack(settings={"gateway": {"request_timeout": "10s"}})
    ann, ben, one = await pair(stack)
    cid, dan, other = await pair(stack)
    eve, fay, third = await pair(stack)
    lenient(ann, ben, cid, dan, eve, fay)
    first, last = sorted((one, other))

    def waiting():
        return stack.sql(
            "SELECT pid FROM pg_stat_activity WHERE datname = %s AND "
            "usename = 'parley_chatd' AND wait_event_type = 'Lock'",
            stack.database)
    lock = "SELECT FROM chats WHERE id = %s FOR UPDATE"
    with stack.postgres.connect(stack.database) as link, \
            stack.postgres.connect(stack.database) as gate:
        link.execute("SET deadlock_timeout = '30s'")
        link.execute("BEGIN")
        link.execute(lock, (last,))
        # While a send waits at the gate those to both chats become one batch.
        gate.execute("BEGIN")
        gate.execute(lock, (third,))
        tasks = [asyncio.ensure_future(eve.say(third, f"first {new_id()}"))]
        await background(poll, waiting, "a send that waits at the gate")
        tasks += [asyncio.ensure_future(who.say(chat, f"both {new_id()}"))
                  for who, chat in ((ann, one), (cid, other))]
        chatd = stack.chatds[0]
        await background(poll, lambda: chatd.metric("parley_writer_queued")
                         == 2, "a batch of both")
        gate.execute("ROLLBACK")
        # It has the first chat and waits for the last.
        await background(poll, lambda: stack.sql(
            "SELECT 1 FROM messages WHERE chat_id = %s", third), "the gate")
        await background(poll, waiting, "the batch that waits")
        await background(link.execute, lock, (first,))
        link.execute("ROLLBACK")
    answers = await asyncio.gather(*tasks)
    assert [a["type"] for a in answers] == ["new_message"] * 3
    assert chatd.metric("parley_db_conflicts_total") >= 1
    for chat in (one, other, third):
        assert await stored(stack, chat) == (1, 1, 1)


async def test_a_lock_held_too_long_is_unavailable_not_for_ever(new_stack):
    stack = new_stack(settings=QUICK)
    ann, ben, chat_id = await pair(stack)
    lenient(ann, ben)
    front = new_id()
    with stack.postgres.connect(stack.database) as link:
        link.execute("BEGIN")
        link.execute("SELECT FROM chats WHERE id = %s FOR UPDATE", (chat_id,))
        answer = await ann.say(chat_id, "behind a lock", front)
        assert (answer["type"], answer["reason"]) == ("error", "unavailable")
        # Another chat gets past it: at once, or, behind the batch that waits for
        # the lock once more, when it is sent again.
        cid = await person(stack)
        created = await ann.ask("create_private_chat", user_id=cid.account.id)
        other, past = created["chat_item"]["id"], new_id()
        for _ in range(3):
            answer = await ann.say(other, "past the lock", past)
            if answer["type"] == "new_message":
                break
            assert answer["reason"] == "unavailable", answer
        assert answer["type"] == "new_message"
        link.execute("ROLLBACK")
    assert (await ann.say(chat_id, "behind a lock", front))["type"] == \
        "new_message"
    assert await stored(stack, chat_id) == (1, 1, 1)


# ---- a link lost within the COMMIT ---------------------------------------------------

class HeldSync:
    """The link on which `statement` goes is held before the Sync that commits it
    (a message of its own, without a body). Other links, by which receipts and the
    like commit meanwhile, go on."""

    def __init__(self, relay, statement):
        self.ours = None
        self.held = threading.Event()
        self.watches = [
            # As it is bound: to the portal without a name.
            relay.watch(b"\0%s\0" % statement.encode(), self.bound),
            relay.watch(b"S\x00\x00\x00\x04", self.sync, when="before",
                        always=True)]

    def bound(self, connection):
        self.ours = connection

    def sync(self, connection):
        if connection is self.ours:
            connection.hold("up")
            self.held.set()

    def cancel(self):
        for watch in self.watches:
            watch.cancel()


async def lost_commit(stack, act, statement, committed, happened):
    """`act` while its COMMIT's answer is held; the link is cut once the commit
    stands, or before its Sync got through. Returns act's answer."""
    relay = stack.relay("chatd-1", "postgres")
    # All of them: one that is being set up names the statement as well.
    await background(poll, lambda: all_links(stack), "every link")
    if happened:
        relay.hold("down")
        task = asyncio.ensure_future(act())
        await background(poll, committed, "the commit")
    else:
        sync = HeldSync(relay, statement)
        task = asyncio.ensure_future(act())
        await background(poll, sync.held.is_set, "its Sync")
        assert not committed()
        sync.cancel()
    before = stack.chatds[0].metric("parley_db_links_lost_total")
    relay.cut()
    relay.release()
    answer = await task
    assert stack.chatds[0].metric("parley_db_links_lost_total") > before
    return answer


async def test_a_commit_whose_answer_was_lost(new_stack):
    stack = new_stack(gateways=2, relays=["chatd-postgres"], settings={
        "gateway": {"request_timeout": "10s"}})
    ann, ben, chat_id = await pair(stack)
    cid = await person(stack, 1)
    lenient(ann, ben, cid)
    for happened in (True, False):
        text = f"is it stored? {happened}"

        def sent(text=text):
            return stack.sql("SELECT 1 FROM messages WHERE content = %s", text)
        answer = await lost_commit(
            stack, lambda text=text: ann.say(chat_id, text),
            "messages_insert", sent, happened)
        assert answer["type"] == "new_message"
        await ben.wait("new_message",
                       lambda f, text=text: f["message"]["content"] == text)
        assert len(sent()) == 1

        name = f"Founded {happened}"

        def founded(name=name):
            return stack.sql("SELECT id FROM chats WHERE name = %s", name)
        answer = await lost_commit(
            stack, lambda name=name: ann.ask(
                "create_group", name=name, member_ids=[ben.account.id],
                request_id=new_id()), "group_insert", founded, happened)
        assert answer["type"] == "group_chat_created", answer
        group = answer["chat"]["id"]
        assert [str(i) for i, in founded()] == [group]
        await ben.wait("group_chat_created", lambda f, group=group:
                       f["chat_item"]["id"] == group, timeout=20 * PATIENCE)

        def joined(group=group):
            return stack.sql(
                "SELECT 1 FROM members WHERE chat_id = %s AND user_id = %s",
                group, cid.account.id)
        answer = await lost_commit(
            stack, lambda group=group: ann.ask(
                "add_members", chat_id=group, member_ids=[cid.account.id]),
            "group_add", joined, happened)
        assert answer["type"] == "chat_members_added", answer
        for who in (ben, cid):
            await who.until(
                lambda who=who, group=group: any(
                    f["type"] in ("chat_added", "chat_members_added",
                                  "group_chat_created") and group in (
                        f.get("chat_id"), f.get("chat_item", {}).get("id"))
                    for f in who.frames), "the change", 20 * PATIENCE)

        def gone(joined=joined):
            return not joined()
        answer = await lost_commit(
            stack, lambda group=group: ann.ask(
                "remove_member", chat_id=group, member_id=cid.account.id),
            "group_remove", gone, happened)
        assert answer["type"] == "chat_member_removed", answer
        await cid.wait("chat_member_removed", lambda f, group=group:
                       f["chat_id"] == group, timeout=20 * PATIENCE)
        for who in (ann, ben):
            members = (await chat_info(who, group))["members"]
            assert {m["user_id"] for m in members} == {
                ann.account.id, ben.account.id}
    assert await stored(stack, chat_id) == (2, 2, 2)


# ---- a link that is never ready ------------------------------------------------------

async def hold_setup(stack):
    """chatd's next connection freezes while its statements are prepared."""
    relay = stack.relay("chatd-1", "postgres")
    watch = relay.watch(b"snapshot_begin", "hold", when="before")
    relay.cut()
    await watch.passed()


async def test_a_server_that_freezes_while_a_link_is_set_up(new_stack):
    stack = new_stack(relays=["chatd-postgres"])
    chatd = stack.chatds[0]
    await background(poll, lambda: all_links(stack), "every link")
    await hold_setup(stack)
    await background(chatd.wait_log, "has not made it ready")
    await background(poll, lambda: all_links(stack), "every link")
    await hold_setup(stack)
    assert await background(chatd.terminate) == 0
    assert "drain_timeout" not in chatd.log_text()


async def test_an_end_while_the_server_cannot_be_reached(new_stack):
    stack = new_stack(relays=["chatd-postgres"], settings={"chatd": {
        "drain_timeout": "1s"}})
    chatd, relay = stack.chatds[0], stack.relay("chatd-1", "postgres")
    relay.hold()
    relay.cut()
    await background(poll, lambda: relay.connections, "the next attempt")
    assert await background(chatd.terminate) == 0
    assert "end_not_awaited" in chatd.log_text()


# ---- several servers -----------------------------------------------------------------

async def test_a_link_that_leads_to_another_server_takes_the_others(new_stack):
    """The one before it may have gone without their noticing."""
    stack = new_stack(start=False, relays=["chatd-postgres"])
    chatd, former = stack.chatds[0], stack.relay("chatd-1", "postgres")
    later = Relay(stack.postgres.address, name="the later server")
    try:
        chatd.env["PARLEY_DATABASE_URL"] = stack.postgres.conninfo(
            "parley_chatd", stack.database, "127.0.0.1,127.0.0.1",
            f"{former.port},{later.port}")
        stack.start()
        poll(lambda: all_links(stack), "every link")
        wanted = len(former.connections)
        assert wanted > 1 and not later.connections
        former.refuse()
        former.connections[0].cut()
        poll(lambda: len(later.connections) == wanted and all_links(stack),
             "every link at the later server")
        assert not former.connections
        assert "another server is the primary now" in chatd.log_text()
        ann, ben, chat_id = await pair(stack)
        assert (await ann.say(chat_id, "on the later one"))["type"] == \
            "new_message"
    finally:
        chatd.terminate()
        later.close()


# ---- refusals of the whole server ---------------------------------------------------

async def traffic_across(stack, sessions, begin, end, said):
    """Sends across a fault: each is acknowledged in the end, none twice."""
    ann, ben, chat_id = sessions
    count = (await stored(stack, chat_id))[0]
    one = Sender(ann, chat_id, 120, f"across {said}")
    run = asyncio.ensure_future(one.run())
    await one.until_acked(20)
    mark = len(stack.chatds[0].log_text())
    await background(begin)
    await background(stack.chatds[0].wait_log, said, mark)
    await background(end)
    await run
    count += 120
    assert await stored(stack, chat_id) == (count, count, count)
    await ben.until(lambda: {m["seq"] for m in ben.messages(chat_id)} >=
                    set(range(1, count + 1)), f"all across {said}",
                    20 * PATIENCE)


async def test_what_a_server_refuses_is_named_and_waited_for(new_stack):
    stack = new_stack(gateways=2, settings=QUICK)
    sessions = await pair(stack)
    lenient(*sessions[:2])

    def no_connections():
        role(stack, "RESET ALL")
        with stack.postgres.connect("postgres") as link:
            link.execute("ALTER ROLE parley_chatd CONNECTION LIMIT 0")
        cut_links(stack)

    def connections():
        with stack.postgres.connect("postgres") as link:
            link.execute("ALTER ROLE parley_chatd CONNECTION LIMIT -1")
    await traffic_across(stack, sessions, no_connections, connections,
                         "too many connections")

    def read_only():
        role(stack, "SET default_transaction_read_only = on")
        cut_links(stack)

    def writable():
        role(stack, "RESET default_transaction_read_only")
    await traffic_across(stack, sessions, read_only, writable,
                         "the server is read-only")


async def test_a_full_disk_is_unavailable_and_nothing_else_suffers(new_stack):
    """53100 and 53200, raised where a row is about to be stored."""
    stack = new_stack(settings={"gateway": {"request_timeout": "500ms"}})
    ann, ben, chat_id = await pair(stack)
    lenient(ann, ben)
    for state, remedy in (("53100", "free its disk"),
                          ("53200", "max_locks_per_transaction")):
        front = new_id()
        with stack.postgres.connect(stack.database) as link:
            link.execute(
                "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS "
                f"$$BEGIN RAISE SQLSTATE '{state}'; END$$")
            link.execute("CREATE TRIGGER fail BEFORE INSERT ON messages "
                         "FOR EACH ROW EXECUTE FUNCTION fail()")
            answer = await ann.say(chat_id, "no room", front)
            assert (answer["type"], answer["reason"]) == \
                ("error", "unavailable")
            await background(stack.chatds[0].wait_log, remedy)
            # What only reads goes on, on the same connections.
            info = await chat_info(ann, chat_id)
            link.execute("DROP TRIGGER fail ON messages")
            link.execute("DROP FUNCTION fail()")
        answer = await ann.say(chat_id, "no room", front)
        assert answer["type"] == "new_message"
        assert answer["message"]["seq"] == info["last_seq"] + 1
    assert await stored(stack, chat_id) == (2, 2, 2)
