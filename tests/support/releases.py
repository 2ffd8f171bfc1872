"""Programs of earlier revisions of this repository, built from its own history
under build/releases/.

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


def build(revision):
    """Builds it unless it is there; gives kind -> program."""
    source, out = source_of(revision), RELEASES / revision / "build"
    for words in (["-S", source, "-B", out, "-G", "Ninja",
                   "-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-DPARLEY_TESTS=OFF"],
                  ["--build", out, "--target", *KINDS]):
        done = subprocess.run(["cmake", *words], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, check=False)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return {kind: out / kind / kind for kind in KINDS}
