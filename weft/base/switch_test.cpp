// SPDX-License-Identifier: Apache-2.0
// The context switch, without a scheduler: what survives it, and what unwinders see.
#include <gtest/gtest.h>
#include <unwind.h>

#include <cfenv>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "weft/base/arch/arch.hpp"
#include "weft/base/atomic.hpp"
#include "weft/base/os/os.hpp"
#include "weft/base/sanitizer.hpp"
#include "weft/base/thread_slot.hpp"

#if WEFT_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#if WEFT_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace weft::rt {
namespace {

constexpr size_t test_stack_bytes = 256 * 1024;

/// A coroutine: resume() runs it until it suspends or ends.
struct context {
  explicit context(void (*b)(context&)) : body(b) {
    stack = os::reserve_writable(test_stack_bytes);
    sp = make_context(reinterpret_cast<uintptr_t>(stack) + test_stack_bytes);
#if WEFT_TSAN
    fiber = __tsan_create_fiber(0);
#endif
  }
  ~context() {
#if WEFT_TSAN
    __tsan_destroy_fiber(fiber);
#endif
    os::release(stack, test_stack_bytes);
  }
  context(const context&) = delete;
  context& operator=(const context&) = delete;

  void (*body)(context&);
  uintptr_t sp = 0;
  uintptr_t caller_sp = 0;
  void* stack = nullptr;
  bool done = false;
  int steps = 0;
  uintptr_t seen = 0;
  void* fiber = nullptr;
  void* caller_fiber = nullptr;
  void* fake_stack = nullptr;
  void* caller_fake_stack = nullptr;
  const void* caller_lo = nullptr;
  size_t caller_bytes = 0;
};

#if WEFT_TSAN
#define WEFT_TEST_NO_TSAN __attribute__((no_sanitize("thread"), noinline))
#else
#define WEFT_TEST_NO_TSAN __attribute__((noinline))
#endif

WEFT_TEST_NO_TSAN void resume(context& c) {
  set_thread_slot(&c);
#if WEFT_ASAN
  __sanitizer_start_switch_fiber(&c.caller_fake_stack, c.stack, test_stack_bytes);
#elif WEFT_TSAN
  c.caller_fiber = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(c.fiber, 0);
#endif
  arch::switch_stacks(&c.caller_sp, c.sp);
#if WEFT_ASAN
  __sanitizer_finish_switch_fiber(c.caller_fake_stack, nullptr, nullptr);
#endif
}

WEFT_TEST_NO_TSAN void suspend(context& c) {
#if WEFT_ASAN
  __sanitizer_start_switch_fiber(c.done ? nullptr : &c.fake_stack, c.caller_lo, c.caller_bytes);
#elif WEFT_TSAN
  __tsan_switch_to_fiber(c.caller_fiber, 0);
#endif
  arch::switch_stacks(&c.sp, c.caller_sp);
#if WEFT_ASAN
  __sanitizer_finish_switch_fiber(c.fake_stack, &c.caller_lo, &c.caller_bytes);
#endif
}

/// Overwrites every register that an instruction can name here.
__attribute__((noinline)) void spoil_registers() {
#if defined(__x86_64__)
  asm volatile(
      "movq $-1, %%rax\n\t movq %%rax, %%rbx\n\t movq %%rax, %%rcx\n\t movq %%rax, %%rdx\n\t"
      "movq %%rax, %%rsi\n\t movq %%rax, %%rdi\n\t movq %%rax, %%r8\n\t movq %%rax, %%r9\n\t"
      "movq %%rax, %%r10\n\t movq %%rax, %%r11\n\t movq %%rax, %%r12\n\t movq %%rax, %%r13\n\t"
      "movq %%rax, %%r14\n\t movq %%rax, %%r15\n\t"
      "movq %%rax, %%xmm0\n\t movq %%rax, %%xmm6\n\t movq %%rax, %%xmm7\n\t"
      "movq %%rax, %%xmm8\n\t movq %%rax, %%xmm15" ::
          : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
            "r15", "xmm0", "xmm6", "xmm7", "xmm8", "xmm15");
#else
  asm volatile(
      "mov x9, #-1\n\t mov x19, x9\n\t mov x20, x9\n\t mov x21, x9\n\t mov x22, x9\n\t"
      "mov x23, x9\n\t mov x24, x9\n\t mov x25, x9\n\t mov x26, x9\n\t mov x27, x9\n\t"
      "mov x28, x9\n\t fmov d8, x9\n\t fmov d9, x9\n\t fmov d10, x9\n\t fmov d11, x9\n\t"
      "fmov d12, x9\n\t fmov d13, x9\n\t fmov d14, x9\n\t fmov d15, x9" ::
          : "x9", "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "v8", "v9",
            "v10", "v11", "v12", "v13", "v14", "v15");
#endif
}

TEST(Switch, NewContextWaitsAtTheEntry) {
  context c([](context&) {});
  auto* frame = reinterpret_cast<arch::saved_frame*>(c.sp);
  EXPECT_EQ(frame->pc, reinterpret_cast<uintptr_t>(&weft_goroutine_entry));
  EXPECT_EQ(frame->fp, 0u);
  EXPECT_EQ(c.sp % 16, 0u);
}

TEST(Switch, PingPong) {
  context c([](context& self) {
    for (int i = 0; i < 10'000; ++i) {
      ++self.steps;
      suspend(self);
    }
  });
  for (int i = 0; i < 10'000; ++i) {
    ASSERT_EQ(c.steps, i);
    resume(c);
  }
  EXPECT_FALSE(c.done);
  resume(c);
  EXPECT_TRUE(c.done);
}

TEST(Switch, StackIsAlignedAsTheAbiWants) {
  context c([](context& self) {
    alignas(16) volatile char local[16];
    local[0] = 1;
    self.seen = reinterpret_cast<uintptr_t>(&local) % 16 +
                reinterpret_cast<uintptr_t>(__builtin_frame_address(0)) % 16;
  });
  resume(c);
  EXPECT_EQ(c.seen, 0u);
  EXPECT_TRUE(c.done);
}

/// Keeps more values alive across a switch than a compiler can keep in memory for free. The switch
/// is inlined here, as with link-time optimization in the scheduler.
__attribute__((noinline)) bool values_survive(context& c, uint64_t seed) {
  uint64_t a = seed * 3, b = seed * 5, d = seed * 7, e = seed * 11, f = seed * 13, g = seed * 17;
  double p = static_cast<double>(seed) / 3, q = p * 5, r = p * 7, s = p * 11;
  long double t = static_cast<long double>(seed) / 7;
  asm volatile("" : "+r"(a), "+r"(b), "+r"(d), "+r"(e), "+r"(f), "+r"(g));
#if !WEFT_ASAN && !WEFT_TSAN
  set_thread_slot(&c);
  arch::switch_stacks(&c.caller_sp, c.sp);
#else
  resume(c);
#endif
  asm volatile("" : "+r"(a), "+r"(b), "+r"(d), "+r"(e), "+r"(f), "+r"(g));
  double third = static_cast<double>(seed) / 3;
  return a == seed * 3 && b == seed * 5 && d == seed * 7 && e == seed * 11 && f == seed * 13 &&
         g == seed * 17 && p == third && q == third * 5 && r == third * 7 && s == third * 11 &&
         t == static_cast<long double>(seed) / 7;
}

TEST(Switch, ValuesInRegistersSurvive) {
  context c([](context& self) {
    while (true) {
      spoil_registers();
      suspend(self);
    }
  });
  for (uint64_t i = 1; i < 100; ++i) ASSERT_TRUE(values_survive(c, i)) << i;
}

TEST(Switch, ContextMigratesBetweenThreads) {
  context c([](context& self) {
    for (int i = 0; i < 100; ++i) {
      // The slot is read afresh: the thread that resumed us has set it, whichever it was.
      self.seen += thread_slot() == &self ? 1 : 0;
      self.steps = os::thread_id();
      suspend(self);
    }
  });
  for (int i = 0; i < 100; ++i) {
    std::thread([&] {
      int32_t here = os::thread_id();
      resume(c);
      EXPECT_EQ(c.steps, here);
      set_thread_slot(nullptr);
      EXPECT_EQ(thread_slot(), nullptr);
    }).join();
  }
  EXPECT_EQ(c.seen, 100u);
  EXPECT_FALSE(c.done);
}

TEST(Switch, FloatingPointControlCanBeKeptApart) {
  arch::fp_control outside = arch::read_fp_control();
  context c([](context& self) {
    std::fesetround(FE_UPWARD);
    arch::fp_control mine = arch::read_fp_control();
    suspend(self);
    arch::load_fp_control(mine);
    self.seen = std::fegetround() == FE_UPWARD;
  });
  resume(c);
  EXPECT_FALSE(arch::read_fp_control().same_settings(outside));
  arch::load_fp_control(outside);
  EXPECT_EQ(std::fegetround(), FE_TONEAREST);
  resume(c);
  EXPECT_EQ(c.seen, 1u);
  arch::load_fp_control(outside);
  EXPECT_TRUE(arch::read_fp_control().same_settings(outside));
}

TEST(Switch, StickyFloatingPointResultsAreNotSettings) {
  std::feclearexcept(FE_ALL_EXCEPT);
  arch::fp_control before = arch::read_fp_control();
  volatile double zero = 0.0;
  volatile double inexact = 1.0 / (zero + 3.0);
  (void)inexact;
  EXPECT_NE(std::fetestexcept(FE_INEXACT), 0);
  EXPECT_TRUE(arch::read_fp_control().same_settings(before));
}

struct trace {
  std::vector<uintptr_t> pcs;
};

_Unwind_Reason_Code note_frame(_Unwind_Context* at, void* argument) {
  auto& pcs = static_cast<trace*>(argument)->pcs;
  pcs.push_back(static_cast<uintptr_t>(_Unwind_GetIP(at)));
  return pcs.size() < 100 ? _URC_NO_REASON : _URC_NORMAL_STOP;
}

trace inner_trace;

__attribute__((noinline)) void record_trace() {
  inner_trace.pcs.clear();
  _Unwind_Backtrace(note_frame, &inner_trace);
}

TEST(Switch, UnwindersStopAtTheEntry) {
  context c([](context& self) {
    record_trace();
    suspend(self);
    record_trace();
  });
  for (int round = 0; round < 2; ++round) {
    resume(c);
    ASSERT_GE(inner_trace.pcs.size(), 3u);
    ASSERT_LT(inner_trace.pcs.size(), 100u);
    // libgcc ends with a frame of pc 0, libunwind with the last real one.
    if (inner_trace.pcs.back() == 0) inner_trace.pcs.pop_back();
    uintptr_t entry = reinterpret_cast<uintptr_t>(&weft_goroutine_entry);
    EXPECT_GT(inner_trace.pcs.back(), entry);
    EXPECT_LT(inner_trace.pcs.back(), entry + 32);
  }
}

TEST(Switch, ExceptionsAreCaughtInsideAContext) {
  context c([](context& self) {
    for (int i = 0; i < 3; ++i) {
      try {
        throw std::runtime_error("inside");
      } catch (const std::runtime_error& e) {
        self.seen += std::string(e.what()) == "inside" ? 1 : 0;
      }
      suspend(self);
    }
  });
  for (int i = 0; i < 3; ++i) resume(c);
  EXPECT_EQ(c.seen, 3u);
}

TEST(SwitchDeathTest, ExceptionThatLeavesAContextTerminates) {
  EXPECT_DEATH(
      {
        context c([](context&) { throw std::runtime_error("nobody catches this"); });
        resume(c);
      },
      "nobody catches this");
}

}  // namespace
}  // namespace weft::rt

extern "C" void weft_goroutine_start() {
  using namespace weft::rt;
  auto& self = *static_cast<context*>(thread_slot());
#if WEFT_ASAN
  __sanitizer_finish_switch_fiber(nullptr, &self.caller_lo, &self.caller_bytes);
#endif
  self.body(self);
  self.done = true;
  suspend(self);
  __builtin_trap();
}
