"""What the documents say, held against what is there.

SPDX-License-Identifier: MIT
"""

import os
import re
import subprocess

import pytest

from support import scaling_docs
from support.config_docs import PATH, render
from support.stack import BUILD, ROOT

pytestmark = pytest.mark.plain

DOCUMENTS = sorted(p for p in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def test_config_md_says_what_help_says():
    assert PATH.read_text() == render(), \
        "cd tests && PARLEY_BUILD=build/dev python3 -m support.config_docs"


def test_the_tables_of_scaling_md_are_worked_out_from_its_figures():
    text = scaling_docs.PATH.read_text()
    assert len(scaling_docs.habits(text)) == 16
    assert len(scaling_docs.costs(text)) == 8
    assert text == scaling_docs.render(text), \
        "cd tests && python3 -m support.scaling_docs"


def anchors_of(document):
    """What a link into a page may name: its headings, as GitHub spells them."""
    text = re.sub(r"^ *```.*?^ *```$", "", document.read_text(),
                  flags=re.M | re.S)
    found = set()
    for heading in re.findall(r"^#+ (.+)$", text, re.M):
        words = re.sub(r"[^\w\s-]", "", re.sub(r"\]\(.*?\)", "", heading))
        found.add(words.strip().lower().replace(" ", "-"))
    return found


def leads_nowhere(document, link):
    path, _, anchor = link.partition("#")
    target = (document.parent / path) if path else document
    return not target.exists() or (
        anchor and target.suffix == ".md" and
        anchor not in anchors_of(target))


@pytest.mark.parametrize("document", DOCUMENTS,
                         ids=lambda p: str(p.relative_to(ROOT)))
def test_links_and_named_files_exist(document):
    text = document.read_text()
    missing = [link for link in re.findall(r"\]\(([^)\s]+)\)", text)
               if ":" not in link and leads_nowhere(document, link)]
    named = re.findall(r"`((?:common|chatd|gateway|presenced|deploy|tests|docs)"
                       r"/[\w./-]*\w/?)`", text)
    missing += [path for path in named if not (ROOT / path).exists()]
    assert not missing


def test_every_page_is_in_the_index():
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / link).resolve() for link in
              re.findall(r"\]\(([^)#\s]+)\)", index.read_text())
              if ":" not in link}
    pages = {p for p in ROOT.glob("docs/**/*.md") if p != index}
    pages |= set(ROOT.glob("*.md"))
    missing = sorted(str(p.relative_to(ROOT)) for p in pages - linked)
    assert not missing, f"docs/README.md does not name {missing}"


def test_readme_s_commands_are_there():
    text = (ROOT / "README.md").read_text()
    for command in ("deploy/local.sh up", "tests/run.sh"):
        assert command in text
    for script in ("deploy/local.sh", "tests/run.sh", "deploy/packages.sh"):
        assert os.access(ROOT / script, os.X_OK)


def test_every_script_documents_its_use():
    for script in ("deploy/local.sh", "tests/run.sh", "deploy/packages.sh"):
        out = subprocess.run([ROOT / script, "--help"], check=True, text=True,
                             capture_output=True).stdout
        assert len(out.splitlines()) > 5


def test_an_installed_tree_is_complete(tmp_path):
    subprocess.run(["cmake", "--install", BUILD, "--prefix", tmp_path],
                   check=True, stdout=subprocess.DEVNULL)
    for kind in ("gateway", "chatd", "presenced"):
        out = subprocess.run([tmp_path / "sbin" / kind, "--version"],
                             check=True, text=True, capture_output=True).stdout
        assert out.startswith(kind)
    assert (tmp_path / "share/parley/www/index.html").exists()


def names_of_tests():
    """Every test in Python and C."""
    found = set()
    for path in (ROOT / "tests").rglob("*.py"):
        found |= set(re.findall(r"^(?:async )?def (test_\w+)",
                                path.read_text(), re.MULTILINE))
    return found


@pytest.mark.parametrize("document", DOCUMENTS,
                         ids=lambda p: str(p.relative_to(ROOT)))
def test_tests_that_a_page_names_exist(document):
    named = set(re.findall(r"`(test_\w+(?:\.py)?)`", document.read_text()))
    files = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    missing = named - names_of_tests() - files
    assert not missing, missing


def test_the_threat_model_names_tests_that_exist():
    text = (ROOT / "docs" / "security.md").read_text()
    named = set(re.findall(r"`(test_\w+)`", text))
    assert len(named) > 50
    assert named <= names_of_tests(), named - names_of_tests()
    targets = set()
    for words in re.findall(r"fuzz targets?\s+((?:`\w+`(?:,\s+)?)+)", text):
        targets |= set(re.findall(r"`(\w+)`", words))
    assert len(targets) >= 8
    for target in targets:
        assert (ROOT / "tests" / "fuzz" / f"{target}_fuzz.c").exists(), target


def test_every_danger_of_the_threat_model_has_its_test():
    text = (ROOT / "docs" / "security.md").read_text()
    tables = re.findall(r"^\| danger \|.*\n\|[-|]+\n((?:\|.*\n)+)", text,
                        re.MULTILINE)
    assert len(tables) >= 4
    for row in "".join(tables).splitlines():
        shown = row.split("|")[3]
        assert re.search(r"`test_\w+`|`tests/\S+`", shown), row
