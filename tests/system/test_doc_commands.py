"""Every command in the documents is run by a test or says what it needs
(support/doc_commands.py has the rule).

SPDX-License-Identifier: MIT
"""

import re

import pytest

from support.doc_commands import (SHELL, block, blocks, pages, replaced,
                                  run_block)
from support.stack import ROOT

pytestmark = pytest.mark.plain

# What a block of another language would begin a line with, if it held commands.
COMMAND = re.compile(
    r"^(\$ |sudo |cd |apt |curl |cmake |docker|kubectl |systemctl |journalctl "
    r"|/usr/bin/|tests/\S+\.sh|deploy/\S+\.sh|parley-?\w* -|parleyctl [a-z])")
LANGUAGES = {"text", "c", "cpp", "sql", "python", "ini", "conf", "json",
             "yaml", "http", "javascript", "lua", "nginx", "haproxy", "gdb"}


def fault_of(b):
    """What is wrong with a block, or nothing."""
    if b.language not in SHELL | LANGUAGES:
        return "its fence names no known language: sh for commands, or " + \
            ", ".join(sorted(LANGUAGES))
    if b.language in SHELL and unknown_modes(b):
        return f"tests/run.sh has no mode {unknown_modes(b)}"
    if b.kind == "run":
        return fault_of_run(b)
    if b.kind == "elsewhere":
        return None if len(b.words) > 5 else "it does not say what it needs"
    if b.language in SHELL:
        return "commands without a mark on the line before their fence"
    commands = [x for x in b.text.splitlines() if COMMAND.match(x)]
    return f"this looks like a command: {commands[0]}" if commands else None


def default_modes():
    """What tests/run.sh runs when it is not told."""
    text = (ROOT / "tests/run.sh").read_text()
    return re.search(r"\|\|\n\t\tmodes=\(([^)]*)\)", text)[1].split()


def fault_of_ci(b):
    last = (ROOT / ".ci/run").read_text().splitlines()[-1]
    runs = {"tests/run.sh", *(f"tests/run.sh {m}" for m in default_modes())}
    if last != "exec bash tests/run.sh" or not set(b.text.splitlines()) <= runs:
        return ".ci/run runs tests/run.sh with its default modes, no more"
    return None


def unknown_modes(b):
    """Modes that tests/run.sh does not have."""
    text = (ROOT / "tests/run.sh").read_text()
    asked = re.findall(r"tests/run\.sh((?: [a-z][\w-]*)*)", b.text)
    return [m for m in " ".join(asked).split()
            if m != "all" and f"\nmode_{m}() {{" not in text]


def fault_of_run(b):
    words = b.words.split()
    if len(words) != 2:
        return "its mark is not <!-- run: NAME tests/FILE -->"
    name, runner = words
    if runner == ".ci/run":
        return fault_of_ci(b)
    path = ROOT / runner
    if not runner.startswith("tests/") or not path.is_file():
        return f"there is no test {runner}"
    call = rf'\b(?:run_)?block\(\s*"{re.escape(b.page)}",' \
           rf'\s*"{re.escape(name)}"'
    if not re.search(call, path.read_text()):
        return f'{runner} does not call block("{b.page}", "{name}")'
    return None


@pytest.mark.parametrize("page", pages())
def test_every_command_is_run_or_says_what_it_needs(page):
    found = blocks(page)
    faults = [f"{b.place}: {fault}" for b in found if (fault := fault_of(b))]
    names = [b.name for b in found if b.name]
    faults += [f"{page}: two blocks are named {n}" for n in set(names)
               if names.count(n) > 1]
    assert not faults, "\n".join(faults)


def known_words():
    """{program: the commands it has}, as its own source names them."""
    def found(path, pattern):
        return set(re.findall(pattern, (ROOT / path).read_text(), re.M))
    return {
        "tests/run.sh": {"all"} | found("tests/run.sh", r"^mode_([\w-]+)\(\)"),
        "deploy/local.sh": {w.replace("_", "-") for w in found(
            "deploy/local.sh", r"^cmd_(\w+)\(\)")},
        "deploy/packages.sh": found("deploy/packages.sh", r"^\t(\w+)\)$"),
        "parleyctl": {"settings"} | found("chatd/parleyctl/commands.c",
                                          r'^\t\{ "([a-z ]+)"'),
    }


def test_every_mode_of_the_tests_is_told_of():
    table = re.findall(r"^\| ([a-z-]+) \| .* \| .*\|$",
                       (ROOT / "docs/testing.md").read_text(), re.M)
    # "both" and "four" are parts that run side by side.
    modes = known_words()["tests/run.sh"] - {"all", "both", "four"}
    assert modes <= set(table), modes - set(table)


@pytest.mark.parametrize("page", pages())
def test_commands_within_the_text_exist(page):
    wrong = []
    text = (ROOT / page).read_text(encoding="utf-8")
    for program, known in known_words().items():
        assert len(known) > 5, program
        for words in re.findall(
                rf"`{re.escape(program)} ([a-z][\w-]*(?: [a-z]\w*)?)", text):
            if words not in known and words.split()[0] not in known:
                wrong.append(f"{program} {words}")
    assert not wrong, f"{page}: there is no {', '.join(wrong)}"


def test_every_call_of_a_test_finds_its_block():
    call = re.compile(r'\b(?:run_)?block\(\s*"([\w./-]+\.md)",\s*"([^"]+)"')
    wrong = []
    for path in (ROOT / "tests").rglob("*.py"):
        if path.name in ("doc_commands.py", "test_doc_commands.py"):
            continue
        runner = str(path.relative_to(ROOT))
        for page, name in call.findall(path.read_text()):
            marks = [b.words for b in blocks(page)] \
                if (ROOT / page).is_file() else []
            if f"{name} {runner}" not in marks:
                wrong.append(f"{runner}: {page} has no <!-- run: {name} "
                             f"{runner} -->")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("mark, fence, text, fault", [
    ("", "sh", "true", "without a mark"),
    ("", "", "true", "no known language"),
    ("", "text", "tests/run.sh unit", "looks like a command"),
    ("", "text", "a drawing", None),
    ("<!-- elsewhere: a cluster -->", "sh", "kubectl apply", None),
    ("<!-- elsewhere:  -->", "sh", "kubectl apply", "what it needs"),
    ("<!-- run: all .ci/run -->", "sh", "tests/run.sh", None),
    ("<!-- run: all .ci/run -->", "sh", "tests/run.sh unit", None),
    ("<!-- run: all .ci/run -->", "sh", "tests/run.sh bench", "no more"),
    ("<!-- run: all .ci/run -->", "sh", "tests/run.sh; true", "no more"),
    ("<!-- elsewhere: an hour -->", "sh", "tests/run.sh chaos", None),
    ("<!-- elsewhere: an hour -->", "sh", "tests/run.sh chao", "no mode"),
    ("<!-- run: one tests/none.py -->", "sh", "true", "no test"),
    ("<!-- run: one -->", "sh", "true", "is not <!-- run"),
    ("<!-- run: one tests/conftest.py -->", "sh", "true", "does not call"),
])
def test_the_rule_itself(monkeypatch, tmp_path, mark, fence, text, fault):
    monkeypatch.setattr("support.doc_commands.ROOT", tmp_path)
    (tmp_path / "page.md").write_text(
        f"text\n\n{mark}\n```{fence}\n{text}\n```\n")
    [b] = blocks("page.md")
    found = fault_of(b)
    assert fault in found if fault else found is None, found


def test_a_block_is_found_by_its_name_and_run(monkeypatch, tmp_path):
    monkeypatch.setattr("support.doc_commands.ROOT", tmp_path)
    (tmp_path / "page.md").write_text(
        "1. a list\n\n   <!-- run: one tests/x.py -->\n   ```sh\n"
        "   echo a\n     echo b $WHO\n   ```\n")
    assert block("page.md", "one") == "echo a\n  echo b $WHO\n"
    done = run_block("page.md", "one", {"echo b": "echo c"},
                     env={"WHO": "ann"}, cwd=tmp_path)
    assert done.stdout == "a\nc ann\n"
    with pytest.raises(AssertionError, match="no blocks named two"):
        block("page.md", "two")
    with pytest.raises(AssertionError, match="no longer says 'gone'"):
        run_block("page.md", "one", {"gone": ""}, cwd=tmp_path)
    with pytest.raises(AssertionError, match="ended with"):
        run_block("page.md", "one", {"echo a": "false"}, cwd=tmp_path)
    assert replaced("a", None, "page") == "a"
