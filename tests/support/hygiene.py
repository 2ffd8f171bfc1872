"""What must never be in a log: the tests' secrets, and reports of sanitizers.

Every token, password and message body a test uses is noted here; when a stack is
taken down its logs are searched for them.

SPDX-License-Identifier: MIT
"""

import re

REPORT = re.compile(r"ERROR: (Address|Leak)Sanitizer|WARNING: ThreadSanitizer"
                    r"|: runtime error: |UndefinedBehaviorSanitizer"
                    r"|ThreadSanitizer: (SEGV|DEADLYSIGNAL)")
# A shorter body may stand in a log by chance.
BODY_MIN = 12

_secrets = set()
_bodies = set()


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
