"""Pretty-printers. A structure is printed as its line (lines.py) and, unless the
line says all, its fields; what holds texts, tokens or passwords is left out.
"print/r" shows everything, as gdb itself does.

SPDX-License-Identifier: MIT
"""

import gdb
import gdb.printing

from . import json_c, lines, reading

HIDDEN = "(hidden)"


class Shape:
    """How one structure is printed.

    line    its text
    whole   the text says all; else the fields follow
    hide    fields that are not shown
    needs   a field by which ours is told from another's of the same name
    """

    def __init__(self, line=None, whole=False, hide=(), needs=None):
        self.line = line
        self.whole = whole
        self.hide = hide
        self.needs = needs


def say(text):
    return lambda value: text


SHAPES = {
    # common
    "uuid": Shape(reading.uuid_text, whole=True, needs="b"),
    "list": Shape(lines.list_line, whole=True, needs="prev"),
    "buf": Shape(lines.buf, whole=True, needs="cap"),
    "rd": Shape(lines.rd, whole=True, needs="bad"),
    "map": Shape(lines.map_line, needs="cap"),
    "frame": Shape(lines.frame, whole=True, needs="body_len"),
    "rpc_request": Shape(lines.rpc_request, whole=True, needs="route"),
    "call": Shape(lines.call, needs="place"),
    "peer": Shape(lines.peer, needs="url_hash"),
    "event": Shape(lines.event, whole=True, needs="skip_session"),
    "publish": Shape(lines.publish, whole=True, needs="topic_len"),
    "bus": Shape(lines.bus, hide=("conf", "address"), needs="beat_topic"),
    "bus_conf": Shape(hide=("url",), needs="backlog_max"),
    "bus_address": Shape(hide=("password",), needs="db"),
    "catch_up_part": Shape(hide=("json",), needs="version"),
    "field_value": Shape(hide=("text",), needs="truth"),
    # gateway
    "conn": Shape(lines.conn, needs="wsi"),
    "conn_call": Shape(lines.conn_call, needs="front_msg_id"),
    "outbox": Shape(lines.outbox, needs="bytes_max"),
    "out_frame": Shape(lines.out_frame, whole=True, needs="refs"),
    "out_note": Shape(lines.out_note, whole=True, needs="upto"),
    "inbound": Shape(lines.inbound, needs="count_max"),
    "inbound_frame": Shape(lines.inbound_frame, whole=True,
                           needs="arrived_us"),
    "fan_user": Shape(lines.fan_user, needs="conns"),
    "seqtrack": Shape(lines.seqtrack, whole=True, needs="frontier"),
    "session_chat": Shape(lines.session_chat, needs="track"),
    "chat_at_rest": Shape(lines.chat_at_rest, whole=True, needs="upto"),
    "token_hash": Shape(say(HIDDEN), whole=True, needs="b"),
    # chatd
    "text": Shape(lines.text, whole=True, needs="len"),
    "request": Shape(lines.request, hide=("request_id",), needs="row"),
    "db_unit": Shape(lines.db_unit, needs="step_count"),
    "db_link": Shape(lines.db_link, needs="sent_count"),
    "db": Shape(hide=("url",), needs="link_count"),
    "send_row": Shape(lines.send_row, whole=True, needs="sender_id"),
    "passwords": Shape(hide=("nobody",), needs="running_count"),
    "job": Shape(hide=("password", "stored", "made"), needs="password_len"),
    # presenced
    "session_change": Shape(lines.session_change, whole=True, needs="op"),
    "presence_change": Shape(lines.presence_change, whole=True,
                             needs="at_ms"),
    "store_tick": Shape(lines.store_tick, whole=True, needs="epoch_ms"),
    "store_conf": Shape(hide=("redis_url",), needs="lease_ms"),
}

# Settings of any process: URLs with passwords, keys.
SETTINGS = Shape(hide=("database_url", "migrate_url", "redis_url",
                       "media_s3_access_key", "media_s3_secret_key"))


class Printer:
    def __init__(self, value, shape):
        self.value = value
        self.shape = shape

    def to_string(self):
        if self.shape.line is None:
            return None
        try:
            return self.shape.line(self.value)
        except (gdb.error, gdb.GdbError, UnicodeError) as error:
            return f"(unreadable: {error})"

    def fields(self):
        for field in self.value.type.strip_typedefs().fields():
            if field.name is None:
                continue
            value = self.value[field]
            if field.name in self.shape.hide:
                value = "null" if value.type.strip_typedefs().code == \
                    gdb.TYPE_CODE_PTR and reading.is_null(value) else HIDDEN
            yield field.name, value


class WithFields(Printer):
    def children(self):
        return self.fields()


class MapPrinter(Printer):
    """Also its entries."""

    def children(self):
        return iter(reading.map_items(self.value))


class JsonPrinter:
    """A pointer to a value of json-c."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        try:
            return f"json {json_c.show(int(self.value))}"
        except gdb.MemoryError:
            return f"json at {int(self.value):#x} (unreadable)"


def shape_of(kind):
    names = {f.name for f in kind.fields()}
    if kind.tag == "settings" or kind.tag is None and "redis_url" in names:
        return SETTINGS
    shape = SHAPES.get(kind.tag)
    if shape is None or shape.needs is not None and shape.needs not in names:
        return None
    return shape


class Parley(gdb.printing.PrettyPrinter):
    """Looks up the printer of a value."""

    def __init__(self):
        super().__init__("parley")

    def __call__(self, value):
        kind = value.type.strip_typedefs().unqualified()
        if kind.code == gdb.TYPE_CODE_PTR:
            target = kind.target().strip_typedefs().unqualified()
            return JsonPrinter(value) if target.tag == "json_object" else None
        if kind.code != gdb.TYPE_CODE_STRUCT:
            return None
        shape = shape_of(kind)
        if shape is None:
            return None
        if shape.whole:
            return Printer(value, shape)
        if kind.tag == "map":
            return MapPrinter(value, shape)
        return WithFields(value, shape)


def register():
    gdb.printing.register_pretty_printer(None, Parley(), replace=True)
