"""The commands of README.md, CONTRIBUTING.md, docs/testing.md and of the start in
docs/operations.md, as they stand there.

SPDX-License-Identifier: MIT
"""

import inspect
import os
import select
import shutil
import subprocess

import pytest

from support.client import DEADLINE, PATIENCE
from support.doc_commands import block, blocks, replaced, run_block
from support.process import clean_environment
from support.scene import pair, person
from support.stack import BUILD, ROOT
from support.local import local  # noqa: F401: a fixture

pytestmark = pytest.mark.plain


# ---- README.md -----------------------------------------------------------------

class Typed:
    """A program that is typed to, and what it has written."""

    def __init__(self, script):
        self.child = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", script],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT,
            stderr=subprocess.STDOUT, env=clean_environment())
        self.seen = b""

    def read_until(self, word):
        output = self.child.stdout.fileno()
        while word not in self.seen:
            assert select.select([output], [], [], DEADLINE)[0], \
                f"in {DEADLINE:g} s no {word!r}: {self.seen[-2000:]!r}"
            more = os.read(output, 65536)
            assert more, f"it ended without {word!r}: {self.seen[-2000:]!r}"
            self.seen += more

    def type(self, line):
        self.child.stdin.write(line.encode() + b"\n")
        self.child.stdin.flush()

    def end(self):
        self.child.stdin.close()
        try:
            self.child.wait(DEADLINE)
        finally:
            self.child.kill()
            self.child.wait()
            self.child.stdout.close()


def test_try_it_and_a_client_by_hand(local):  # noqa: F811
    done = run_block("README.md", "try", env=local.env, seconds=200)
    port = {"localhost:8080": f"localhost:{local.port}"}
    assert f"http://{port['localhost:8080']}" in done.stdout
    *commands, frame = block("README.md", "client").splitlines()
    assert len(commands) == 2 and f"\n  {frame.replace('demo', 'ann')}\n" in \
        done.stdout, "local.sh prints another example than README.md has"
    client = Typed(replaced("\n".join(commands), port, "README.md"))
    try:
        client.read_until(b'"type":"user_info"')
        client.type(frame)
        client.read_until(b'{"type":"search_people_results",'
                          b'"search_people_results":[{"id":"')
    finally:
        client.end()


# ---- CONTRIBUTING.md -------------------------------------------------------------

@pytest.fixture
def copy(tmp_path):
    """What writes pages, and what it reads, away from the repository."""
    for part in ("tests/support", "docs", "gateway/www"):
        shutil.copytree(ROOT / part, tmp_path / part,
                        ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_the_pages_of_the_reference_are_written_anew(copy):
    pages = ["gateway/www/docs-ws.html", "gateway/www/docs-http.html"]
    for page in pages:
        (copy / page).unlink()
    run_block("CONTRIBUTING.md", "reference", cwd=copy)
    for page in pages:
        assert (copy / page).read_text() == (ROOT / page).read_text(), page


def test_the_page_of_settings_is_written_anew(copy):
    (copy / "docs/config.md").unlink()
    run_block("CONTRIBUTING.md", "settings", {"build/dev": BUILD}, cwd=copy)
    assert (copy / "docs/config.md").read_text() == \
        (ROOT / "docs/config.md").read_text()


def test_its_example_is_what_is_there():
    table, handler = [b.text for b in blocks("CONTRIBUTING.md")
                      if b.language == "c"]
    contract = (ROOT / "common/contract.def").read_text().splitlines()
    assert [x for x in table.splitlines() if x not in ["", *contract]] == []
    assert handler in (ROOT / "chatd/handle_contacts.c").read_text()


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/testing.md"])
async def test_the_tests_that_are_shown_pass(page, new_stack, stack):
    shown, = [b.text for b in blocks(page) if b.language == "python"]
    told = {"pair": pair, "person": person}
    exec(compile(shown, page, "exec"), told)
    test, = [told[name] for name in told if name.startswith("test_")]
    fixtures = {"new_stack": new_stack, "stack": stack}
    await test(**{name: fixtures[name]
                  for name in inspect.signature(test).parameters})


# ---- docs/testing.md -------------------------------------------------------------

def test_one_test_by_hand():
    done = run_block("docs/testing.md", "one-test", {"build/dev": BUILD},
                     seconds=120 * PATIENCE, env={
                         k: v for k, v in os.environ.items()
                         if k in ("PARLEY_TEST_SHARD", "PARLEY_TEST_PATIENCE")})
    assert "1 passed" in done.stdout


# ---- docs/operations.md ----------------------------------------------------------

def test_the_schema_is_brought_up_to_date_by_hand(stack):
    urls = {name: stack.postgres.conninfo(role, stack.database)
            for name, role in (("PARLEY_MIGRATE_URL", "parley_owner"),
                               ("PARLEY_DATABASE_URL", "parley_chatd"))}
    run_block("docs/operations.md", "migrate",
              {f"{name}=...": f"{name}='{url}'" for name, url in urls.items()},
              env={"PATH": f"{BUILD / 'chatd'}:{os.environ['PATH']}"})
