"""Programs of earlier revisions of this repository, built from its own history,
and of a release to come, under build/releases/.

SPDX-License-Identifier: MIT
"""

import shutil
import subprocess

from .stack import ROOT

RELEASES = ROOT / "build" / "releases"
KINDS = ("gateway", "chatd", "presenced")


class NoHistory(Exception):
    """This is no clone, or one without the revision."""


def source_of(revision):
    """The files of the revision, without touching the repository's own state."""
    source = RELEASES / revision / "source"
    if (source / "CMakeLists.txt").exists():
        return source
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir(parents=True)
    archive = subprocess.run(["git", "archive", revision], cwd=ROOT,
                             capture_output=True, stdin=subprocess.DEVNULL,
                             check=False)
    if archive.returncode != 0:
        raise NoHistory(archive.stderr.decode().strip())
    subprocess.run(["tar", "-x", "-C", source], input=archive.stdout,
                   check=True)
    return source


def source_to_come(migrations):
    """This tree with more migrations: file name -> text."""
    source = RELEASES / "to-come" / "source"
    shutil.rmtree(source, ignore_errors=True)
    for name in ("CMakeLists.txt", "cmake", "common", "gateway", "chatd",
                 "presenced", "deploy", "LICENSE"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name)
        else:
            source.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, source / name)
    chatd = source / "chatd"
    cmake, added = (chatd / "CMakeLists.txt").read_text(), ""
    for name, text in migrations.items():
        (chatd / "sql" / "migrations" / name).write_text(text)
        added += f"\n  sql/migrations/{name}"
    last = sorted((ROOT / "chatd" / "sql" / "migrations").glob("*.sql"))[-1]
    before = f"sql/migrations/{last.name}"
    assert before in cmake
    (chatd / "CMakeLists.txt").write_text(cmake.replace(
        before, before + added))
    return source


def build(revision, migrations=None):
    """Builds it unless it is there; gives kind -> program. Without a revision
    this tree with more migrations."""
    if revision is None:
        revision, source = "to-come", source_to_come(migrations)
    else:
        source = source_of(revision)
    out = RELEASES / revision / "build"
    for words in (["-S", source, "-B", out, "-G", "Ninja",
                   "-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-DPARLEY_TESTS=OFF"],
                  ["--build", out, "--target", *KINDS]):
        done = subprocess.run(["cmake", *words], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, check=False)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return {kind: out / kind / kind for kind in KINDS}
