"""Every way in which an event of Redis is lost, doubled or late, made to happen:
members who stayed connected get everything without asking, once, in order.

SPDX-License-Identifier: MIT
"""

import asyncio

from support.client import PATIENCE, Session, new_id, private_chat
from support.process import poll
from support.scene import chat_info, person
from support.stores import Redis

LINKS = ["gateway-redis", "chatd-redis"]
QUICK = {"gateway": {"request_timeout": "1s"}}


# ---- many people in many chats ---------------------------------------------------

class Crowd:
    """People on all gateways, each two of them in a chat and all in groups, who
    talk in every chat."""

    @classmethod
    async def gather(cls, stack, size=4, groups=2):
        self = cls()
        self.people = [await person(stack, i % len(stack.gateways))
                       for i in range(size)]
        self.chats = {}         # id -> members
        self.said = {}          # id -> how much
        for i, one in enumerate(self.people):
            one.invariants.lenient = True
            for other in self.people[:i]:
                self.chats[await private_chat(one, other)] = [one, other]
        ids = [p.account.id for p in self.people[1:]]
        for i in range(groups):
            made = await self.people[0].ask("create_group", name=f"Group {i}",
                                            member_ids=ids)
            group = made["chat"]["id"]
            self.chats[group] = self.people
            for one in self.people[1:]:
                await one.wait("group_chat_created", lambda f, group=group:
                               f["chat_item"]["id"] == group)
        self.said = dict.fromkeys(self.chats, 0)
        return self

    async def talk(self, rounds=1):
        """Everyone says something in each of his chats, all at once."""
        async def one(speaker):
            for _ in range(rounds):
                for chat, members in self.chats.items():
                    if speaker in members:
                        self.said[chat] += 1
                        answer = await speaker.say(
                            chat, f"what nobody may miss: {new_id()}")
                        assert answer["type"] == "new_message", answer
        await asyncio.gather(*(one(p) for p in self.people))

    async def has_all(self, what):
        """Each has every message. (That it came once and in order is looked at
        as frames come.)"""
        for chat, members in self.chats.items():
            wanted = set(range(1, self.said[chat] + 1))
            for one in members:
                await one.until(
                    lambda one=one, chat=chat, wanted=wanted: {
                        m["seq"] for m in one.messages(chat)} >= wanted,
                    f"all of a chat, {what}", 20 * PATIENCE)


async def through(crowd, what, begin, end):
    """Talking before, during and right after a fault."""
    await crowd.talk()
    begin()
    await crowd.talk()
    end()
    await crowd.talk()
    await crowd.has_all(what)


async def test_links_cut_one_and_all_while_many_talk(new_stack):
    stack = new_stack(gateways=2, chatds=2, relays=LINKS)
    crowd = await Crowd.gather(stack)
    await through(crowd, "after Redis came back empty", stack.redis.kill,
                  stack.redis.start)
    for names in (["gateway-1"], ["chatd-1"], ["gateway-2", "chatd-2"],
                  ["gateway-1", "gateway-2", "chatd-1", "chatd-2"]):
        links = [stack.relay(name, "redis") for name in names]

        def away():
            for link in links:
                link.down()

        def back():
            for link in links:
                link.accept()
        await through(crowd, f"after the links of {names}", away, back)

    async def torment():
        for _ in range(3):
            for link in stack.relays.values():
                link.cut()
                await asyncio.sleep(0.02)
    await asyncio.gather(crowd.talk(3), torment())
    await crowd.has_all("after cuts amid the talk")


async def test_a_link_that_is_silent_is_given_up(new_stack):
    """Nothing is refused and nothing ends: the other end is simply gone."""
    stack = new_stack(gateways=2, chatds=2, relays=LINKS)
    crowd = await Crowd.gather(stack, size=3, groups=1)
    # A short silence only delays.
    await through(crowd, "after a pause", stack.relay("gateway-1", "redis").hold,
                  stack.relay("gateway-1", "redis").release)
    held = [stack.relay(name, "redis") for name in ("gateway-1", "chatd-1")]
    for link in held:
        link.hold()
    await crowd.talk()
    for name in ("gateways", "chatds"):
        process = getattr(stack, name)[0]
        await asyncio.to_thread(process.wait_log, "redis_silent")
    await crowd.talk()
    for link in held:
        link.release()
    await crowd.talk()
    await crowd.has_all("after the silence")


async def test_a_subscriber_cut_by_its_buffer_limit(new_stack):
    stack = new_stack(gateways=2)
    crowd = await Crowd.gather(stack, size=3, groups=1)
    redis = stack.redis.connect()
    redis.config_set("client-output-buffer-limit", "pubsub 256kb 128kb 1")
    await crowd.talk()

    def subscribers():
        return sum(c["name"] == "parley-gateway" and int(c["sub"]) > 0
                   for c in redis.client_list())
    assert subscribers() == 2
    stack.gateways[1].pause()
    # What only the beat hears fills the buffer as well as events would.
    beats = redis.pubsub_channels("beat:*")

    def full():
        for topic in beats:
            redis.publish(topic, b"x" * 100_000)
        return subscribers() < 2
    poll(full, "a subscriber cut", every=0)
    here = [p for p in crowd.people if p.gateway is stack.gateways[0]]
    for chat, members in crowd.chats.items():
        for one in here:
            if one in members:
                crowd.said[chat] += 1
                await one.say(chat, f"while half of you are stopped {new_id()}")
    stack.gateways[1].resume()
    await crowd.talk()
    await crowd.has_all("after the buffer was full")


# ---- each kind of event ------------------------------------------------------------

class Scene:
    """ann, ben and cid, a private chat and a group; ann on another gateway than
    the others."""

    @classmethod
    async def set(cls, stack):
        self = cls()
        self.stack = stack
        self.ann = await person(stack, 0)
        self.ben = await person(stack, 1)
        self.cid = await person(stack, 1)
        self.ben_elsewhere = await Session.open(stack.gateways[-1],
                                                self.ben.account)
        self.chat = await private_chat(self.ann, self.ben)
        self.group = await self.new_group()
        self.lenient()
        await self.ann.say(self.chat, "there is something to be read")
        await self.ben.wait("new_message")
        await self.ann.wait("messages_delivered")
        return self

    def lenient(self):
        for one in (self.ann, self.ben, self.ben_elsewhere, self.cid):
            one.invariants.lenient = True

    async def new_group(self, name="Group"):
        made = await self.ann.ask("create_group", name=name, member_ids=[
            self.ben.account.id, self.cid.account.id])
        group = made["chat"]["id"]
        for one in (self.ben, self.cid):
            await one.wait("group_chat_created",
                           lambda f: f["chat_item"]["id"] == group)
        return group

    async def fence(self):
        """All that was published before has come, and nothing is missing: who
        has a gap reads up to the gap."""
        for one in (self.ann, self.ben):
            answer = await self.ann.say(self.chat, f"a fence {new_id()}")
            seqs = set(range(1, answer["message"]["seq"] + 1))
            await one.until(lambda one=one, seqs=seqs: seqs <= {
                m["seq"] for m in one.messages(self.chat)}, "the fence")


class Kind:
    """One kind of event: what makes it, who would miss it, how it is known, and
    the words by which it is found on its way."""

    def __init__(self, words, act, who, heard, shown=None):
        self.words = words.encode()
        self.act = act
        self.who = who
        self.is_event = heard
        # What catch-up may show instead of the event itself.
        self.heard = lambda f: heard(f) or (shown is not None and shown(f))


def kinds(scene):
    ann, ben, cid = scene.ann, scene.ben, scene.cid
    group, text = scene.group, f"a message that may be lost {new_id()}"
    said = {}

    async def say():
        said.update(await ann.say(scene.chat, text))

    async def read():
        await ben.ask("chat_messages_read", chat_id=scene.chat)

    def change(request, **fields):
        async def act():
            await ann.ask(request, chat_id=group, **fields)
        return act

    def of_group(kind, **fields):
        return lambda f: f["type"] == kind and f["chat_id"] == group and all(
            f[k] == v for k, v in fields.items())

    def is_admin(frame):
        return of_group("chat_members_added")(frame) and any(
            m["user_id"] == cid.account.id and m["role"] == "admin"
            for m in frame["members"])

    def is_gone(frame):
        return of_group("chat_members_added")(frame) and not any(
            m["user_id"] == cid.account.id for m in frame["members"])

    async def new_group():
        await ann.ask("create_group", name="Made in the dark",
                      member_ids=[ben.account.id])
    return {
        "message": Kind(text, say, ben, lambda f: f["type"] == "new_message"
                        and f["message"]["content"] == text),
        "delivered": Kind(
            "messages_delivered", say, ann,
            lambda f: f["type"] == "messages_delivered" and
            said and said["message"]["id"] in f["message_ids"]),
        "read": Kind("chat_read", read, ann, lambda f: f["type"] == "chat_read"
                     and f["chat_id"] == scene.chat),
        "read elsewhere": Kind(
            "unread_changed", read, scene.ben_elsewhere,
            lambda f: f["type"] == "unread_changed" and
            f["chat_id"] == scene.chat and f["unread_messages"] == 0),
        "group made": Kind(
            "group_chat_created", new_group, ben,
            lambda f: f["type"] == "group_chat_created" and
            f["chat_item"]["name"] == "Made in the dark"),
        "name": Kind("group_name_change_result", change(
            "change_group_name", new_name="New"), ben,
            of_group("group_name_change_result", new_name="New")),
        "description": Kind("group_description_change_result", change(
            "change_group_description", new_description="New"), ben,
            of_group("group_description_change_result",
                     new_description="New")),
        "admin": Kind("admin_given_to_member", change(
            "give_admin", user_id=cid.account.id), ben,
            of_group("admin_given_to_member"), is_admin),
        "removed": Kind("chat_member_removed", change(
            "remove_member", member_id=cid.account.id), ben,
            of_group("chat_member_removed", user_id=cid.account.id), is_gone),
        "lost": Kind("chat_member_removed", change(
            "remove_member", member_id=ben.account.id), ben,
            of_group("chat_member_removed", user_id=ben.account.id)),
        "added": Kind("chat_added", change(
            "add_members", member_ids=[ben.account.id]), ben,
            lambda f: f["type"] == "chat_added" and
            f["chat_item"]["id"] == group),
    }


NAMES = ["message", "delivered", "read", "read elsewhere", "group made",
         "name", "description", "admin", "removed", "lost", "added"]


async def each_kind(stack, fault):
    """`fault(scene, kind, act)` lets the event of each kind meet its fate; then
    it is heard, and heard once."""
    scene = await Scene.set(stack)
    for name in NAMES:
        kind = kinds(scene)[name]
        mark = kind.who.mark()

        await fault(scene, kind, kind.act)
        await kind.who.wait(kind.heard, since=mark, timeout=20 * PATIENCE)
        await scene.fence()
        count = sum(kind.heard(f) for f in kind.who.frames[mark:])
        # Receipts, and that a chat is gone, may be said again: they say the same.
        assert count == 1 or name in (
            "read", "read elsewhere", "delivered", "lost"), \
            (name, count)


async def test_a_publish_that_did_not_reach_redis(new_stack):
    stack = new_stack(gateways=2, relays=["chatd-redis"], settings=QUICK)
    link = stack.relay("chatd-1", "redis")

    async def fault(scene, kind, act):
        watch = link.watch(kind.words, "cut", when="before")
        await act()
        await watch.passed()
    await each_kind(stack, fault)


async def test_a_publish_whose_answer_was_lost_is_heard_once(new_stack):
    stack = new_stack(gateways=2, relays=["chatd-redis"], settings=QUICK)
    link = stack.relay("chatd-1", "redis")

    async def fault(scene, kind, act):
        watch = link.watch(kind.words)
        mark = kind.who.mark()
        link.hold("down")
        await act()
        await watch.passed()
        await kind.who.wait(kind.is_event, since=mark)
        published = stack.chatds[0].metric("parley_bus_published_total")
        link.cut()
        link.release()
        # It was published once more.
        await asyncio.to_thread(poll, lambda: stack.chatds[0].metric(
            "parley_bus_published_total") > published, "a repeated publish")
    await each_kind(stack, fault)


async def test_events_that_a_gateway_s_link_lost(new_stack):
    stack = new_stack(gateways=2, relays=["gateway-redis"], settings=QUICK)

    async def fault(scene, kind, act):
        links = [stack.relay(g.name, "redis") for g in stack.gateways]
        # The first to get it keeps it, whichever link it comes by.
        for link in links:
            link.hold("down")
        await act()
        for link in links:
            link.cut()
            link.release()
    await each_kind(stack, fault)


class Ambush:
    """The first chatd that is about to publish what holds these words is hurt:
    stopped, or killed."""

    def __init__(self, stack, words, how):
        self.stack = stack
        self.how = how
        self.victim = None
        self.watches = [
            stack.relay(chatd.name, "redis").watch(
                words, self.hurt(chatd), when="before")
            for chatd in stack.chatds]

    def hurt(self, chatd):
        def now(connection):
            if self.victim is None:
                connection.hold("up")
                getattr(chatd, self.how)()
                self.victim = chatd
        return now

    async def sprung(self):
        await asyncio.to_thread(poll, lambda: self.victim, f"a chatd to "
                                f"{self.how}")
        for watch in self.watches:
            watch.cancel()
        return self.victim

    def resume(self):
        self.victim.resume()
        self.stack.relay(self.victim.name, "redis").release()


async def test_a_chatd_that_stops_before_its_publish_and_goes_on_later(
        new_stack):
    stack = new_stack(gateways=2, chatds=2, relays=["chatd-redis"],
                      settings=QUICK)

    async def fault(scene, kind, act):
        ambush = Ambush(stack, kind.words, "pause")
        await act()
        await ambush.sprung()
        ambush.resume()
    await each_kind(stack, fault)


async def test_a_chatd_killed_before_its_publish_and_not_started_again(
        new_stack):
    stack = new_stack(gateways=2, chatds=2, relays=["chatd-redis"],
                      settings=QUICK)
    killed = []

    async def fault(scene, kind, act):
        # Only now, so that it is not its start that told of the last one.
        for chatd in killed:
            chatd.start().wait_ready()
        for gateway in stack.gateways:
            # Two chatds and a presenced: who never met one misses it not.
            await asyncio.to_thread(
                poll, lambda gateway=gateway: gateway.metric(
                    "parley_rpc_peers_up") == 3, "all its peers")
        await scene.fence()
        ambush = Ambush(stack, kind.words, "kill")
        mark = kind.who.mark()
        await act()
        killed[:] = [await ambush.sprung()]
        await kind.who.wait(kind.heard, since=mark, timeout=20 * PATIENCE)
    await each_kind(stack, fault)


async def test_changes_that_overtake_each_other(new_stack):
    """A chatd is stopped between its commit and its publish; another one changes
    the same name; then the first goes on."""
    stack = new_stack(gateways=2, chatds=2, relays=["chatd-redis"],
                      settings=QUICK)
    scene = await Scene.set(stack)
    ann, ben, group = scene.ann, scene.ben, scene.group
    # The answer may be on its way already: the change is stored, is what counts.
    ambush = Ambush(stack, b"group_name_change_result", "pause")
    await ann.ask("change_group_name", chat_id=group, new_name="Old")
    await ambush.sprung()
    # Until the other one is asked.
    while (await ann.ask("change_group_name", chat_id=group,
                         new_name="New"))["type"] == "error":
        pass
    await ben.wait("group_name_change_result",
                   lambda f: f["new_name"] == "New")
    before = stack.gateways[1].metric("parley_gateway_messages_repeated_total")
    ambush.resume()
    await asyncio.to_thread(
        poll, lambda: stack.gateways[1].metric(
            "parley_gateway_messages_repeated_total") > before, "the late event")
    await scene.fence()
    for one in (ann, ben):
        names = [f["new_name"] for f in one.all("group_name_change_result")]
        assert names[-1] == "New", names
        assert (await chat_info(one, group))["name"] == "New"


# ---- Redis itself ------------------------------------------------------------------

async def presence_works(stack, watcher):
    """A newcomer whom the watcher shares a chat with is seen to come."""
    new = await person(stack, 1)
    await private_chat(watcher, new)
    await new.close()
    await watcher.wait("user_status_changed", lambda f: f["user_id"] ==
                       new.account.id and not f["is_online"],
                       timeout=20 * PATIENCE)
    mark = watcher.mark()
    await Session.open(stack.gateways[1], new.account)
    await watcher.wait("user_status_changed", lambda f: f["user_id"] ==
                       new.account.id and f["is_online"], since=mark,
                       timeout=20 * PATIENCE)


async def test_a_demoted_master_is_left_for_the_new_one(new_stack):
    stack = new_stack(gateways=2, chatds=2, relays=[
        *LINKS, "presenced-redis"])
    crowd = await Crowd.gather(stack, size=3, groups=1)
    second = Redis(stack.directory / "second", stack.redis.password).start()
    try:
        old, new = stack.redis.connect(), second.connect()
        for one in (old, new):
            one.config_set("masterauth", stack.redis.password)
            one.config_set("repl-diskless-sync-delay", "0")
        new.replicaof(*stack.redis.address)
        poll(lambda: new.info("replication")["master_link_status"] == "up",
             "a replica in step")
        # The failover. Whoever connects from now on gets to the new master;
        # connections to the old one live on.
        new.replicaof("NO", "ONE")
        old.replicaof(*second.address)
        for relay in stack.relays.values():
            relay.target = second.address
        await crowd.talk(2)
        await crowd.has_all("after the failover")
        for process in (*stack.chatds, *stack.presenceds):
            await asyncio.to_thread(process.wait_log,
                                    "let redis_url lead to the master")
        await asyncio.to_thread(
            poll, lambda: sum(c["name"] in ("parley-chatd", "presenced")
                              for c in new.client_list()) == 3,
            "links to the new master")
        await crowd.talk()
        await crowd.has_all("at the new master")
        await presence_works(stack, crowd.people[0])
    finally:
        second.terminate()


async def test_a_redis_that_refuses_is_named_and_waited_for(new_stack):
    stack = new_stack(gateways=2, relays=["gateway-redis", "chatd-redis",
                                          "presenced-redis"])
    crowd = await Crowd.gather(stack, size=3, groups=1)
    redis = stack.redis.connect()
    # Out of memory: nothing is published less, presence waits.
    redis.config_set("maxmemory-policy", "noeviction")
    redis.config_set("maxmemory", "1")
    await crowd.talk()
    await asyncio.to_thread(stack.presenceds[0].wait_log,
                            'remedy="give Redis more memory (maxmemory)"')
    await crowd.has_all("while Redis had no memory")
    redis.config_set("maxmemory", "0")
    await presence_works(stack, crowd.people[0])
    # Another password: said once, not at every attempt.
    redis.config_set("requirepass", "another-one")
    for relay in stack.relays.values():
        relay.cut()
    await crowd.talk()
    chatd = stack.chatds[0]
    await asyncio.to_thread(
        chatd.wait_log, 'remedy="check the account and password in redis_url"')
    tried = stack.relay("chatd-1", "redis").accepted
    await asyncio.to_thread(poll, lambda: stack.relay(
        "chatd-1", "redis").accepted > tried + 2, "more attempts")
    assert chatd.log_text().count("error chatd redis_refused") == 1
    redis.config_set("requirepass", stack.redis.password)
    await crowd.talk()
    await crowd.has_all("after the password was put right")
    await presence_works(stack, crowd.people[0])


# ---- who came and went --------------------------------------------------------------

async def test_who_came_and_went_meanwhile_is_told(new_stack):
    stack = new_stack(gateways=2, chatds=2, relays=["gateway-redis"])
    ann, other = await person(stack, 0), await person(stack, 1)
    leaver, comer = await person(stack, 1), await person(stack, 1)
    for one in (leaver, comer):
        for watcher in (ann, other):
            await private_chat(watcher, one)

    def status(of, online):
        return lambda f: f["user_id"] == of.account.id and \
            f["is_online"] is online
    await comer.close()
    for watcher in (ann, other):
        await watcher.wait("user_status_changed", status(comer, False))
    link = stack.relay("gateway-1", "redis")
    link.down()
    await leaver.close()
    again = await Session.open(stack.gateways[1], comer.account)
    await other.wait("user_status_changed", status(leaver, False))
    await other.wait("user_status_changed", status(again, True))
    assert not [f for f in ann.frames if f["type"] == "user_status_changed"
                and f["user_id"] == leaver.account.id and not f["is_online"]]
    link.accept()
    gone = await ann.wait("user_status_changed", status(leaver, False))
    assert gone["last_seen_at"] is not None
    await ann.wait("user_status_changed", status(again, True))
