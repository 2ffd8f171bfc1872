"""docs/architecture.md names files, functions, statements and bounds: they are
where it says. Its drawings are made from their texts.

SPDX-License-Identifier: MIT
"""

import re

import pytest

from support import drawings
from support.stack import ROOT
from test_docs import names_of_tests

pytestmark = pytest.mark.plain

PAGE = ROOT / "docs" / "architecture.md"
PATHS = re.compile(r"`((?:common|chatd|gateway|presenced)/[\w./-]+\.\w+)`")
BOUND = re.compile(r"`([A-Z][A-Z_]+)` ([\d,]+)( [KM]iB)?")
UNITS = {"": 1, " KiB": 1 << 10, " MiB": 1 << 20}


def rows():
    """The cells of every row of every table."""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("|") and not line.startswith("|---"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def value_of(text, name):
    """What `#define name` is, or nothing."""
    found = re.search(rf"^#define {name}\s+(.+?)(?:\s*/\*.*)?$", text, re.M)
    if not found:
        return None
    return eval(found[1].replace("(size_t)", ""), {})  # ours: numbers


def is_there(text, path, name):
    """Whether the file defines that function, or has that statement."""
    if path.endswith(".sql"):
        return re.search(rf"^-- name: {name}$", text, re.M) is not None
    return re.search(rf"^{name}\(", text, re.M) is not None


def named_in(cells):
    """(path, function or statement) of a row whose cells say file, names."""
    for i, cell in enumerate(cells[:-1]):
        paths = PATHS.findall(cell)
        if not paths:
            continue
        words = re.findall(r"`(\w+)\(\)`", cells[i + 1])
        if paths[0].endswith(".sql"):
            words = re.findall(r"`(\w+)`", cells[i + 1])
        yield from ((paths[0], word) for word in words)


def test_functions_and_statements_are_where_the_tour_says():
    named = [pair for cells in rows() for pair in named_in(cells)]
    assert len(named) > 120, len(named)
    wrong = [f"{path}: {name}" for path, name in named
             if not is_there((ROOT / path).read_text(), path, name)]
    assert not wrong, "docs/architecture.md: " + ", ".join(wrong)


def test_bounds_are_what_the_tour_says():
    named = [(PATHS.findall(" ".join(cells)), *bound)
             for cells in rows() for bound in BOUND.findall(" ".join(cells))]
    assert len(named) > 15, named
    wrong = []
    for paths, name, digits, unit in named:
        said = int(digits.replace(",", "")) * UNITS[unit]
        values = [value_of((ROOT / path).read_text(), name) for path in paths]
        if said not in values:
            wrong.append(f"{name}: {said} is said, {values} is there")
    assert not wrong, "docs/architecture.md: " + "; ".join(wrong)


def test_the_tests_it_names_exist():
    named = set(re.findall(r"`(test_\w+)`", PAGE.read_text()))
    assert len(named) > 8 and named <= names_of_tests(), \
        named - names_of_tests()


@pytest.mark.parametrize("source", drawings.sources(), ids=lambda p: p.name)
def test_drawings_are_made_from_their_texts(source):
    assert drawings.is_drawn_from(source), \
        "cd tests && /usr/bin/python3 -m support.drawings"
    image = drawings.image_of(source)
    pages = "".join(p.read_text() for p in ROOT.glob("docs/*.md"))
    assert f"(images/{image.name})" in pages, f"no page shows {image.name}"
