"""From the process's memory to Python: what the other files are made of.

Names of structures and of static variables are looked up in the file that defines
a function of ours, since several files have a "struct batch" of their own.

SPDX-License-Identifier: MIT
"""

import gdb

# A list longer than this, or one whose links do not fit, is broken.
LIST_MAX = 1000000


class Bodies(gdb.Parameter):
    """Whether texts that people wrote are shown (off unless asked for)."""

    set_doc = "Show message bodies and other people's texts."
    show_doc = "Whether message bodies and other people's texts are shown."

    def __init__(self):
        super().__init__("parley-bodies", gdb.COMMAND_DATA, gdb.PARAM_BOOLEAN)
        self.value = False

    def get_set_string(self):
        return ""

    def get_show_string(self, value):
        return f"Message bodies are shown: {value}."


bodies = Bodies()


# ---- names ------------------------------------------------------------------

def has_function(name):
    return gdb.lookup_global_symbol(name) is not None


def block_of(function):
    """The names of the file that defines this function."""
    symbol = gdb.lookup_global_symbol(function)
    if symbol is None:
        raise gdb.GdbError(
            f"no {function}() here: either this is no process of Parley, or its "
            "debug information is missing (package parley-...-dbgsym)")
    return symbol.symtab.static_block()


def struct(name, function=None):
    """The type "struct NAME", as the file of `function` knows it."""
    if function is None:
        return gdb.lookup_type(f"struct {name}")
    return gdb.lookup_type(f"struct {name}", block_of(function))


def static(function, name):
    """A static variable of the file that defines `function`."""
    for symbol in block_of(function):
        if symbol.name == name and symbol.is_variable:
            return symbol.value()
    raise gdb.GdbError(f"the file of {function}() has no variable {name}")


# ---- values -----------------------------------------------------------------

def is_null(pointer):
    return int(pointer) == 0


def has_field(value, name):
    return any(f.name == name for f in value.type.strip_typedefs().fields())


def fields_of(value, tag):
    """The names of the fields that are a "struct TAG" each."""
    return [f.name for f in value.type.strip_typedefs().fields()
            if f.type.strip_typedefs().tag == tag]


def c_string(pointer, length=-1):
    if is_null(pointer):
        return ""
    return pointer.string("utf-8", "replace", length)


def read_bytes(address, length):
    return bytes(gdb.selected_inferior().read_memory(address, length))


def uuid_text(value):
    """As in the logs; "nil" for none."""
    digits = read_bytes(int(value.address), 16).hex() \
        if value.address is not None else \
        bytes(int(value["b"][i]) for i in range(16)).hex()
    if not digits.strip("0"):
        return "nil"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20],
                     digits[20:]))


def word(value, prefix):
    """CONN_LIVE with the prefix CONN_ is "live"."""
    return str(value).removeprefix(prefix).lower()


def kind_name(kind):
    """The name of a row of contract.def by its number."""
    for field in gdb.lookup_type("enum msg_kind").fields():
        if field.enumval == int(kind):
            return field.name.split("_", 1)[1]
    return str(int(kind))


def err_name(status):
    for field in gdb.lookup_type("enum err").fields():
        if field.enumval == int(status):
            return field.name.removeprefix("ERR_").lower()
    return str(int(status))


def trace_text(trace):
    """A request id as the logs have it."""
    return f"{int(trace):016x}"


def size_text(length):
    return f"{int(length)} bytes"


def function_name(pointer):
    """The name of the function it points to."""
    if is_null(pointer):
        return "-"
    symbol = gdb.block_for_pc(int(pointer))
    if symbol is not None and symbol.function is not None:
        return symbol.function.name
    return f"{int(pointer):#x}"


# ---- lists and maps ---------------------------------------------------------

def links(head):
    """The addresses of all links of a list, given its head."""
    link = int(head["next"])
    if link == 0:
        return
    if head.address is None:
        raise gdb.GdbError("a copy of a list cannot be walked")
    before = start = int(head.address)
    count = 0
    kind = head.type.strip_typedefs().unqualified().pointer()
    while link != start:
        value = gdb.Value(link).cast(kind).dereference()
        count += 1
        if int(value["prev"]) != before or count > LIST_MAX:
            raise gdb.GdbError(f"the list at {start:#x} is broken behind its "
                               f"{count - 1}. link, at {before:#x}")
        yield link
        before, link = link, int(value["next"])


def offset_of(kind, member):
    """Bytes from the start of `kind` to a member, which may be "a.b"."""
    offset = 0
    for name in member.split("."):
        field = next(f for f in kind.fields() if f.name == name)
        offset += field.bitpos // 8
        kind = field.type.strip_typedefs()
    return offset


def entries(head, kind, member="link"):
    """The objects on a list."""
    offset = offset_of(kind, member)
    for link in links(head):
        yield gdb.Value(link - offset).cast(kind.pointer()).dereference()


def length(head):
    return sum(1 for _ in links(head))


def map_items(value, kind=None):
    """(id as text, object) of all entries of a struct map; without `kind` the
    pointer."""
    slot = struct("map_slot", "map_get")
    slots = value["slots"].cast(slot.pointer())
    for i in range(int(value["cap"])):
        at = slots[i]
        if not is_null(at["value"]):
            yield uuid_text(at["key"]), at["value"] if kind is None else \
                at["value"].cast(kind.pointer()).dereference()


# ---- output -----------------------------------------------------------------

def table(head, rows, only=""):
    """Lines in columns; with `only`, those of them that hold this text."""
    rows = [[str(cell) for cell in row] for row in rows]
    rows = [row for row in rows if only in "  ".join(row)]
    widths = [max(len(row[i]) for row in [head, *rows])
              for i in range(len(head))]
    for row in [head, *rows]:
        line = "  ".join(f"{cell:<{widths[i]}}" for i, cell in enumerate(row))
        gdb.write(line.rstrip() + "\n")
    if not rows:
        gdb.write("(none)\n")
    return len(rows)
