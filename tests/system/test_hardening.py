"""The release binaries: built with every hardening that cmake/BuildFlags.cmake
asks for, told from the files themselves.

SPDX-License-Identifier: MIT
"""

import json
import platform
import re
import subprocess

import pytest

from support.stack import ROOT

RELEASE = ROOT / "build" / "release"
PROGRAMS = ("gateway", "chatd", "presenced")
OURS = tuple(f"{ROOT}/{part}/" for part in
             ("common", "gateway", "chatd", "presenced"))

# What the compiler was told, as it notes in the debug information.
SWITCHES = ["-fstack-protector-strong", "-fstack-clash-protection",
            "-ftrivial-auto-var-init=zero", "-fPIE", "-O2"]


def run(*words):
    return subprocess.run([str(w) for w in words], check=True,
                          capture_output=True, text=True, cwd=ROOT).stdout


def readelf(path, *flags):
    return run("readelf", "-W", *flags, path)


def linked_faults(path):
    """What the linker's part of the hardening misses."""
    header, segments = readelf(path, "-h"), readelf(path, "-l")
    dynamic, symbols = readelf(path, "-d"), readelf(path, "--dyn-syms")
    faults = []
    if "DYN (" not in header or not re.search(r"FLAGS_1.*\bPIE\b", dynamic):
        faults.append("not position independent")
    if "GNU_RELRO" not in segments:
        faults.append("no RELRO")
    if not re.search(r"\(FLAGS\).*BIND_NOW|FLAGS_1.*\bNOW\b", dynamic):
        faults.append("binds late: RELRO is not full")
    stack = re.search(r"GNU_STACK\s.*", segments)
    if stack is None or "E" in stack.group().split()[-2]:
        faults.append("executable stack")
    if re.search(r"LOAD\s.* RWE ", segments):
        faults.append("memory that is writable and executable")
    if "TEXTREL" in dynamic:
        faults.append("relocations in the code")
    if re.search(r"\((RPATH|RUNPATH)\)", dynamic):
        faults.append("looks for libraries at a place of the build")
    if "__stack_chk_fail" not in symbols:
        faults.append("no stack protector")
    if not re.search(r"__\w+_chk\b(?<!__stack_chk)", symbols):
        faults.append("no fortified calls")
    return faults


@pytest.fixture(scope="module")
def release():
    """The release build, up to date."""
    for words in (["cmake", "--preset", "release"],
                  ["cmake", "--build", RELEASE, "--target", *PROGRAMS]):
        built = subprocess.run([str(w) for w in words], cwd=ROOT, text=True,
                               capture_output=True, check=False)
        assert built.returncode == 0, (built.stdout + built.stderr)[-3000:]
    return RELEASE


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_release_binary_is_linked_hardened(release, name):
    assert linked_faults(release / name / name) == []


def units_of(path):
    """{source of ours: the switches it was compiled with}, from the debug
    information (gcc's; clang notes none)."""
    dump = readelf(path, "--debug-dump=info", "--dwarf-depth=1")
    units = re.findall(r"DW_AT_producer .*: (GNU C\d\d .*)\n"
                       r"(?:.*DW_AT_language.*\n)?.*DW_AT_name .*: (\S+)", dump)
    return {source: switches for switches, source in units
            if source.startswith(OURS)}


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_source_of_a_release_binary_was_compiled_hardened(release, name):
    units = units_of(release / name / name)
    wanted = set(SWITCHES)
    if platform.machine() == "x86_64":
        wanted.add("-fcf-protection=full")
    assert {f"{ROOT}/{name}/main.c", f"{ROOT}/common/config.c"} <= set(units)
    for source, switches in units.items():
        assert wanted <= set(switches.split()), source


def compile_commands(release):
    """What each source of ours is compiled with, tests apart."""
    return {entry["file"]: entry["command"] for entry in json.loads(
        (release / "compile_commands.json").read_text())
        if entry["file"].startswith(OURS)}


def test_every_source_is_fortified_and_its_formats_are_checked(release):
    """At the highest level that compiler and C library know."""
    probe = ("#include <features.h>\n#if __USE_FORTIFY_LEVEL < 3\n"
             "#error\n#endif\n")
    knows_3 = subprocess.run(
        ["cc", "-O2", "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=3", "-x", "c",
         "-fsyntax-only", "-"], input=probe, text=True, capture_output=True,
        check=False).returncode == 0
    commands = compile_commands(release)
    assert len(commands) > 100
    for source, command in commands.items():
        words = command.split()
        assert f"-D_FORTIFY_SOURCE={3 if knows_3 else 2}" in words, source
        assert "-Werror=format-security" in words, source


@pytest.mark.parametrize("flags, fault", [
    (["-fno-pie", "-no-pie"], "not position independent"),
    (["-Wl,-z,norelro"], "no RELRO"),
    (["-Wl,-z,lazy"], "binds late: RELRO is not full"),
    (["-Wl,-z,execstack"], "executable stack"),
    (["-fno-stack-protector"], "no stack protector"),
    (["-U_FORTIFY_SOURCE"], "no fortified calls"),
    (["-Wl,-rpath,/tmp"], "looks for libraries at a place of the build"),
])
def test_the_look_at_a_binary_finds_what_is_missing(tmp_path, flags, fault):
    """Else the tests above could not fail."""
    source = tmp_path / "x.c"
    source.write_text("#include <stdio.h>\n#include <string.h>\n"
                      "int main(int n, char **v) { char b[16];\n"
                      "strcpy(b, v[n - 1]); printf(b); return b[3]; }\n")
    good = ["-O2", "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2", "-fPIE", "-pie",
            "-fstack-protector-strong", "-Wl,-z,relro,-z,now", "-w"]
    run("cc", *good, "-o", tmp_path / "good", source)
    assert linked_faults(tmp_path / "good") == []
    run("cc", *good, *flags, "-o", tmp_path / "bad", source)
    assert linked_faults(tmp_path / "bad") == [fault]
