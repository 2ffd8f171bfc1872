"""The web client's stretch of a chat's messages, held against a model: whatever
comes in whatever order, it stays sorted, without doubles, bounded, and whole.

SPDX-License-Identifier: MIT
"""

# Plays random chats in the page: messages live and late, pages back and forth,
# the reader following or not. The truth is the list 1 .. n with states by seq.
PLAY = """
const [seed, done] = arguments;
const {Timeline, PAGE} = await import('/state/timeline.js');
let x = seed;
const random = (n) => { x = (x * 1103515245 + 12345) & 0x7fffffff; return (x >> 8) % n; };
const faults = [];
for (let game = 0; game < 150; game += 1) {
  const timeline = new Timeline();
  const states = [];
  const message = (seq) => ({seq, id: `m${seq}`, state: states[seq - 1], sender_name: 's',
                             type: seq % 3 ? 'outgoing' : 'incoming'});
  const grow = (n) => { for (let i = 0; i < n; i += 1) states.push('sent'); };
  const page = (first, last) => {
    const all = [];
    for (let s = Math.max(1, first); s <= Math.min(last, states.length); s += 1) {
      all.push(message(s));
    }
    return all;
  };
  grow(random(700));
  timeline.reset(page(states.length - 49, states.length), states.length);
  const late = [];
  for (let step = 0; step < 60; step += 1) {
    const follow = random(2) === 0;
    switch (random(6)) {
      case 0: // live; now and then one is delayed
        grow(1);
        if (random(6) === 0) late.push(states.length);
        else timeline.place(message(states.length), follow);
        break;
      case 1:
        if (late.length) timeline.place(message(late.shift()), follow);
        break;
      case 2:
        if (timeline.hasOlder) {
          timeline.merge(page(timeline.first - PAGE, timeline.first - 1), 'old');
        }
        break;
      case 3:
        if (!timeline.atEnd) timeline.merge(page(timeline.last + 1, timeline.last + PAGE));
        break;
      case 4: // a page from anywhere joins, or is refused
        { const at = 1 + random(states.length + 1); timeline.merge(page(at, at + 60)); }
        break;
      case 5: // read up to somewhere
        { const to = random(states.length + 1);
          for (let s = 1; s <= to; s += 1) states[s - 1] = 'read';
          timeline.raiseAll(page(1, to).map(m => m.id), 'read'); }
        break;
    }
    const seqs = timeline.messages.map(m => m.seq);
    const say = (what) => faults.push(`seed ${seed} game ${game} step ${step}: ${what}`);
    if (seqs.some((s, i) => i && s <= seqs[i - 1])) say(`not in order: ${seqs}`);
    if (seqs.length > 200) say(`${seqs.length} messages`);
    if (timeline.end > states.length) say('an end that nobody said');
    const holes = [];
    for (let s = timeline.first; s <= timeline.last; s += 1) {
      if (!seqs.includes(s)) holes.push(s);
    }
    if (holes.some(s => !late.includes(s))) say(`lost: ${holes} of late ${late}`);
    if ((timeline.firstHole() === null) !== (holes.length === 0)) say('unseen hole');
    for (const m of timeline.messages) {
      if (m.state !== states[m.seq - 1] && states[m.seq - 1] === 'sent') say('raised');
    }
  }
}
done(faults.slice(0, 5));
"""


def test_the_timeline_against_its_model(person, stack):
    ann = person(stack.gateways[0])
    ann.driver.set_script_timeout(60)
    script = ("const values = arguments; (async function () {" + PLAY +
              "}).apply(null, values).catch(e => values[1]([String(e.stack)]));")
    for seed in (1, 2026):
        assert ann.driver.execute_async_script(script, seed) == []
