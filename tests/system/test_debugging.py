"""The gdb helpers (deploy/gdb): what they tell of living processes and of a core
is so, and nobody's text is among it.

tests/debugging/ runs the guide's commands.

SPDX-License-Identifier: MIT
"""

import json
import re
import subprocess

import pytest

from support.client import message_frame, new_id
from support.debugger import Breakpoint, check, look, look_at
from support.process import poll
from support.scene import delivered, device, pair
from support.stack import ROOT, program

pytestmark = pytest.mark.plain

TEXT = "a text that no debugger shows unasked"
KINDS = ("gateway", "chatd", "presenced")

# Makes one of each structure out of nothing, and its line.
LINES = """python
import parley_gdb.printers as printers
count = 0
for tag, shape in printers.SHAPES.items():
    for kind in (None, "dispatch_new", "request_parse", "report_kick"):
        try:
            found = parley_gdb.reading.struct(tag, kind)
        except (gdb.error, gdb.GdbError):
            continue
        if not found.fields() or printers.shape_of(found) is None:
            continue
        names = [f.name for f in found.fields()]
        gone = [n for n in shape.hide if n not in names and
                (tag, n) != ("request", "request_id")]
        print(f"shape {tag} {' '.join(gone)}")
        value = gdb.Value(bytes(found.sizeof), found)
        try:
            if shape.line is not None:
                shape.line(value)
        except (gdb.MemoryError, gdb.GdbError):
            pass
        break
print("settings", [n for n in printers.SETTINGS.hide])
end"""


def test_every_structure_is_as_its_printer_takes_it(tmp_path):
    """Without a process: one of each, all zero. A field that was renamed, or a
    structure that is gone, fails."""
    script = tmp_path / "lines.gdb"
    script.write_text(LINES)
    seen = set()
    for kind in KINDS:
        text = look([program(kind)], f"source {script}").text
        for line in re.findall("^shape (.*)$", text, re.M):
            tag, *gone = line.split()
            assert not gone, f"struct {tag} has no {gone}, which is hidden"
            seen.add(tag)
    names = set(re.findall(r'^    "(\w+)": Shape', (
        ROOT / "deploy/gdb/parley_gdb/printers.py").read_text(), re.M))
    assert names == seen, names ^ seen


def row_of(output, command, *words):
    found = [row for row in output.rows(command)
             if all(word in "  ".join(row) for word in words)]
    assert len(found) == 1, (words, output[command])
    return found[0]


GATEWAY = ["parley state", "parley sessions", "parley users", "parley calls",
           "parley metrics gateway_connections_total", "parley where",
           "print $length(gw->conns->all)", "print *gw->conns",
           "print settings"]


async def test_a_gateway_alive_and_its_core(new_stack, tmp_path):
    """chatd stands still: one request of Ann's is with it, two wait."""
    stack = new_stack(settings={"gateway": {"request_timeout": "1h",
                                            "request_attempt": "1h"}})
    gateway, chatd = stack.gateways[0], stack.chatds[0]
    ann, ben, chat_id = await pair(stack)
    first = await ann.say(chat_id, TEXT)
    await ben.wait("new_message")
    await delivered(ann, first["message"]["id"])
    chatd.pause()
    sizes = [await send(ann, chat_id)]
    poll(lambda: gateway.metric("parley_rpc_pending") >= 1, "a request")
    sizes += [await send(ann, chat_id) for _ in range(2)]
    poll(lambda: gateway.metric("parley_gateway_frames_waiting") == 2,
         "two frames that wait")
    commands = [*GATEWAY, f"parley session {ann.account.id}",
                "print *$conn", "print $conn->calls", "print $uuid($conn->user)",
                "print *(struct inbound_frame *)$conn->in.frames.next",
                "print *(struct conn *)$conn_of(\"" + ben.account.id + "\")"]
    core = tmp_path / "core"
    alive = look_at(gateway, *commands, f"generate-core-file {core}")
    dead = look([program("gateway"), core], *commands)
    size = sizes[0]
    for output in (alive, dead):
        state = output["parley state"]
        assert f"gateway, process {gateway.pid}, running, ready" in state
        assert "chatd met, redis met" in state
        row = row_of(output, "parley state", "ipc://chatd-1.sock")
        assert "1 batches in flight" in row[-1], row
        assert output.number("parley state", "connections") == 2
        assert output.number("parley state", "frames from clients") == 2
        assert output.number("parley state", "calls to chatd") >= 1
        row = row_of(output, "parley sessions", ann.account.id)
        assert row[2].strip() == "live" and row[5].strip() == "2", row
        req = re.search(r"send_message req=([0-9a-f]{16}) for", row[-1])[1]
        assert "2 sessions" in output["parley sessions"]
        for user in (ann, ben):
            row = row_of(output, "parley users", user.account.id)
            assert "1 sessions" in row[1] and "subscribed" in row[2]
        row = row_of(output, "parley calls", "send_message", req)
        assert "sent to ipc://chatd-1.sock" in row[2], row
        assert row[-1].endswith(f" {size} bytes") and chat_id in row[-1], row
        assert re.search(r"connections_total +2\n",
                         output["parley metrics gateway_connections_total"])
        assert "main(" in output["parley where"]
        assert "= 2\n" in output["print $length(gw->conns->all)"]
        assert "all = list of 2" in output["print *gw->conns"]
        assert "redis_url = (hidden)" in output["print settings"]
        text = output[f"parley session {ann.account.id}"]
        assert f"chat {chat_id}: all up to 1" in text, text
        assert "in       2 frames wait" in text
        assert f"call     send_message req={req}\n" in text
        text = output["print *$conn"]
        assert "hash = (hidden)" in text and "inbound: 2 of 64" in text
        assert "list of 1" in output["print $conn->calls"]
        assert f'"{ann.account.id}"' in output["print $uuid($conn->user)"]
        assert f"frame of {size} bytes" in output[commands[-2]]
        assert ben.account.id in output[commands[-1]]
        assert "0 calls" in output[commands[-1]]
    # Whoever asks for it is shown it.
    shown = look([program("gateway"), core], "set parley-bodies on",
                 "parley calls send_message", secret=False)
    assert TEXT in shown["parley calls send_message"]
    chatd.resume()
    await ann.until(lambda: len(ann.messages(chat_id)) == 4, "the answers")


async def test_what_a_gateway_is_about_to_write(new_stack):
    stack = new_stack()
    ann, ben, chat_id = await pair(stack)
    stop = Breakpoint(
        stack.gateways[0], "conn_flush if $_streq($uuid(c->user), "
        f"\"{ben.account.id}\")", "print c->out", "print *c",
        "parley session " + ben.account.id)
    since = ben.mark()
    await send(ann, chat_id)
    output = await stop.output()
    frame = await ben.wait("new_message", since=since)
    assert frame["message"]["content"] == TEXT
    text = output["print c->out"]
    assert "1 frames queued, 0 with the library" in text, text
    size = int(re.search(r"outbox: (\d+) bytes", text)[1])
    assert size > len(TEXT)
    assert f"out      {size} of" in output[f"parley session {ben.account.id}"]


async def test_a_chatd(new_stack):
    """The tables are locked: Ann's message is with PostgreSQL, and so is the
    question for her contacts; Ben's message waits for the next batch."""
    stack = new_stack(settings={"gateway": {"request_timeout": "1h",
                                            "request_attempt": "1h"}})
    chatd = stack.chatds[0]
    ann, ben, chat_id = await pair(stack)
    other = await device(stack, ann)
    fronts = [new_id(), new_id()]
    # From the first, at a breakpoint, what a handler has in hand.
    stop = Breakpoint(chatd, "handle_send_message", "print *r",
                      "print *r->frame", "print r->json", "print r->fields",
                      "backtrace -frame-arguments none", "parley where")
    with stack.postgres.connect(stack.database) as link:
        link.execute("BEGIN")
        link.execute("LOCK TABLE messages, contacts IN ACCESS EXCLUSIVE MODE")
        sent = await send(ann, chat_id, fronts[0])
        handler = await stop.output()
        poll(lambda: chatd.metric("parley_writer_queued") == 0,
             "the batch on its way")
        await send(ben, chat_id, fronts[1])
        await other.send({"type": "get_contacts"})
        poll(lambda: chatd.metric("parley_writer_queued") == 1 and
             chatd.metric("parley_chatd_in_flight") == 3, "all in flight")
        output = look_at(
            chatd, "parley state", "parley requests", "parley units",
            "parley queues", "print *svc.writer",
            "print svc.writer->small.rows[svc.writer->small.side]->row[0]",
            "print svc.db->links", "print *svc.db", "print settings",
            "parley where")
        link.execute("ROLLBACK")
    for session, front in ((ann, fronts[0]), (ben, fronts[1])):
        await session.until(lambda s=session, f=front: any(
            m["front_msg_id"] == f for m in s.messages(chat_id)), "an answer")
    await other.wait("contacts")
    check_handler(handler, ann, chat_id, fronts[0], sent)
    check_chatd(output, ann, ben, chat_id, fronts[0],
                chatd.metric("parley_db_links"))


async def send(session, chat_id, front=None):
    """A message whose answer is not waited for; how long its frame is."""
    frame = {"type": "send_message", **message_frame(chat_id, TEXT, front)}
    await session.send(frame)
    return len(json.dumps(frame))


def check_handler(output, ann, chat_id, front, size):
    assert "request send_message req=" in output["print *r"]
    text = output["print *r->frame"]
    assert ann.account.id in text and f"body {size} bytes" in text, text
    assert chat_id in text
    text = output["print r->json"]
    assert f"content: text of {len(TEXT)} bytes" in text, text
    assert f'front_msg_id: "{front}"' in text
    assert "text = (hidden)" in output["print r->fields"]
    assert "handle_send_message" in output["backtrace -frame-arguments none"]
    assert "handle_send_message(r=request send_message" in \
        output["parley where"]


def check_chatd(output, ann, ben, chat_id, front, links):
    row = row_of(output, "parley requests", "writer's batch, small")
    assert "send_message" in row[1] and ann.account.id in row[5], row
    row = row_of(output, "parley requests", "writer's queue, small")
    assert "send_message" in row[1] and ben.account.id in row[5], row
    assert chat_id in row[6]
    row = row_of(output, "parley units", "messages_insert")
    # It is the writer's, of many requests: of none alone.
    assert re.match(r"link \d", row[0]) and row[-1].strip() == "-", row
    assert row[-2].strip() == "on_done", row
    assert output.number("parley queues", "sends, small") == 1
    assert output.number("parley queues", "sends in the batch, small") == 1
    assert output.number("parley queues", "requests") == 3
    # This one is a request's own.
    row = row_of(output, "parley requests", "get_contacts")
    assert "database, link" in row[0] and ann.account.id in row[5], row
    unit = row_of(output, "parley units", "contacts", "on_contacts")
    assert unit[-1].strip() == row[4].strip() != "-", (unit, row)
    assert output.number("parley queues", "database links up") == links
    row = row_of(output, "parley state", "callers")
    assert "to tell our end" in row[-1], row
    text = output["print *svc.writer"]
    assert "queue = list of 1" in text and "batch = list of 1" in text
    text = output[
        "print svc.writer->small.rows[svc.writer->small.side]->row[0]"]
    assert front in text and f"text of {len(TEXT)} bytes" in text, text
    assert "link 0 up" in output["print svc.db->links"]
    assert "url = (hidden)" in output["print *svc.db"]
    assert "database_url = (hidden)" in output["print settings"]


async def test_json_of_every_kind(new_stack):
    stack = new_stack()
    ann, _, chat_id = await pair(stack)
    stop = Breakpoint(stack.chatds[0], "handle_sync", "print r->json")
    await ann.send({"type": "sync", "chats": [{"chat_id": chat_id,
                                               "last_seq": 7}],
                    "share": 0.5, "nothing": None, TEXT: TEXT})
    text = (await stop.output())["print r->json"]
    assert f'chats: [{{chat_id: "{chat_id}", last_seq: 7}}] of 1' in text, text
    assert "share: 0.5, nothing: null" in text, text
    assert f"(another): text of {len(TEXT)} bytes" in text, text
    stop = Breakpoint(stack.chatds[0], "handle_typing", "print r->json")
    await ann.send({"type": "typing", "chat_id": chat_id, "is_typing": True})
    assert "is_typing: true" in (await stop.output())["print r->json"]
    await ann.fence()


async def test_a_presenced(new_stack):
    """Later chatd stands still: it has not heard that Ann has gone."""
    stack = new_stack()
    presenced = stack.presenceds[0]
    ann, ben, _ = await pair(stack)
    people = [ann.account.id, ben.account.id]
    poll(lambda: presenced.metric("parley_presence_users_remembered") == 2,
         "two users remembered")
    output = look_at(presenced, "parley state", "parley users",
                     "parley reports", "parley links", "print p",
                     "print p.memory->now")
    state = output["parley state"]
    assert "store: ready" in state and "contact with redis: for" in state
    assert "memory: current, 2 users online" in state, state
    for user in people:
        assert "online" in row_of(output, "parley users", user)[1]
        assert user in output["print p.memory->now"]
    assert "redis_url = (hidden)" in output["print p"]
    assert "ipc://chatd-1.sock" in output["parley links"]
    stack.chatds[0].pause()
    await ann.close()
    poll(lambda: presenced.metric("parley_rpc_pending") == 1,
         "report of Ann's going")

    def reported():
        # Between two attempts there is none.
        found = look_at(presenced, "parley reports", "parley queues",
                        "parley calls presence_changed")
        return "offline" in found["parley reports"] and found
    output = poll(reported, "report under way")
    assert f"user {people[0]} offline at" in output["parley reports"]
    assert output.number("parley queues",
                         "batches of transitions with chatd") == 1
    row_of(output, "parley calls presence_changed", "chatd")
    stack.chatds[0].resume()


def test_the_guide_names_what_there_is():
    """Every command, and breakpoints that can be set."""
    page = (ROOT / "docs" / "debugging.md").read_text()
    table = (ROOT / "deploy/gdb/parley_gdb/commands.py").read_text()
    table = table.split("\nCOMMANDS = {")[1].split("}")[0]
    commands = set(re.findall(r'"(\w+)": ', table))
    assert commands == set(re.findall(r"^\| `parley (\w+)", page, re.M))
    places = {kind: [] for kind in KINDS}
    rows = re.findall(r"^\| (all|gateway|chatd|presenced) \| (`[^|]*) \|", page,
                      re.M)
    for kind, cell in rows:
        if not cell.startswith("`parley "):
            for one in KINDS if kind == "all" else [kind]:
                places[one] += re.findall("`([^`]*)`", cell)
    assert all(len(found) > 5 for found in places.values()), places
    for kind, found in places.items():
        found = [f"break {place}" for place in found if place != "abort"]
        output = look([program(kind)], *found)
        for place in found:
            assert "at 0x" in output[place], (kind, output[place])


def test_where_there_is_nothing_to_see(tmp_path):
    """A program that is none of ours, and one that has not begun: one line."""
    for target, words in (["/usr/bin/true", "no process of Parley"],
                          [program("chatd"), "\"run\" first"]):
        output = look([target], "parley state")
        assert words in output["parley state"], output.text
        assert len(output["parley state"].splitlines()) == 1


def test_the_helpers_are_installed_and_found_by_gdb(tmp_path):
    """As cmake --install lays them out."""
    build = program("gateway").parent.parent
    subprocess.run(["cmake", "--install", build, "--prefix", tmp_path],
                   check=True, stdout=subprocess.DEVNULL, timeout=60)
    helpers = tmp_path / "share/parley/gdb/parley.py"
    done = subprocess.run(
        ["gdb", "-nx", "-q", "-batch", "-ex", f"source {helpers}", "-ex",
         "help parley"], stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=60, check=True)
    check(done.stdout + done.stderr)
    assert "parley sessions" in done.stdout
    assert not list(tmp_path.rglob("__pycache__"))
