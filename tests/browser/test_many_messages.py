"""A chat of 50,000 messages, scrolled through from its end to its beginning and
back.

SPDX-License-Identifier: MIT
"""

from support.client import Session, private_chat, register

COUNT = 50_000
# More rows or messages than this at any time, and the page grows without bound.
ROWS_MAX = 320

# Scrolls as fast as the page allows and notes the most rows that ever stood
# there.
SCROLL = """
const [towards, until, done] = arguments;
const box = document.getElementById('scroller');
const list = document.getElementById('messages');
let most = 0, last = 0, still = 0, holes = 0;
const step = () => {
  const rows = list.querySelectorAll('[data-seq]');
  const edge = +(towards < 0 ? rows[0] : rows[rows.length - 1]).dataset.seq;
  if (edge !== last) {
    most = Math.max(most, list.children.length);
    const seqs = [...rows].map(row => +row.dataset.seq);
    holes += seqs.some((seq, i) => i > 0 && seq !== seqs[i - 1] + 1);
  }
  still = edge === last ? still + 1 : 0;
  last = edge;
  if (towards * edge >= towards * until || still > 1000) {
    done({edge, most, holes});
    return;
  }
  box.scrollTop = towards < 0 ? 0 : box.scrollHeight;
  requestAnimationFrame(step);
};
step();
"""


def fill(stack, chat_id, sender_id):
    """As many messages as no client would send in a test, at once."""
    stack.sql("INSERT INTO messages (chat_id, seq, id, sender_id, front_msg_id,"
              " format, content, created_at) SELECT %s, n, gen_random_uuid(),"
              " %s, gen_random_uuid(), 0, 'of many messages number ' || n,"
              " now() - (%s - n) * interval '20 minutes'"
              " FROM generate_series(1, %s) AS n RETURNING 1",
              chat_id, sender_id, COUNT, COUNT)
    stack.sql("UPDATE members SET read_seq = %s, delivered_seq = %s,"
              " announced_seq = %s WHERE chat_id = %s RETURNING 1",
              COUNT, COUNT, COUNT, chat_id)
    stack.sql("UPDATE chats SET last_seq = %s, announced_seq = %s,"
              " last_message_at = now() WHERE id = %s RETURNING 1",
              COUNT, COUNT, chat_id)


async def test_fifty_thousand_messages_are_scrolled_through(person, new_stack):
    stack = new_stack()
    account = register(stack.gateways[0], name="Ann Many")
    ben = await Session.open(stack.gateways[0],
                             register(stack.gateways[0], name="Ben Many"))
    other = await Session.open(stack.gateways[0], account)
    chat_id = await private_chat(ben, other)
    await ben.close()
    await other.close()
    fill(stack, chat_id, ben.account.id)
    ann = person(stack.gateways[0], phone=True).enter(account)
    ann.open_chat("Ben Many")
    ann.until(lambda: ann.texts()[-1:] == [f"of many messages number {COUNT}"],
              "the end is not shown")
    ann.driver.set_script_timeout(120)
    up = ann.driver.execute_async_script(SCROLL, -1, 1)
    assert up["edge"] == 1 and up["holes"] == 0 and up["most"] < ROWS_MAX, up
    # Back down: first a way by scrolling, then by the button.
    down = ann.driver.execute_async_script(SCROLL, 1, 2000)
    assert down["holes"] == 0 and down["most"] < ROWS_MAX, down
    ben = await Session.open(stack.gateways[0], ben.account)
    await ben.say(chat_id, "while Ann reads far above")
    ann.says("#to-end .badge", "1")
    ann.click("#to-end")
    ann.until(lambda: ann.texts()[-1:] == ["while Ann reads far above"],
              "the end is not shown")
    await ben.wait("chat_read")
