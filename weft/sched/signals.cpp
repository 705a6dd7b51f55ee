// SPDX-License-Identifier: Apache-2.0
// Fatal signals become reports: a stack overflow is named as such, a null dereference reads as Go's
// panic, SIGQUIT shows every goroutine.
//
// Handlers run on an alternate stack of each M and of each guest (the stack at hand may be what
// overflowed). A thread that has one (a sanitizer's, the user's) keeps it.
//
// Who had a handler before weft::run keeps it: for SIGSEGV and SIGBUS it is called for every fault
// but an overflow of a goroutine's stack (so sanitizers and crash reporters see all others); for
// the other signals ours is not installed at all. A handler installed later replaces ours.
#include <sys/ucontext.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <string_view>

#include "weft/base/arch/arch.hpp"
#include "weft/base/dlog.hpp"
#include "weft/base/os/os.hpp"
#include "weft/base/panic.hpp"
#include "weft/heap/internal/stack.hpp"
#include "weft/heap/internal/whose.hpp"
#include "weft/sched/internal/report.hpp"
#include "weft/sched/internal/run_hooks.hpp"
#include "weft/sched/internal/scheduler.hpp"

namespace weft::rt {
namespace {

// The handler itself needs little: symbolizing runs on a stack of its own (on_report_stack).
constexpr size_t signal_stack_bytes = 64 * 1024;
// Below it no access, and between the two a page that the kernel is not told of. So whatever runs
// over the guard has a stack pointer outside of what the kernel knows as the signal stack, and it
// calls the handler from its top once more. Inside, it would see no room and kill without a word.
constexpr size_t signal_slack_bytes = os::page_bytes;
constexpr size_t signal_guard_bytes = 64 * 1024;
constexpr size_t signal_mapping_bytes =
    signal_guard_bytes + signal_slack_bytes + signal_stack_bytes;
// Longer than the largest report should take; after that the process must not linger half dead.
constexpr unsigned watchdog_seconds = 60;
// How far from the stack pointer a fault still is that stack's end: calls and probes of large
// frames touch within a page of it, and the first accesses of an unprobed frame mostly within this.
// Larger would name wild pointers that happen to lie near the end of a stack.
constexpr uintptr_t overflow_reach_bytes = 64 * 1024;
// As Go: addresses of the first page are null pointers with a field's offset.
constexpr uintptr_t null_page_bytes = 4096;

struct handled_signal {
  int number;
  const char* name;
  const char* text;
  bool chained;  // installed over an earlier handler, which it calls
  struct sigaction before;
};

handled_signal handled[] = {
    {SIGSEGV, "SIGSEGV", "segmentation violation", true, {}},
    {SIGBUS, "SIGBUS", "bus error", true, {}},
    {SIGILL, "SIGILL", "illegal instruction", false, {}},
    {SIGFPE, "SIGFPE", "floating-point exception", false, {}},
    {SIGABRT, "SIGABRT", "abort", false, {}},
    {SIGQUIT, "SIGQUIT", "quit", false, {}},
};

handled_signal& find_signal(int number) noexcept {
  for (handled_signal& s : handled)
    if (s.number == number) return s;
  return handled[0];
}

/// Calls the handler that was there before. False: there was none.
bool chain(const handled_signal& s, int number, siginfo_t* info, void* context) noexcept {
  if ((s.before.sa_flags & SA_SIGINFO) != 0) {
    if (s.before.sa_sigaction == nullptr) return false;
    s.before.sa_sigaction(number, info, context);
    return true;
  }
  if (s.before.sa_handler == SIG_DFL) return false;
  if (s.before.sa_handler != SIG_IGN) s.before.sa_handler(number);
  return true;
}

void print_signal(report_writer& out, const handled_signal& s, const siginfo_t& info,
                  uintptr_t pc) noexcept {
  out.put("[signal ").put(s.name).put(": ").put(s.text).put(" code=");
  out.put_hex(static_cast<uint64_t>(static_cast<int64_t>(info.si_code)));
  out.put(" addr=").put_hex(reinterpret_cast<uintptr_t>(info.si_addr));
  out.put(" pc=").put_hex(pc).put("]\n\n");
}

void print_registers(report_writer& out, const unwind_frame& frame) noexcept {
  for (unsigned n = 0; n < unwind_registers; ++n) {
    if ((frame.known >> n & 1) == 0) continue;
    const std::string_view name = unwind_register_name(n);
    out.put(name);
    for (size_t column = name.size(); column < 7; ++column) out.put(' ');  // as Go aligns them
    out.put_hex(frame.reg[n]).put('\n');
  }
  out.put("pc     ").put_hex(frame.pc).put('\n');
}

/// What the kernel is told of a mapping that a machine keeps in signal_stack.
void* signal_stack_of(void* mapping) noexcept {
  return static_cast<std::byte*>(mapping) + signal_guard_bytes + signal_slack_bytes;
}

bool signal_guard_hit(uintptr_t address) noexcept {
  const machine* mp = this_machine();
  return mp != nullptr && mp->signal_stack != nullptr &&
         address - reinterpret_cast<uintptr_t>(mp->signal_stack) < signal_guard_bytes;
}

bool is_near(uintptr_t address, uintptr_t sp) noexcept {
  return address - (sp - overflow_reach_bytes) < 2 * overflow_reach_bytes;
}

/// A line about whose memory it is, if that is known.
void print_owner(report_writer& out, const siginfo_t& info) noexcept {
  const auto address = reinterpret_cast<uintptr_t>(info.si_addr);
  // x86-64: an address that no memory can have faults without being told.
  if (info.si_code == SI_KERNEL && address == 0) {
    out.put(
        "runtime: the address is none that memory can have: a pointer was overwritten, or read ");
    out.put("from freed memory\n");
    return;
  }
  stack_slot slot;
  if (stack_find(address, slot)) {
    out.put("runtime: ").put_hex(address).put(" lies in a goroutine's stack [").put_hex(slot.lo);
    out.put(", ").put_hex(slot.hi).put(")\n");
    return;
  }
  const heap_owner owner = whose(address);
  if (owner.place == heap_place::outside) return;
  out.put("runtime: ").put_hex(address);
  if (owner.place == heap_place::free_pages) {
    out.put(" lies in free pages of the heap\n");
    return;
  }
  out.put(" lies ").put_unsigned(address - owner.base).put(" bytes inside ");
  out.put(owner.place == heap_place::free_object ? "a freed object of " : "an object of ");
  out.put_unsigned(owner.bytes).put(" bytes of the heap\n");
}

/// The text above the goroutines, and whether it is an error that shows all of them.
enum class story : uint8_t { panic, fatal, bare };

story tell(report_writer& out, const handled_signal& s, const siginfo_t& info,
           const unwind_frame& frame) noexcept {
  const auto address = reinterpret_cast<uintptr_t>(info.si_addr);
  const bool fault = s.number == SIGSEGV || s.number == SIGBUS;
  stack_slot slot;
  if (fault && info.si_code > 0 && stack_guard_hit(address, slot)) {
    out.put("runtime: goroutine stack exceeds ").put_unsigned(slot.hi - slot.lo + os::page_bytes);
    out.put("-byte limit\nruntime: sp=").put_hex(frame.sp()).put(" stack=[").put_hex(slot.lo);
    out.put(", ").put_hex(slot.hi).put("]\nfatal error: goroutine stack overflow\n\n");
    return story::fatal;
  }
  const bool mapped_error = s.number == SIGBUS
                                ? info.si_code == BUS_ADRERR
                                : info.si_code == SEGV_MAPERR || info.si_code == SEGV_ACCERR;
  if (s.number == SIGSEGV && mapped_error && signal_guard_hit(address)) {
    out.put("runtime: a signal handler needs more than the ").put_unsigned(signal_stack_bytes);
    out.put(" bytes of the alternate stack\nruntime: sp=").put_hex(frame.sp());
    out.put("\nfatal error: signal stack overflow\n\n");
    return story::fatal;
  }
  if (s.number == SIGSEGV && mapped_error && is_near(address, frame.sp()) &&
      !stack_find(frame.sp(), slot)) {
    out.put("runtime: sp=").put_hex(frame.sp()).put(" address=").put_hex(address);
    out.put("\nfatal error: thread stack overflow\n\n");
    return story::fatal;
  }
  if (fault && mapped_error && address < null_page_bytes) {
    out.put("panic: runtime error: invalid memory address or nil pointer dereference\n");
    print_signal(out, s, info, frame.pc);
    return story::panic;
  }
  if (fault && info.si_code > 0) {
    out.put("unexpected fault address ").put_hex(address).put('\n');
    print_owner(out, info);
    out.put("fatal error: fault\n");
    print_signal(out, s, info, frame.pc);
    return story::fatal;
  }
  if (s.number == SIGFPE && info.si_code == FPE_INTDIV) {
    out.put("panic: runtime error: integer divide by zero\n");
    print_signal(out, s, info, frame.pc);
    return story::panic;
  }
  const machine* mp = this_machine();
  out.put(s.name).put(": ").put(s.text).put("\nPC=").put_hex(frame.pc);
  out.put(" m=").put_unsigned(mp != nullptr ? mp->id : 0).put(" sigcode=");
  out.put_decimal(info.si_code).put("\n\n");
  return story::bare;
}

void on_fatal_signal(int number, siginfo_t* info, void* context) noexcept {
  const handled_signal& s = find_signal(number);
  stack_slot slot;
  const bool overflow = (number == SIGSEGV || number == SIGBUS) && info->si_code > 0 &&
                        stack_guard_hit(reinterpret_cast<uintptr_t>(info->si_addr), slot);
  if (!overflow && s.chained && chain(s, number, info, context)) return;
  begin_dying(context);
  arm_report_watchdog();
  const unwind_frame frame = unwind_frame_of(context);
  constexpr int fd = STDERR_FILENO;
  traceback_level level = current_traceback();
  story told = story::bare;
  {
    report_writer out(fd);
    told = tell(out, s, *info, frame);
  }
  message_is_written();
  if (level != traceback_level::none) {
    if (told == story::fatal && level < traceback_level::all) level = traceback_level::all;
    if (told == story::bare && level < traceback_level::system) level = traceback_level::system;
    const machine* mp = this_machine();
    const goroutine* gp = mp != nullptr ? mp->cur.load(relaxed) : nullptr;
    write_goroutines_from(fd, report_of::dying, level, gp, frame, gp == nullptr);
    if (told == story::bare) {
      report_writer out(fd);
      out.put('\n');
      print_registers(out, frame);
    }
  }
  if (dlog_enabled.load(relaxed)) dlog_print(fd);
  tell_run_hooks_of_death();
  if (current_traceback() != traceback_level::crash) os::exit_process(2);
  // The signal again, by its default action, so that the core shows the fault itself: returning
  // repeats a faulting instruction; one that was sent is sent again.
  std::signal(number, SIG_DFL);
  if (info->si_code <= 0 || number == SIGABRT || number == SIGQUIT) std::raise(number);
}

}  // namespace

void arm_report_watchdog() noexcept {
  std::signal(SIGALRM, SIG_DFL);
  sigset_t alarm_only;
  sigemptyset(&alarm_only);
  sigaddset(&alarm_only, SIGALRM);
  pthread_sigmask(SIG_UNBLOCK, &alarm_only, nullptr);
  ::alarm(watchdog_seconds);
}

void prepare_signal_stack() noexcept {
  stack_t now{};
  if (::sigaltstack(nullptr, &now) == 0 && (now.ss_flags & SS_DISABLE) == 0) return;
  void* memory = os::reserve_writable(signal_mapping_bytes);
  if (memory == nullptr) return;  // without it an overflow is a bare SIGSEGV, nothing worse
  (void)os::protect_none(memory, signal_guard_bytes);  // refused: as without a guard
  stack_t stack{};
  stack.ss_sp = signal_stack_of(memory);
  stack.ss_size = signal_stack_bytes;
  if (::sigaltstack(&stack, nullptr) != 0) {
    os::release(memory, signal_mapping_bytes);
    return;
  }
  this_machine()->signal_stack = memory;
}

void release_signal_stack(machine* mp) noexcept {
  void* memory = mp->signal_stack;
  mp->signal_stack = nullptr;
  stack_t now{};
  if (memory == nullptr || ::sigaltstack(nullptr, &now) != 0) return;
  if (now.ss_sp == signal_stack_of(memory)) {
    if ((now.ss_flags & SS_ONSTACK) != 0) return;  // a thread that ends in a handler: leaked
    stack_t none{};
    none.ss_flags = SS_DISABLE;
    if (::sigaltstack(&none, nullptr) != 0) return;
  }
  os::release(memory, signal_mapping_bytes);
}

void install_signal_handlers() noexcept {
  for (handled_signal& s : handled) {
    struct sigaction now{};
    if (::sigaction(s.number, nullptr, &now) != 0) continue;
    const bool free = (now.sa_flags & SA_SIGINFO) == 0 && now.sa_handler == SIG_DFL;
    if (!free && !s.chained) continue;
    s.before = now;
    struct sigaction ours{};
    ours.sa_sigaction = on_fatal_signal;
    // NODEFER: a fault while reporting comes back here, where begin_dying() ends the process.
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTART;
    sigemptyset(&ours.sa_mask);
    (void)::sigaction(s.number, &ours, nullptr);
  }
}

}  // namespace weft::rt
