"""Our processes as the first of a process namespace, as which a container runs
them: the kernel gives it no default actions for signals, and every orphan.

SPDX-License-Identifier: MIT
"""

import os
import signal
import subprocess

import psycopg
import pytest

from support.process import (Process, children_of, clean_environment,
                             poll)
from support.stack import program

pytestmark = pytest.mark.plain

UNPRIVILEGED = os.getuid() != 0
UNSHARE = ["unshare", *(["--map-root-user"] if UNPRIVILEGED else []),
           "--pid", "--fork", "--kill-child", "--"]
ENTER = ["nsenter", *(["--user", "--preserve-credentials"]
                      if UNPRIVILEGED else []), "--pid"]


class Contained(Process):
    """A process that is number 1 where it lives."""

    def __init__(self, process):
        super().__init__(process.name, UNSHARE + process.argv, process.cwd,
                         process.log_path, process.env)
        self.inner = None

    def start(self):
        super().start()
        self.inner, = poll(lambda: children_of(self.pid), "the first process")
        return self

    def tell(self, number=signal.SIGTERM):
        os.kill(self.inner, number)


@pytest.fixture
def contained(new_stack):
    """A presenced that is ready."""
    stack = new_stack(start=False)
    presenced = stack.presenceds[0]
    process = Contained(presenced)
    process.start()
    poll(lambda: presenced.admin("/readyz")[0] == 200, "readiness")
    yield process
    process.end_terminate()


def test_the_first_process_drains_when_told(contained):
    contained.tell()
    assert contained.end_terminate() == 0
    assert " drained " in contained.log_text()


def test_the_first_process_leaves_no_zombies(contained):
    """What was started beside it, by a health check say, and lost its parent."""
    subprocess.run(
        [*ENTER, "--target", str(contained.inner), "sh", "-c",
         "sleep 1000 &"], check=True,
        stdout=subprocess.DEVNULL, timeout=10)
    orphan, = poll(lambda: children_of(contained.inner), "an orphan")
    os.kill(orphan, signal.SIGKILL)
    poll(lambda: not children_of(contained.inner), "end of the orphan")
    contained.tell()
    assert contained.end_terminate() == 0


def waits_for_lock(postgres, database):
    with postgres.connect(database) as link:
        return link.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT "
            "granted").fetchone()[0] > 0


def test_the_first_process_ends_when_told_while_it_starts(world, tmp_path):
    postgres = world.shared_postgres()
    database = postgres.make_database()
    url = postgres.conninfo("parley_owner", database)
    process = Contained(Process(
        "migration", [program("chatd"), "--migrate-only"], tmp_path,
        tmp_path / "migration.log",
        clean_environment(PARLEY_DATABASE_URL=url)))
    try:
        with psycopg.connect(url) as other:
            other.execute("SELECT pg_advisory_lock(1347570777)")
            process.start()
            poll(lambda: waits_for_lock(postgres, database), "a waiting start")
            process.tell()
            # As a shell says of who was ended by SIGTERM.
            assert process.child.wait(10) == 128 + signal.SIGTERM
    finally:
        if process.alive():
            process.kill()
        postgres.execute("postgres", f"DROP DATABASE {database} WITH (FORCE)")
