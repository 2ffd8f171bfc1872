"""The commands of docs/capacity.md.

SPDX-License-Identifier: MIT
"""

from support.doc_commands import run_block
from support.scene import pair, pipeline


async def test_what_a_row_takes_is_told(new_stack):
    stack = new_stack()
    ann, _, chat_id = await pair(stack)
    await pipeline(ann, chat_id, [f"message {i}" for i in range(50)])
    stack.postgres.execute(stack.database, "ANALYZE")
    done = run_block(
        "docs/capacity.md", "bytes", {" parley\n": f" {stack.database}\n"},
        env={"PGHOST": "127.0.0.1", "PGPORT": stack.postgres.port,
             "PGUSER": "postgres", "PGPASSWORD": stack.postgres.password})
    rows = {cells[0]: [int(c) for c in cells[1:]] for cells in (
        [c.strip() for c in line.split("|")]
        for line in done.stdout.splitlines() if line.count("|") == 2)
        if cells[1].isdigit()}
    assert rows["messages"][0] == 50 and rows["messages"][1] > 100
    assert {"members", "chats", "users"} <= set(rows)
