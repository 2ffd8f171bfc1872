"""What must never be in a log or on a command line: the tests' secrets; and
reports of sanitizers.

Every token, password, secret setting and message body a test uses is noted here.
When a stack is taken down its logs are searched for those known by then; at the
end of a run all logs of all its stacks, and the command lines of all processes
it started and of their children, are searched for all.

SPDX-License-Identifier: MIT
"""

import re
import subprocess
from pathlib import Path

REPORT = re.compile(r"ERROR: (Address|Leak)Sanitizer|WARNING: ThreadSanitizer"
                    r"|: runtime error: |UndefinedBehaviorSanitizer"
                    r"|ThreadSanitizer: (SEGV|DEADLYSIGNAL)")
# A shorter body may stand in a log by chance.
BODY_MIN = 12

_secrets = set()
_bodies = set()
_command_lines = {}


def secret(text):
    _secrets.add(text)
    return text


def body(text):
    if isinstance(text, str) and len(text) >= BODY_MIN:
        _bodies.add(text[:64])


def faults_in(path):
    """What is wrong with a log file, as lines of text."""
    text = path.read_text(encoding="utf-8", errors="replace")
    faults = []
    report = REPORT.search(text)
    if report:
        start = text.rfind("\n", 0, report.start()) + 1
        faults.append(f"a sanitizer's report in {path.name}:\n"
                      + text[start:start + 3000])
    for name, words in (("a secret", _secrets), ("a message body", _bodies)):
        found = next((w for w in words if w in text), None)
        if found:
            at = text.index(found)
            start = text.rfind("\n", 0, at) + 1
            faults.append(f"{name} is in {path.name}: "
                          + text[start:at] + "[...]")
    return faults


# ---- command lines -----------------------------------------------------------


def note_command_lines(name, pid):
    """Keeps what everybody can read of a running process and its children."""
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return
    words = line.replace(b"\0", b" ").decode(errors="replace")
    _command_lines.setdefault(name, set()).add(words)
    for child in children.split():
        note_command_lines(f"{name}'s child", int(child))


def faults_in_command_lines():
    return [f"a secret is on the command line of {name}"
            for name, lines in _command_lines.items()
            if any(word in line for line in lines for word in _secrets)]


# ---- all logs ------------------------------------------------------------------


def sweep(directory):
    """All that is wrong with any log under a directory. Thousands of words in
    many files are grep's business; they go by its standard input."""
    logs = sorted(str(p) for p in Path(directory).rglob("*.log"))
    words = _secrets | {b.splitlines()[0] for b in _bodies
                        if len(b.splitlines()[0]) >= BODY_MIN}
    if not logs or not words:
        return []
    done = subprocess.run(["grep", "-aFlf", "-", "--", *logs], text=True,
                          input="\n".join(sorted(words)) + "\n",
                          capture_output=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return [f"a secret or a message body is in {path}"
            for path in done.stdout.splitlines()]
