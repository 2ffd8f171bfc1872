"""axe-core, which finds faults of accessibility in a page: from npm, under
build/.

SPDX-License-Identifier: MIT
"""

import shutil
import subprocess

import pytest

from .stack import ROOT

VERSION = "4.10.3"
PLACE = ROOT / "build" / "axe-core"


def source():
    """axe-core's script; skips the test where it cannot be had."""
    script = PLACE / "node_modules" / "axe-core" / "axe.min.js"
    if not script.exists():
        if not shutil.which("npm"):
            pytest.skip("no npm here: axe-core, which judges the page's "
                        "accessibility, cannot be installed")
        PLACE.mkdir(parents=True, exist_ok=True)
        result = subprocess.run(
            ["npm", "install", "--prefix", PLACE, f"axe-core@{VERSION}",
             "--no-audit", "--no-fund"], stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=300)
        if result.returncode != 0:
            pytest.skip(f"npm cannot install axe-core: {result.stderr[-300:]}")
    return script.read_text()


def faults(person):
    """What axe finds on the page as it stands, a line a fault."""
    if not person.js("return Boolean(window.axe)"):
        person.js(source())
    found = person.driver.execute_async_script(
        "const done = arguments[0];"
        "axe.run(document, {resultTypes: ['violations'], runOnly: ['wcag2a',"
        " 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}).then("
        "r => done(r.violations), e => done([{id: String(e), nodes: []}]))")
    return [f"{violation['id']}: {violation.get('help')}: "
            f"{node['target']} {node['html'][:160]} {node.get('failureSummary')}"
            for violation in found
            for node in violation["nodes"] or [{"target": "", "html": ""}]]
