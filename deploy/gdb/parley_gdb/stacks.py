"""Backtraces that may be shown to others: functions, places, numbers, and of our
structures their line; texts are left out, which gdb's own "bt" prints.

SPDX-License-Identifier: MIT
"""

import gdb

from .printers import shape_of

FRAMES_MAX = 40


def show_pointer(value):
    target = value.type.strip_typedefs().target().strip_typedefs().unqualified()
    if int(value) == 0:
        return "NULL"
    if target.code == gdb.TYPE_CODE_INT and target.sizeof == 1:
        return "(text)"
    if target.code == gdb.TYPE_CODE_STRUCT:
        shape = shape_of(target)
        if shape is not None and shape.line is not None:
            return shape.line(value.dereference())
    return f"{int(value):#x}"


def show(value):
    kind = value.type.strip_typedefs()
    try:
        if kind.code == gdb.TYPE_CODE_PTR:
            return show_pointer(value)
        if kind.code in (gdb.TYPE_CODE_INT, gdb.TYPE_CODE_ENUM,
                         gdb.TYPE_CODE_BOOL):
            return str(value)
    except (gdb.error, gdb.GdbError, UnicodeError):
        return "(unreadable)"
    return "..."


def arguments(frame):
    try:
        block = frame.block()
    except RuntimeError:
        return
    while block is not None and block.function is None:
        block = block.superblock
    for symbol in block or ():
        if symbol.is_argument:
            try:
                value = symbol.value(frame)
                text = "(optimized out)" if value.is_optimized_out else \
                    show(value)
            except gdb.error:
                text = "(unreadable)"
            yield f"{symbol.name}={text}"


def line(number, frame):
    name = frame.name() or f"{frame.pc():#x}"
    sal = frame.find_sal()
    if sal.symtab is None:
        return f"#{number:<2} {name}"
    return (f"#{number:<2} {name}({', '.join(arguments(frame))}) "
            f"at {sal.symtab.filename}:{sal.line}")


def frames(thread):
    """One thread's frames; a text stands for those that cannot be read."""
    thread.switch()
    frame = gdb.newest_frame()
    for _ in range(FRAMES_MAX):
        if frame is None:
            return
        yield frame
        try:
            frame = frame.older()
        except gdb.error as error:
            yield f"the stack cannot be read further: {error}"
            return


def is_ours(frame):
    """Whether it runs the program itself, not a library."""
    return not isinstance(frame, str) and \
        gdb.solib_name(frame.pc()) is None and frame.find_sal().symtab


def of_thread(thread, every):
    """The lines of one thread's stack; none, unless `every`, of a library's own
    thread that runs nothing of ours."""
    found = list(frames(thread))
    if every or any(is_ours(f) for f in found):
        yield f"thread {thread.num} {thread.name or ''}"
        for number, frame in enumerate(found):
            yield frame if isinstance(frame, str) else line(number, frame)


def all_threads(every):
    """The stacks of the threads that run something of ours, or of every one."""
    now = gdb.selected_thread()
    if now is None:
        raise gdb.GdbError("no process and no core here")
    frame = gdb.selected_frame()
    threads = sorted(gdb.selected_inferior().threads(), key=lambda t: t.num)
    shown = 0
    try:
        for thread in threads:
            lines = list(of_thread(thread, every))
            shown += bool(lines)
            yield from lines
    finally:
        now.switch()
        frame.select()
    if shown < len(threads):
        yield (f"{len(threads) - shown} threads of libraries are not shown: "
               "\"parley where all\"")
