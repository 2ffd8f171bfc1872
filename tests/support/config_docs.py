"""docs/config.md from what the processes' --help says.

    cd tests && PARLEY_BUILD=build/dev python3 -m support.config_docs

writes it; a test holds the file against the processes.

SPDX-License-Identifier: MIT
"""

import re
import subprocess

from .stack import ROOT, program

PATH = ROOT / "docs" / "config.md"

HEAD = """\
# Settings

Each process has one table of settings. Every setting can be given as a flag
(`--redis-url=X`), as an environment variable (`PARLEY_REDIS_URL=X`) or as a line
`redis_url = X` in the file that `--config` names (`#` begins a comment). Flags
win over the environment, the environment over the file, the file over the
default. An unknown flag or key, or a value out of range, refuses to start, with
one line that names it.

A secret is never printed, and refused as a flag, since anyone on the machine can read a
command line; a URL without a password is none. Each secret can also be given as
a file that holds nothing else: by `<key>_file` (`database_url_file =
/run/secrets/database_url`, as Docker and Kubernetes have it), or under the setting's name in
the directory that `CREDENTIALS_DIRECTORY` names (as systemd's `LoadCredential=` has it; it
wins over the config file and loses to the environment). A config file with a
secret in it that everybody may read is warned of.

`--check-config` tests the values without starting, `--print-config` prints those in
force as a config file, `--version` tells the version. SIGHUP reads the file
again; the settings marked so take a changed value at once.

Times are `250ms`, `5s`, `2m`, `1h`, `30d`; sizes `512`, `64k`, `20M`, `1G`. Rates are
`50/s burst 500` (50 a second, and 500 at once after a rest), `10/5m` (ten in five
minutes), `20M/s` (bytes) or `off`; periods are counted in `s`, `m`, `h` or `d`.

This page is made from the processes' `--help` (`tests/support/config_docs.py`), and
a test holds it against them.
"""

ORDER = ("gateway", "chatd", "presenced")


def settings_of(kind):
    """(key, value kind, meaning, notes) of each setting."""
    text = subprocess.run([program(kind), "--help"], check=True, text=True,
                          capture_output=True).stdout
    rows = re.findall(r"^  --([a-z0-9-]+)=(\S+) +PARLEY_\w+\n"
                      r"      (.*)\n      (.*)$", text, re.MULTILINE)
    assert len(rows) == len(re.findall(r"^  --", text, re.MULTILINE)), kind
    return [(flag.replace("-", "_"), value.lower(), meaning, notes)
            for flag, value, meaning, notes in rows]


def render():
    tables = {kind: settings_of(kind) for kind in ORDER}
    common = [row for row in tables["gateway"]
              if row[0] in ("config", "log_level", "log_file",
                            "drain_timeout")]
    parts = [HEAD, section("Every process", common)]
    for kind in ORDER:
        rows = [r for r in tables[kind] if r not in common]
        parts.append(section(kind, rows))
    return "\n".join(parts)


def section(title, rows):
    lines = [f"## {title}", "", "| key | kind | meaning | default |",
             "|---|---|---|---|"]
    for key, value, meaning, notes in rows:
        value = value.replace("|", " or ")
        notes = notes.replace("default: ", "").replace("|", "\\|")
        lines.append(f"| `{key}` | {value} | {meaning.replace('|', chr(92) + '|')}"
                     f" | {notes} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PATH.write_text(render())
