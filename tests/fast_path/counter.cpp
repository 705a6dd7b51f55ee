// SPDX-License-Identifier: Apache-2.0
// Counts instructions: a parent that single-steps the thread which met a marker until it meets the
// next one. So each number is what the processor did, on whatever stack, and the same in each run;
// time, which differs, is not looked at.
//
// Rejected: callgrind, which follows stacks by their pointers and so loses count where goroutines
// change them, and which gives programs another clock; performance counters, which virtual machines
// and containers refuse.
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <unordered_map>

#include "paths.hpp"

// The linker's: the program's own code.
extern "C" const char __executable_start;
extern "C" const char etext;

namespace fast_path {
namespace {

/// What is counted about one instruction.
struct kind {
  bool locked = false;
  bool call = false;
  bool syscall = false;
  bool marker = false;
};

constexpr size_t longest_instruction = 16;
using code = std::array<unsigned char, longest_instruction>;

bool is_prefix(unsigned char byte) {
  constexpr unsigned char others[] = {0x66, 0x67, 0xf2, 0xf3, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65};
  return std::memchr(others, byte, sizeof others) != nullptr;
}

kind decode(const code& text) {
  kind found;
  size_t at = 0;
  for (; at < text.size() && (is_prefix(text[at]) || text[at] == 0xf0); ++at)
    found.locked |= text[at] == 0xf0;
  if ((text[at] & 0xf0) == 0x40) ++at;  // REX
  const unsigned char opcode = text[at];
  const unsigned char operand = text[at + 1];  // ModRM
  const bool in_memory = operand >> 6 != 3;
  found.locked |= (opcode == 0x86 || opcode == 0x87) && in_memory;            // xchg
  found.locked |= opcode == 0x0f && operand == 0xae && text[at + 2] == 0xf0;  // mfence
  found.call = opcode == 0xe8 || (opcode == 0xff && (operand >> 3 & 7) == 2);
  found.syscall = opcode == 0x0f && operand == 0x05;
  found.marker = opcode == 0xcc;
  return found;
}

/// Never changes while the child runs, so each address is read once.
const kind& kind_at(pid_t thread, uint64_t pc) {
  static std::unordered_map<uint64_t, kind> known;
  const auto found = known.find(pc);
  if (found != known.end()) return found->second;
  code text{};
  for (size_t at = 0; at < text.size(); at += sizeof(long)) {
    errno = 0;
    const long word = ::ptrace(PTRACE_PEEKTEXT, thread, pc + at, 0);
    if (errno == 0) std::memcpy(text.data() + at, &word, sizeof word);
  }
  return known[pc] = decode(text);
}

bool is_own(uint64_t pc) {
  return pc >= reinterpret_cast<uint64_t>(&__executable_start) &&
         pc < reinterpret_cast<uint64_t>(&etext);
}

void run_on(pid_t thread, int signal_number) { ::ptrace(PTRACE_CONT, thread, 0, signal_number); }

/// One step of `thread`, whatever else the child does meanwhile. False: the child has ended.
bool step(pid_t thread, int& status) {
  ::ptrace(PTRACE_SINGLESTEP, thread, 0, 0);
  for (;;) {
    const pid_t stopped = ::waitpid(-1, &status, __WALL);
    if (stopped < 0) return false;
    if (stopped == thread) {
      if (!WIFSTOPPED(status)) return false;
      if (WSTOPSIG(status) == SIGTRAP) return true;
      ::ptrace(PTRACE_SINGLESTEP, thread, 0, WSTOPSIG(status));  // a signal of its own
      continue;
    }
    if (WIFSTOPPED(status)) run_on(stopped, 0);
  }
}

/// From behind one marker to behind the next.
bool count_until_marker(pid_t thread, mix& out, int& status) {
  bool was_own = true;
  for (;;) {
    user_regs_struct regs{};
    if (::ptrace(PTRACE_GETREGS, thread, 0, &regs) != 0) return false;
    const kind& what = kind_at(thread, regs.rip);
    const bool own = is_own(regs.rip);
    if (!what.marker) {
      out.instructions += own ? 1 : 0;
      out.locked += own && what.locked ? 1 : 0;
      out.calls += own && what.call ? 1 : 0;
      out.outside += was_own && !own ? 1 : 0;
      out.syscalls += what.syscall ? 1 : 0;
    }
    was_own = own;
    if (!step(thread, status)) return false;
    if (what.marker) return true;
  }
}

/// What is to be handed to a thread that stopped: nothing of what tracing itself brought about.
int signal_for(int status) {
  const int number = WSTOPSIG(status);
  return number == SIGTRAP || number == SIGSTOP || status >> 16 != 0 ? 0 : number;
}

int trace(pid_t child, void (*each)(const mix&)) {
  int status = 0;
  if (::waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) return -1;
  if (::ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL) != 0)
    return -1;
  run_on(child, 0);
  for (;;) {
    const pid_t thread = ::waitpid(-1, &status, __WALL);
    if (thread < 0) return -1;
    if (!WIFSTOPPED(status)) {
      if (thread == child) return status;
      continue;
    }
    const bool marker = WSTOPSIG(status) == SIGTRAP && status >> 16 == 0;
    if (marker) {
      mix counted;
      if (!count_until_marker(thread, counted, status)) return -1;
      each(counted);
    }
    run_on(thread, marker ? 0 : signal_for(status));
  }
}

}  // namespace

int count_instructions(void (*body)(), void (*each)(const mix&)) {
  const pid_t child = ::fork();
  if (child < 0) return -1;
  if (child == 0) {
    if (::ptrace(PTRACE_TRACEME, 0, 0, 0) != 0) ::_exit(77);
    ::raise(SIGSTOP);
    body();
    ::_exit(0);
  }
  return trace(child, each);
}

}  // namespace fast_path
