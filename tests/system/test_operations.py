"""The commands of docs/operations.md for one who was woken.

SPDX-License-Identifier: MIT
"""

import os

from support.doc_commands import run_block
from support.stack import BUILD


async def test_the_first_look_tells_what_is_missing(new_stack):
    stack = new_stack(presenceds=1)
    gone = stack.presenceds[0]
    assert gone.terminate() == 0
    done = run_block(
        "docs/operations.md", "first-look", env={
            "PATH": f"{BUILD}/chatd/parleyctl:{os.environ['PATH']}",
            "PARLEY_CHATD": f"ipc://{stack.place('chatd-1')}",
            "PARLEY_PROCESSES": ",".join(
                f"{p.name}=127.0.0.1:{p.admin_port}"
                for p in stack.processes()),
            "PARLEY_DATABASE_URL": stack.postgres.conninfo(
                "parley_chatd", stack.database)})
    assert [line for line in done.stdout.splitlines() if gone.name in line]
    assert "chatd-1" in done.stdout and "gateway-1" in done.stdout


def test_what_holds_the_wal_is_told(world):
    postgres = world.shared_postgres()
    slot = "gone_replica"
    postgres.execute("postgres", "SELECT pg_create_physical_replication_slot("
                     f"'{slot}', true)")
    try:
        done = run_block("docs/operations.md", "wal-held", env={
            "PGHOST": "127.0.0.1", "PGPORT": postgres.port,
            "PGUSER": "postgres", "PGPASSWORD": postgres.password})
    finally:
        postgres.execute("postgres", f"SELECT pg_drop_replication_slot('{slot}')")
    held = next(x for x in done.stdout.splitlines() if slot in x)
    assert held.split("|")[1].strip() == "f"
    assert "failed_count" in done.stdout
