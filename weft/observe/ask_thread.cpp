// SPDX-License-Identifier: Apache-2.0
// Question and answer by a realtime signal.
//
// There is one question at a time, in static memory, with a number. Who answers claims the question
// by a CAS on `phase` (asked -> answering), writes, and sets `answered`. Who has waited in vain
// takes it back by a CAS (asked -> idle); if an answer is being written it waits for its end, which
// needs no more than the handler's next microseconds. So a late signal finds another number, or
// nothing to claim, and writes nowhere.
#include "weft/observe/internal/ask_thread.hpp"

#include <cerrno>
#include <csignal>
#include <mutex>

#include "weft/base/futex_mutex.hpp"
#include "weft/base/os/os.hpp"
#include "weft/base/sanitizer.hpp"
#include "weft/heap/internal/stack.hpp"
#include "weft/sched/internal/machine.hpp"

namespace weft::rt {

namespace {

constexpr int64_t answer_limit_ns = 100'000'000;

constexpr uint32_t idle = 0, asked = 1, answering = 2, answered = 3;  // low bits of `phase`
constexpr uint32_t phases = 4;                                        // the rest is the number

struct {
  atomic<uint32_t> phase{idle};
  stack_bounds on;
  size_t count = 0;
  uintptr_t pcs[asked_frames_max];
} question;

futex_mutex one_at_a_time{lock_rank::leaf};

void on_question(int, siginfo_t* info, void* context) noexcept {
  const int saved = errno;
  auto number = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(info->si_value.sival_ptr));
  uint32_t expected = number * phases + asked;
  // acquire: the question; partner: ask_thread().
  if (question.phase.compare_exchange(expected, number * phases + answering, acq_rel, relaxed)) {
    const unwind_frame at = unwind_frame_of(context);
    question.count = 0;
    if (at.sp() >= question.on.lo && at.sp() < question.on.hi)
      question.count = unwind_quick(at, question.on, question.pcs, asked_frames_max);
    question.phase.store(number * phases + answered, release);  // partner: ask_thread()
    os::futex_wake(question.phase, 1);
  }
  errno = saved;
}

/// A realtime signal that nobody handles, from the lower end (crash reports take from the upper).
/// 0: there is none.
int claim_signal() noexcept {
  for (int number = SIGRTMIN; number <= SIGRTMAX; ++number) {
    struct sigaction now{};
    if (::sigaction(number, nullptr, &now) != 0) continue;
    if ((now.sa_flags & SA_SIGINFO) != 0 || now.sa_handler != SIG_DFL) continue;
    struct sigaction ours{};
    ours.sa_sigaction = on_question;
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    sigfillset(&ours.sa_mask);
    if (::sigaction(number, &ours, nullptr) == 0) return number;
  }
  return 0;
}

}  // namespace

void ask_thread(const machine& mp, stack_bounds on, std::vector<uintptr_t>& out) {
  if (mp.tid == os::thread_id()) {
    uintptr_t pcs[asked_frames_max];
    const size_t count = unwind(unwind_frame_here(), on, pcs, asked_frames_max);
    out.insert(out.end(), pcs, pcs + count);
    return;
  }
  // ThreadSanitizer keeps a signal back until its thread calls something that it knows.
  if constexpr (sanitizer::thread) return;
  static const int signal = claim_signal();
  static uint32_t numbers = 0;
  if (signal == 0) return;
  // Memory for the answer before the lock: no exception under it.
  out.reserve(out.size() + asked_frames_max);
  const std::lock_guard<futex_mutex> held(one_at_a_time);
  const uint32_t number = ++numbers % (UINT32_MAX / phases);
  question.on = on;
  question.count = 0;
  question.phase.store(number * phases + asked, release);  // partner: on_question()
  void* value = reinterpret_cast<void*>(static_cast<uintptr_t>(number));
  if (os::signal_thread(mp.tid, signal, value)) {
    const int64_t until = os::monotonic_ns() + answer_limit_ns;
    for (;;) {
      const uint32_t now = question.phase.load(acquire);
      if (now % phases == answered) break;
      const int64_t left = until - os::monotonic_ns();
      if (left <= 0 && now % phases == asked) {
        uint32_t expected = now;
        if (question.phase.compare_exchange(expected, idle, acq_rel, acquire)) return;
        continue;
      }
      os::futex_wait(question.phase, now, left > 0 ? left : -1);
    }
  }
  for (size_t i = 0; i < question.count; ++i) out.push_back(question.pcs[i]);
  question.phase.store(idle, relaxed);
}

}  // namespace weft::rt
