"""Runs a program as its systemd unit would let it run, as far as that can be had
without systemd: as another account, without capabilities or new privileges, with
the unit's SystemCallFilter, RestrictAddressFamilies and MemoryDenyWriteExecute.

    python3 sandboxed.py UNIT ACCOUNT PROGRAM ARGUMENT...

SPDX-License-Identifier: MIT
"""

import ctypes
import errno
import os
import pwd
import re
import signal
import socket
import subprocess
import sys

import seccomp

PROT_WRITE, PROT_EXEC = 2, 4
PR_SET_PDEATHSIG = 1


def values(unit, key):
    """All words of a directive, in order, one list a line."""
    return [line.split("=", 1)[1].split() for line in unit.splitlines()
            if line.startswith(key + "=")]


def members(name):
    """The system calls of a group, as the installed systemd knows it."""
    if not name.startswith("@"):
        return {name}
    text = subprocess.run(["systemd-analyze", "syscall-filter", name],
                          check=True, capture_output=True, text=True).stdout
    found = set()
    for word in re.findall(r"^\s+(@?[a-z0-9_-]+)\s*$", text, re.MULTILINE):
        found |= members(word)
    return found


def allowed_calls(unit):
    allowed = set()
    for words in values(unit, "SystemCallFilter"):
        minus = words[0].startswith("~")
        for word in words:
            group = members(word.lstrip("~"))
            allowed = allowed - group if minus else allowed | group
    return allowed


def filter_of(unit):
    refuse = seccomp.ERRNO(errno.EPERM)
    rules = seccomp.SyscallFilter(refuse)
    for call in sorted(allowed_calls(unit) - {"socket", "mmap", "mprotect",
                                              "pkey_mprotect"}):
        if seccomp.resolve_syscall(seccomp.Arch(), call) >= 0:
            rules.add_rule(seccomp.ALLOW, call)
    for words in values(unit, "RestrictAddressFamilies"):
        for word in words:
            rules.add_rule(seccomp.ALLOW, "socket", seccomp.Arg(
                0, seccomp.EQ, getattr(socket, word)))
    assert values(unit, "MemoryDenyWriteExecute") == [["yes"]]
    for mask in (0, PROT_WRITE, PROT_EXEC):
        rules.add_rule(seccomp.ALLOW, "mmap", seccomp.Arg(
            2, seccomp.MASKED_EQ, PROT_WRITE | PROT_EXEC, mask))
    rules.add_rule(seccomp.ALLOW, "mprotect", seccomp.Arg(
        2, seccomp.MASKED_EQ, PROT_EXEC, 0))
    return rules


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        unit = file.read()
    rules = filter_of(unit)
    # Ignored where a filter is loaded, which sets it itself.
    rules.set_attr(seccomp.Attr.CTL_NNP, True)
    if os.getuid() == 0:
        account = pwd.getpwnam(sys.argv[2])
        os.setgroups([])
        os.setresgid(*[account.pw_gid] * 3)
        os.setresuid(*[account.pw_uid] * 3)
        # The wish to die with the tests went with the old account.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    rules.load()
    os.execv(sys.argv[3], sys.argv[3:])


main()
