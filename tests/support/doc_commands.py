"""The commands in the documents, to be run from the very text of the page.

Each fenced block names its language; one of shell commands is `sh` and carries,
on the line before its fence, one of two marks that readers do not see:

    <!-- run: NAME tests/system/test_x.py -->
    <!-- elsewhere: REASON -->

`run`: that test runs the block; NAME is the block's name in its page, and a block of
another language (a file's text) may be named so, too.

    from support.doc_commands import block, run_block

    block("docs/page.md", "NAME")       the block's text
    run_block("docs/page.md", "NAME", {"8080": port}, env={...})
                                        runs it as a bash script in the
                                        repository's root, replacing what differs
                                        here

Page and name are written out, since system/test_doc_commands.py looks for them in
the test's source. A block of `tests/run.sh` with no mode or default ones may name .ci/run.

`elsewhere`: it needs another machine, a cluster, a registry; the reason says which.

SPDX-License-Identifier: MIT
"""

import re
import subprocess
import textwrap
from dataclasses import dataclass

from .process import clean_environment
from .stack import ROOT

SHELL = {"sh", "bash", "shell", "console"}
FENCE = re.compile(r"^ *(```+|~~~+) *(\S*)")
MARK = re.compile(r"^ *<!-- (run|elsewhere): (.*?) -->$")


@dataclass
class Block:
    """One fenced block: where it is, its mark and its text."""

    page: str
    line: int
    language: str
    kind: str           # "run", "elsewhere", or "" without a mark
    words: str          # of the mark, behind its kind
    text: str

    @property
    def name(self):
        return self.words.split()[0] if self.kind == "run" else None

    @property
    def place(self):
        return f"{self.page}:{self.line}"


def pages():
    """All pages, as paths from the repository's root."""
    return sorted(str(p.relative_to(ROOT))
                  for p in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def blocks(page):
    """All fenced blocks of a page, in order."""
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
    found, at = [], 0
    while at < len(lines):
        opened = FENCE.match(lines[at])
        at += 1
        if not opened:
            continue
        begin = at
        while at < len(lines) and lines[at].strip() != opened[1]:
            at += 1
        assert at < len(lines), f"{page}:{begin}: this fence is never closed"
        mark = MARK.match(lines[begin - 2]) if begin > 1 else None
        kind, words = mark.groups() if mark else ("", "")
        text = textwrap.dedent("\n".join(lines[begin:at])) + "\n"
        found.append(Block(page, begin, opened[2], kind, words, text))
        at += 1
    return found


def block(page, name):
    """The text of the block of that name."""
    found = [b.text for b in blocks(page) if b.name == name]
    assert len(found) == 1, (
        f"{page} has {len(found) or 'no'} blocks named {name}: this test runs "
        f"the one that follows the line <!-- run: {name} tests/... -->")
    return found[0]


def replaced(text, changes, place):
    """The text with each key of changes replaced; one that is not there fails."""
    for old, new in (changes or {}).items():
        assert old in text, f"{place} no longer says {old!r}"
        text = text.replace(old, str(new))
    return text


def run_block(page, name, changes=None, env=None, seconds=60, cwd=ROOT):
    """Runs a block, with env added to a clean environment. Gives the finished
    process, whose status was 0."""
    text = replaced(block(page, name), changes, f"{page}, {name}")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text], cwd=cwd,
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=seconds, check=False,
        env=clean_environment(**{k: str(v) for k, v in (env or {}).items()}))
    assert done.returncode == 0, (
        f"{page}, {name} ended with {done.returncode}:\n{text}\n"
        f"{done.stdout[-4000:]}{done.stderr[-4000:]}")
    return done
