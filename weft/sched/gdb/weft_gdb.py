# SPDX-License-Identifier: Apache-2.0
# gdb commands for Weft's goroutines, on a live process, a remote one, or a core file:
#
#   info goroutines [all]     id, state, how long, where, name; the first 1000, or all
#   goroutine ID bt           the goroutine's backtrace
#   goroutine ID COMMAND      any command in its innermost user frame: bt full, info locals, ...
#   goroutine all bt          the backtraces of all goroutines
#
# Everything is read through the structure `weft_debug_root` (docs/guide/debug-root.md), so no debug
# information of Weft itself is needed. No register and no memory is ever written.
#
# How a parked goroutine's frames get into gdb: an unwinder claims one frame of the selected thread
# and says that its caller has the goroutine's saved registers; gdb's own unwinders go on from
# there, and a frame filter hides what lies in front. Two traps: the synthetic frame's id must have
# stack pointer 0, or gdb takes the goroutine's frames for a corrupt stack; and frame #0 may be an
# inlined one, so the goroutine's first frame is searched by its pc.
import struct
import time

import gdb
import gdb.unwinder

LISTED_MAX = 1000
STATUS = {0: "idle", 1: "runnable", 2: "running", 4: "waiting", 6: "dead", 11: "guest"}
WAITING, DEAD, RUNNING = 4, 6, 2
FLAG_SYSTEM = 2
HIDDEN = ("weft::rt::", "weft_goroutine_", "weft::run<", "std::invoke", "std::__invoke")


def read(address, size):
    return gdb.selected_inferior().read_memory(address, size).tobytes()


def u32(address):
    return struct.unpack("<I", read(address, 4))[0]


def u64(address):
    return struct.unpack("<Q", read(address, 8))[0]


def text(address, limit=128):
    """A zero-terminated string; read in small steps, it may end at the end of a mapping."""
    out = b""
    while len(out) < limit:
        byte = read(address + len(out), 1)
        if byte == b"\0":
            break
        out += byte
    return out.decode("utf-8", "replace")


class Root:
    """The debug root, version 1. Field order and sizes as in docs/guide/debug-root.md."""

    FIELDS = (
        "Q:cells Q:cells_used I:cell_bytes I:cell_status I:cell_reason I:cell_flags I:cell_sp "
        "I:cell_id I:cell_since_ns I:cell_wait_on I:cell_top I:top_bytes I:top_stack_lo "
        "I:top_stack_hi I:top_entry I:top_parent_id I:top_creation_pc I:top_name "
        "I:top_name_bytes I:frame_pc I:frame_fp I:frame_bytes I:frame_skip I:dwarf_pc I:dwarf_fp "
        "I:dwarf_sp I:machine_tid Q:entry_pc Q:wait_reasons I:wait_reason_count I:machine_next "
        "I:machine_current I:machine_id I:machine_is_guest I:machine_guest_cell Q:machines "
        "Q:coarse_now_ns"
    ).split()

    def __init__(self):
        try:
            address = int(gdb.parse_and_eval("(unsigned long)&weft_debug_root"))
        except gdb.error:
            raise gdb.GdbError("weft: no symbol weft_debug_root: not a Weft program, or stripped")
        magic, version, size = struct.unpack("<8sII", read(address, 16))
        if magic != b"WEFTROOT" or version != 1:
            raise gdb.GdbError("weft: debug root has version %d; this script reads 1" % version)
        data = read(address, size)
        offset = 16
        for field in self.FIELDS:
            kind, name = field.split(":")
            width = 8 if kind == "Q" else 4
            offset = (offset + width - 1) // width * width
            setattr(self, name, struct.unpack_from("<" + kind, data, offset)[0])
            offset += width
        self.reasons = [
            text(u64(self.wait_reasons + 8 * i)) if u64(self.wait_reasons + 8 * i) else ""
            for i in range(self.wait_reason_count)
        ]

    def now_ns(self):
        """The clock of since_ns: this machine's for a process here, else the last reading."""
        noted = struct.unpack("<q", read(self.coarse_now_ns, 8))[0]
        connection = getattr(gdb.selected_inferior(), "connection", None)
        if connection is not None and connection.type == "native":
            return max(noted, time.clock_gettime_ns(time.CLOCK_MONOTONIC))
        return noted


class Goroutine:
    def __init__(self, root, address, cell):
        def field(kind, offset):
            return struct.unpack_from("<" + kind, cell, offset)[0]

        self.root = root
        self.address = address
        self.status = field("I", root.cell_status)
        self.reason = field("B", root.cell_reason)
        self.flags = field("B", root.cell_flags)
        self.sp = field("Q", root.cell_sp)
        self.id = field("Q", root.cell_id)
        self.since_ns = field("q", root.cell_since_ns)
        self.wait_on = field("Q", root.cell_wait_on)
        self.top = field("Q", root.cell_top)

    @property
    def name(self):
        if not self.top:
            return ""
        raw = read(self.top + self.root.top_name, self.root.top_name_bytes)
        return raw.split(b"\0")[0].decode("utf-8", "replace")

    def state(self):
        if self.status == WAITING and 0 < self.reason < len(self.root.reasons):
            return self.root.reasons[self.reason]
        return STATUS.get(self.status, "status %d" % self.status)

    def waited(self):
        if self.status != WAITING or not self.since_ns:
            return ""
        seconds = max(0, self.root.now_ns() - self.since_ns) // 1_000_000_000
        return "%d min" % (seconds // 60) if seconds >= 60 else "%d s" % seconds

    def registers(self):
        """pc, sp and fp of a goroutine that does not run."""
        pc, fp = u64(self.sp + self.root.frame_pc), u64(self.sp + self.root.frame_fp)
        fresh = pc == self.root.entry_pc
        return pc, self.sp + (self.root.frame_bytes if fresh else self.root.frame_skip), fp


def goroutines(root):
    base, used = u64(root.cells), u32(root.cells_used)
    if not base:
        return
    # In blocks: a core file or a remote target answers one large request, not a million small ones.
    block = 4096
    for first in range(0, used, block):
        count = min(block, used - first)
        data = read(base + first * root.cell_bytes, count * root.cell_bytes)
        for i in range(count):
            start = i * root.cell_bytes
            g = Goroutine(
                root, base + (first + i) * root.cell_bytes, data[start : start + root.cell_bytes]
            )
            if g.id != 0 and g.status not in (0, DEAD):
                yield g


def thread_of(root, g):
    """The gdb thread that runs g, or None."""
    machine = u64(root.machines)
    while machine:
        if u64(machine + root.machine_current) == g.address:
            tid = u32(machine + root.machine_tid)
            for thread in gdb.selected_inferior().threads():
                if thread.ptid[1] == tid:
                    return thread
        machine = u64(machine + root.machine_next)
    return None


class FrameId:
    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


class ParkedUnwinder(gdb.unwinder.Unwinder):
    """While armed, makes the next frame it is asked about the callee of a parked goroutine."""

    NAMES = {
        "i386:x86-64": ("rip", "rsp", "rbp"),
        "aarch64": ("pc", "sp", "x29"),
    }

    def __init__(self):
        super().__init__("weft-goroutine")
        self.target = None

    def __call__(self, pending):
        if self.target is None:
            return None
        pc, sp, fp = self.target
        self.target = None
        names = self.NAMES.get(pending.architecture().name(), self.NAMES["i386:x86-64"])
        info = pending.create_unwind_info(FrameId(gdb.Value(0), gdb.Value(pc)))
        word = gdb.lookup_type("unsigned long")
        for name, value in zip(names, (pc, sp, fp)):
            info.add_saved_register(name, gdb.Value(value).cast(word))
        return info


class GoroutineFilter:
    """Hides the frames in front of the goroutine's own."""

    def __init__(self):
        self.name = "weft-goroutine"
        self.priority = 10000
        self.enabled = True
        self.hide = 0

    def filter(self, frames):
        for position, frame in enumerate(frames):
            if position >= self.hide:
                yield frame


UNWINDER = ParkedUnwinder()
FILTER = GoroutineFilter()
gdb.unwinder.register_unwinder(None, UNWINDER, replace=True)
gdb.frame_filters[FILTER.name] = FILTER


class Inside:
    """`with Inside(root, g) as frame`: gdb stands in the goroutine; afterwards where it stood."""

    def __init__(self, root, g):
        self.root, self.g = root, g

    def __enter__(self):
        self.thread = gdb.selected_thread()
        self.level = self._selected_level()
        if self.g.status == RUNNING:
            thread = thread_of(self.root, self.g)
            if thread is None:
                raise gdb.GdbError("weft: goroutine %d runs, but on no thread seen" % self.g.id)
            thread.switch()
            frame = gdb.newest_frame()
            frame.select()
            return frame
        registers = self.g.registers()
        gdb.invalidate_cached_frames()
        UNWINDER.target = registers
        frame, hidden = gdb.newest_frame(), 0
        while frame is not None and (frame.pc() != registers[0] or UNWINDER.target is not None):
            frame, hidden = frame.older(), hidden + 1
        if frame is None:
            self.__exit__(None, None, None)
            raise gdb.GdbError("weft: goroutine %d: its frames cannot be read" % self.g.id)
        FILTER.hide = hidden
        frame.select()
        return frame

    def __exit__(self, kind, value, trace):
        UNWINDER.target = None
        FILTER.hide = 0
        gdb.invalidate_cached_frames()
        if self.thread is not None and self.thread.is_valid():
            self.thread.switch()
            frame = gdb.newest_frame()
            for _ in range(self.level):
                frame = frame.older() or frame
            frame.select()
        return False

    @staticmethod
    def _selected_level():
        level, frame = 0, gdb.selected_frame()
        while frame.newer() is not None:
            level, frame = level + 1, frame.newer()
        return level


def function_of(frame):
    name = frame.name()
    if name is None:
        # gdb looks a caller's pc up one byte earlier, which is before the first instruction of a
        # goroutine that has not started.
        symbol = gdb.execute("info symbol 0x%x" % frame.pc(), to_string=True)
        name = symbol.split(" ")[0] if " in section" in symbol else "0x%x" % frame.pc()
    return name


def is_user(frame):
    return not function_of(frame).startswith(HIDDEN)


def arguments_of(frame):
    out = []
    try:
        block = frame.block()
        while block is not None and block.function is None:
            block = block.superblock
        for symbol in block or ():
            if not symbol.is_argument:
                continue
            try:
                value = str(frame.read_var(symbol, block)).split("\n")[0]
            except (gdb.error, RuntimeError, ValueError):
                value = "<unavailable>"
            out.append("%s=%s" % (symbol.name, value[:80]))
    except (gdb.error, RuntimeError):
        pass  # no debug information for this frame
    return ", ".join(out)


def position_of(frame):
    line = frame.find_sal()
    if line is not None and line.symtab is not None:
        return "%s:%d" % (line.symtab.filename, line.line)
    return gdb.solib_name(frame.pc()) or ""


def without_parameters(name):
    if not name.endswith(")"):
        return name
    depth = 0
    for i in range(len(name) - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(name[i], 0)
        if depth == 0:
            return name[:i] or name
    return name


def print_backtrace(frame):
    number = 0
    while frame is not None:
        print("#%-2d 0x%016x in %s (%s) at %s" % (
            number, frame.pc(), without_parameters(function_of(frame)), arguments_of(frame),
            position_of(frame)))
        number += 1
        frame = frame.older()


def where(frame):
    """The innermost frame that is the user's: neither runtime nor public API, if there is one."""
    api = None
    while frame is not None:
        if is_user(frame):
            if not function_of(frame).startswith("weft::"):
                return function_of(frame)
            api = api or function_of(frame)
        frame = frame.older()
    return api or "(runtime)"


class InfoGoroutines(gdb.Command):
    """List Weft's goroutines: id, state, how long they wait, where, name.
info goroutines        the first 1000 of the user's
info goroutines all    all, the runtime's own included"""

    def __init__(self):
        super().__init__("info goroutines", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        everything = argument.strip() == "all"
        root = Root()
        shown = hidden = 0
        for g in goroutines(root):
            if g.flags & FLAG_SYSTEM and not everything:
                continue
            if shown == LISTED_MAX and not everything:
                hidden += 1
                continue
            shown += 1
            try:
                with Inside(root, g) as frame:
                    fresh = g.status != RUNNING and frame.pc() == root.entry_pc
                    place = "(not started)" if fresh else where(frame)
            except (gdb.error, gdb.GdbError) as problem:
                place = "(%s)" % problem
            line = "%6d  %-22s %8s  %s" % (g.id, g.state(), g.waited(), place)
            print(line + ("  [%s]" % g.name if g.name else ""))
        if hidden:
            print("%d more; `info goroutines all` lists them" % hidden)


class GoroutineCommand(gdb.Command):
    """Run a command in a goroutine.
goroutine ID bt         its backtrace
goroutine ID COMMAND    COMMAND in its innermost user frame, e.g. `goroutine 7 info locals`
goroutine all COMMAND   the same for every goroutine of the user's"""

    def __init__(self):
        super().__init__("goroutine", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        words = argument.split(None, 1)
        if not words:
            raise gdb.GdbError("usage: goroutine ID|all [COMMAND], e.g. goroutine 7 bt")
        command = words[1].strip() if len(words) > 1 else "bt"
        root = Root()
        if words[0] == "all":
            for g in goroutines(root):
                if not g.flags & FLAG_SYSTEM:
                    self.run_in(root, g, command, True)
            return
        if not words[0].isdigit():
            raise gdb.GdbError("weft: goroutine %s: not a number, and not `all`" % words[0])
        for g in goroutines(root):
            if g.id == int(words[0]):
                self.run_in(root, g, command, False)
                return
        raise gdb.GdbError("weft: there is no goroutine %s" % words[0])

    def run_in(self, root, g, command, among_many):
        if among_many:
            name = ", %s" % g.name if g.name else ""
            print("\ngoroutine %d [%s%s]:" % (g.id, g.state(), name))
        try:
            with Inside(root, g) as frame:
                if command in ("bt", "backtrace", "where"):
                    print_backtrace(frame)
                    return
                user = frame
                while user is not None and not is_user(user):
                    user = user.older()
                (user or frame).select()
                gdb.execute(command)
        except gdb.error as problem:
            if not among_many:
                raise
            print("  (%s)" % problem)


InfoGoroutines()
GoroutineCommand()
