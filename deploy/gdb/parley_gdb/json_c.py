"""json-c's values. Debian's package has no debug information of them, so their
layout (json-c 0.15 to 0.18, json_object_private.h) is read here by hand; a value
that does not look like one is shown as its address.

Shown are keys, numbers, booleans and ids; of other texts only the length.

SPDX-License-Identifier: MIT
"""

import re
import struct

import gdb

from . import reading

KINDS = ("null", "boolean", "double", "int", "object", "array", "string")
BASE = 40           # enum, count of references, four pointers
MEMBERS_MAX = 24
DEPTH_MAX = 3
TEXT_MAX = 200
PLAIN_KEY = re.compile(r"[A-Za-z0-9_.-]{1,40}\Z")
UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")


def word_at(address, form):
    return struct.unpack(form, reading.read_bytes(
        address, struct.calcsize(form)))[0]


def text_of(address):
    """A string's bytes: in place, or behind a pointer if its length is kept as
    a negative number."""
    size = word_at(address + BASE, "=q")
    at = address + BASE + 8
    if size < 0:
        size, at = -size, word_at(at, "=Q")
    return size, reading.read_bytes(at, min(size, TEXT_MAX))


def show_text(address):
    size, data = text_of(address)
    text = data.decode("utf-8", "replace")
    if reading.bodies.value or UUID.match(text):
        return f'"{text}"' + ("..." if size > len(data) else "")
    return f"text of {size} bytes"


def members(table):
    entry = word_at(table + 8, "=Q")
    for _ in range(MEMBERS_MAX):
        if entry == 0:
            return
        key, _, value, following = struct.unpack(
            "=Qq2Q", reading.read_bytes(entry, 32))
        name = gdb.Value(key).cast(gdb.lookup_type("char").pointer()).string(
            "utf-8", "replace") \
            if key else ""
        yield name if PLAIN_KEY.match(name) else "(another)", value
        entry = following
    yield "...", 0


def show_array(address, depth):
    array = word_at(address + BASE, "=Q")
    first, count = struct.unpack("=QQ", reading.read_bytes(array, 16))
    shown = [show(word_at(first + 8 * i, "=Q"), depth + 1)
             for i in range(min(count, 5))]
    return f"[{', '.join(shown)}{', ...' if count > 5 else ''}] of {count}"


def show_object(address, depth):
    table = word_at(address + BASE, "=Q")
    if depth >= DEPTH_MAX:
        return f"object of {word_at(table + 4, '=i')}"
    return "{" + ", ".join(
        name if name == "..." else f"{name}: {show(value, depth + 1)}"
        for name, value in members(table)) + "}"


def show(address, depth=0):
    """One line for the value at this address."""
    if address == 0:
        return "null"
    kind = word_at(address, "=i")
    if not 0 < kind < len(KINDS) or not 0 < word_at(address + 4, "=I") < 10000:
        return f"{address:#x} (no json value)"
    if KINDS[kind] == "boolean":
        return "true" if word_at(address + BASE, "=i") else "false"
    if KINDS[kind] == "double":
        return str(word_at(address + BASE, "=d"))
    if KINDS[kind] == "int":
        return str(word_at(address + BASE + 8, "=q"))
    if KINDS[kind] == "array":
        return show_array(address, depth)
    if KINDS[kind] == "object":
        return show_object(address, depth)
    return show_text(address)
