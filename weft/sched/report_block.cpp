// SPDX-License-Identifier: Apache-2.0
// One goroutine of a report: its snapshot, its stack, and Go's text for both
// (spec/runtime-text.md §3.3).

#include <csignal>
#include <cstring>
#include <iterator>

#include "weft/base/arch/arch.hpp"
#include "weft/base/os/os.hpp"
#include "weft/base/symbolize.hpp"
#include "weft/heap/internal/stack.hpp"
#include "weft/sched/internal/report.hpp"
#include "weft/sched/internal/scheduler.hpp"

namespace weft::rt {
namespace {

// Deepest walk. Frames are at least 16 bytes, so this covers more than any default stack holds, and
// keeps the walk of a 1 GiB one to seconds.
constexpr size_t walk_max = 1'000'000;
constexpr int64_t minute_ns = int64_t{60} * 1'000'000'000;

// Functions that say nothing to users: the runtime, and how the C++ library calls and throws.
constexpr std::string_view hidden_functions[] = {
    "weft::rt::",     "weft::(anonymous namespace)::",
    "weft::run<",     "weft_goroutine_",
    "std::invoke",    "std::__invoke",
    "std::terminate", "__cxxabiv1::",
    "__cxa_",         "_Unwind_",
    "__gxx_",
};
// Where inlined calls come from that have no qualified name (lambdas, local functions).
constexpr std::string_view hidden_files[] = {
    "/weft/base/",    "/weft/heap/", "/weft/sched/",         "/weft/sync/",    "/weft/net/",
    "/bits/invoke.h", "/functional", "/bits/std_function.h", "/__functional/", "/__type_traits/",
};
// Modules that throw and unwind through functions without symbols.
constexpr std::string_view hidden_modules[] = {"/libstdc++.so", "/libgcc_s.so", "/libc++abi.so"};

template <size_t N>
bool contains_any(std::string_view text, const std::string_view (&parts)[N]) noexcept {
  for (std::string_view part : parts)
    if (text.find(part) != std::string_view::npos) return true;
  return false;
}

bool is_hidden(const source_frame& at) noexcept {
  for (std::string_view prefix : hidden_functions)
    if (at.function.starts_with(prefix)) return true;
  const std::string_view name = at.function.substr(0, at.function.find_first_of("<("));
  if (at.inlined && name.find("::") == std::string_view::npos)
    return contains_any(at.file, hidden_files);
  return at.function.empty() && contains_any(at.module, hidden_modules);
}

/// What one frame's printing needs; symbolize() calls back once for each inlined call.
struct frame_printer {
  report_writer& out;
  const stack_trace::frame& frame;
  bool system;
  bool show_hidden;
  size_t printed = 0;
};

void print_position(report_writer& out, const source_frame& at) noexcept {
  out.put('\t');
  if (!at.file.empty())
    out.put(at.file).put(':').put_decimal(at.line);
  else
    out.put(at.module.empty() ? "?" : at.module);
  if (!at.inlined) out.put(" +").put_hex(at.offset);
}

void print_function(report_writer& out, const source_frame& at, uintptr_t pc) noexcept {
  if (!at.function.empty())
    out.put(at.function);
  else
    out.put_hex(pc);
}

void on_source_frame(void* data, const source_frame& at) noexcept {
  auto& self = *static_cast<frame_printer*>(data);
  if (!self.show_hidden && is_hidden(at)) return;
  print_function(self.out, at, self.frame.pc);
  self.out.put('\n');
  print_position(self.out, at);
  if (self.system && !at.inlined)
    self.out.put(" fp=")
        .put_hex(self.frame.fp)
        .put(" sp=")
        .put_hex(self.frame.sp)
        .put(" pc=")
        .put_hex(self.frame.pc);
  self.out.put('\n');
  ++self.printed;
}

size_t print_all(report_writer& out, const stack_trace& trace, bool system,
                 bool show_hidden) noexcept {
  size_t printed = 0;
  for (size_t n = 0; n < trace.count; ++n) {
    if (n == stack_trace::half && trace.count > 2 * stack_trace::half) {
      const size_t elided = trace.count - 2 * stack_trace::half;
      out.put("...").put_unsigned(elided).put(" frames elided...\n");
      n += elided;
    }
    const stack_trace::frame& frame = trace.at(n);
    frame_printer printer{out, frame, system, show_hidden};
    symbolize(frame.exact ? frame.pc : frame.pc - 1, on_source_frame, &printer);
    printed += printer.printed;
  }
  return printed;
}

const char* status_text(const goroutine_snapshot& g) noexcept {
  switch (g.status) {
    case g_status::idle:
      return "idle";
    case g_status::runnable:
      return "runnable";
    case g_status::running:
      return "running";
    case g_status::dead:
      return "dead";
    case g_status::guest:
      return "running";
    case g_status::waiting:
      break;
  }
  if (g.reason == wait_reason::none || g.reason >= wait_reason::count_) return "waiting";
  return wait_reason_text(g.reason);
}

/// Keeps of the creator's frames the first that is not Weft's own.
struct creator_printer {
  report_writer& out;
  uint64_t parent_id;
  bool printed = false;
};

void on_creator_frame(void* data, const source_frame& at) noexcept {
  auto& self = *static_cast<creator_printer*>(data);
  if (self.printed) return;
  // The go statement is inlined into its caller; only the last frame is never inlined.
  if (at.inlined && (at.function.starts_with("weft::") || is_hidden(at))) return;
  self.printed = true;
  self.out.put("created by ").put(at.function.empty() ? "?" : at.function);
  if (self.parent_id != 0) self.out.put(" in goroutine ").put_unsigned(self.parent_id);
  self.out.put('\n');
  print_position(self.out, at);
  self.out.put('\n');
}

/// Which foreign thread a guest's cell stands for.
void put_thread(report_writer& out, const goroutine* guest) noexcept {
  const auto at = reinterpret_cast<uintptr_t>(guest) - __builtin_offsetof(machine, guest_cell);
  out.put(", foreign thread ").put_decimal(reinterpret_cast<const machine*>(at)->tid);
}

const machine* machine_of(const goroutine* gp) noexcept {
  for (const machine* mp = sched.all_machines.load(acquire); mp != nullptr; mp = mp->all_link)
    if (mp->cur.load(relaxed) == gp) return mp;
  return nullptr;
}

}  // namespace

// The cell's owner may write while it is read here; each field is checked before it is used.
__attribute__((noinline, no_sanitize("address"))) goroutine_snapshot
take_snapshot(const goroutine* gp) noexcept {
  goroutine_snapshot g;
  g.cell = gp;
  g.status = gp->get_status();
  g.reason = gp->reason;
  g.flags = gp->flags;
  g.id = gp->id;
  g.since_ns = gp->since_ns;
  g.sp = gp->sp;
  if ((g.flags & flag_unborn) != 0 && sched.births != nullptr) {
    const birth_record& birth = birth_of(gp);
    g.parent_id = birth.parent_id;
    g.creation_pc = birth.creation_pc;
    g.entry = reinterpret_cast<uintptr_t>(birth.entry);
    return g;
  }
  const goroutine_top* top = gp->top;
  stack_slot slot;
  if (top == nullptr || !stack_find(reinterpret_cast<uintptr_t>(top), slot)) return g;
  g.stack = {slot.lo, slot.hi};
  g.parent_id = top->parent_id;
  g.creation_pc = top->creation_pc;
  g.entry = reinterpret_cast<uintptr_t>(top->entry);
  for (size_t i = 0; i + 1 < sizeof g.name && top->name[i] != '\0'; ++i) g.name[i] = top->name[i];
  return g;
}

uint64_t stack_trace::hash() const noexcept {
  uint64_t value = count;
  const size_t kept = count < 2 * half ? count : 2 * half;
  // splitmix64's multiplier spreads the low bits of addresses, which carry the difference.
  for (size_t n = 0; n < kept; ++n)
    value =
        (value ^ at(n < half ? n : count - kept + n).pc) * 0xbf58476d1ce4e5b9ULL + (value >> 29);
  return value;
}

void collect_trace(const unwind_frame& start, stack_bounds stack, stack_trace& trace) noexcept {
  unwind_frame frame = start;
  bool crossed = false;
  trace.count = 0;
  stack_trace::frame* previous = nullptr;
  bool more = true;
  while (more && trace.count < walk_max) {
    const size_t n = trace.count++;
    stack_trace::frame& kept =
        n < stack_trace::half ? trace.inner[n] : trace.outer[n % stack_trace::half];
    kept = {frame.pc, frame.sp(), frame.sp(), frame.exact};
    if (previous != nullptr) previous->fp = frame.sp();
    previous = &kept;
    more = unwind_step(frame, stack);
    // From a handler on the alternate stack into what it interrupted, on another one.
    const bool inside = frame.sp() >= stack.lo && frame.sp() <= stack.hi;
    if (!more && frame.exact && !inside && frame.pc != 0 && !crossed) {
      crossed = more = true;
      stack = bounds_of(frame.sp());
    }
  }
}

parked_place find_parked(const goroutine_snapshot& g, unwind_frame& start) noexcept {
  if ((g.flags & flag_unborn) != 0 && g.entry != 0) return parked_place::not_begun;
  if (g.stack.lo == 0 || g.sp % 8 != 0 || g.sp < g.stack.lo ||
      g.sp > g.stack.hi - sizeof(arch::saved_frame))
    return parked_place::unknown;
  // A goroutine may run on while it is read: what was its frame is then anything, also what a
  // sanitizer holds to be out of bounds.
  uintptr_t words[sizeof(arch::saved_frame) / sizeof(uintptr_t)] = {};
  for (size_t i = 0; i < std::size(words); ++i)
    if (!stack_word(g.stack, g.sp + i * sizeof(uintptr_t), words[i])) return parked_place::unknown;
  arch::saved_frame saved{};
  std::memcpy(&saved, words, sizeof saved);
  const bool fresh = saved.pc == reinterpret_cast<uintptr_t>(&weft_goroutine_entry);
  const uintptr_t sp = g.sp + (fresh ? sizeof saved : arch::saved_frame_skip);
  start = unwind_frame_at(saved.pc, sp, saved.fp);
  return fresh && g.entry != 0 ? parked_place::not_begun : parked_place::frame;
}

bool collect_parked(const goroutine_snapshot& g, stack_trace& trace) noexcept {
  unwind_frame start;
  switch (find_parked(g, start)) {
    case parked_place::unknown:
      return false;
    case parked_place::not_begun:
      // Nothing has run yet: show what will.
      trace.count = 1;
      trace.inner[0] = {g.entry, start.sp(), start.sp(), true};
      return true;
    case parked_place::frame:
      collect_trace(start, g.stack, trace);
      return true;
  }
  return false;
}

bool collect_other(const goroutine_snapshot& g, stack_trace& trace) noexcept {
  // Whatever its status says: a thread stands there, so the saved stack pointer is an old one.
  if (const stack_trace* captured = captured_on(g.stack.lo); captured != nullptr) {
    trace = *captured;
    return true;
  }
  return g.status != g_status::running && collect_parked(g, trace);
}

stack_bounds bounds_of(uintptr_t sp) noexcept {
  stack_slot slot;
  if (stack_find(sp, slot) || stack_guard_hit(sp, slot)) return {slot.lo, slot.hi};
  stack_t alternate{};
  if (::sigaltstack(nullptr, &alternate) == 0 && (alternate.ss_flags & SS_ONSTACK) != 0) {
    const auto lo = reinterpret_cast<uintptr_t>(alternate.ss_sp);
    if (sp - lo < alternate.ss_size) return {sp, lo + alternate.ss_size};
    // Ran over its end (signals.cpp). The handler that reports it stands where its outermost frames
    // were, in the upper half.
    const machine* mp = this_machine();
    const auto ours = mp != nullptr ? reinterpret_cast<uintptr_t>(mp->signal_stack) : 0;
    if (ours != 0 && sp >= ours && sp < lo) return {sp, lo + alternate.ss_size / 2};
  }
  return stack_around(sp);
}

void print_header(report_writer& out, const goroutine_snapshot& g, bool system) noexcept {
  out.put("goroutine ").put_unsigned(g.id);
  if (system) {
    const machine* mp = g.status == g_status::running ? machine_of(g.cell) : nullptr;
    out.put(" gp=").put_hex(reinterpret_cast<uintptr_t>(g.cell));
    if (mp != nullptr)
      out.put(" m=").put_unsigned(mp->id).put(" mp=").put_hex(reinterpret_cast<uintptr_t>(mp));
    else
      out.put(" m=nil");
  }
  out.put(" [").put(status_text(g));
  if (g.status == g_status::waiting && g.since_ns != 0) {
    const int64_t minutes = (os::monotonic_ns() - g.since_ns) / minute_ns;
    if (minutes >= 1) out.put(", ").put_decimal(minutes).put(" minutes");
  }
  if ((g.flags & flag_guest) != 0) put_thread(out, g.cell);
  if (g.name[0] != '\0') out.put(", ").put(std::string_view(g.name));
  out.put("]:\n");
}

void print_frames(report_writer& out, const stack_trace& trace, bool system) noexcept {
  // Nothing but runtime frames: better those than an empty block.
  if (print_all(out, trace, system, system) == 0) (void)print_all(out, trace, system, true);
}

void print_creator(report_writer& out, const goroutine_snapshot& g) noexcept {
  if (g.creation_pc == 0 || (g.flags & flag_main) != 0) return;
  creator_printer printer{out, g.parent_id};
  symbolize(g.creation_pc - 1, on_creator_frame, &printer);
}

void print_body(report_writer& out, const goroutine_snapshot& g, bool system) noexcept {
  stack_trace trace;
  if (collect_other(g, trace))
    print_frames(out, trace, system);
  else if (g.status == g_status::running)
    out.put("\tgoroutine running on other thread; stack unavailable\n");
  else
    out.put("\tstack unavailable\n");
  print_creator(out, g);
}

}  // namespace weft::rt
