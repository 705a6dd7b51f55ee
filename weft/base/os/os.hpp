// SPDX-License-Identifier: Apache-2.0
// What Weft needs of the operating system, and nothing else. os/linux/ implements it; a port
// implements the same functions (docs/guide/porting.md).
#pragma once

#include <cstddef>
#include <cstdint>

#include "weft/base/atomic.hpp"

namespace weft::rt::os {

// --- futex -------------------------------------------------------------------------------------
enum class futex_result : uint8_t { woken, changed, timed_out };

/// Sleeps while `*word == expected`. `timeout_ns < 0`: no limit. May return `woken` spuriously.
futex_result futex_wait(atomic<uint32_t>& word, uint32_t expected, int64_t timeout_ns) noexcept;
/// Wakes up to `count` sleepers on `word`; returns how many.
int futex_wake(atomic<uint32_t>& word, int count) noexcept;

// --- clocks ------------------------------------------------------------------------------------
/// CLOCK_MONOTONIC in nanoseconds.
int64_t monotonic_ns() noexcept;
/// CLOCK_REALTIME in nanoseconds since the epoch.
int64_t realtime_ns() noexcept;
/// Whether arch::ticks() is a clock that all CPUs agree on: the kernel keeps its own time by it.
/// Reads /sys.
bool ticks_are_time() noexcept;

// --- threads -----------------------------------------------------------------------------------
/// Starts a detached thread named `name` (15 characters shown) with a stack of `stack_bytes`.
/// All signals the process handles stay deliverable, or with `takes_signals` false none but faults.
/// Returns 0 or an errno.
int start_thread(void (*entry)(void*), void* argument, size_t stack_bytes, const char* name,
                 bool takes_signals = true) noexcept;
/// The kernel's id of this thread (gettid), never cached across a switch.
int32_t thread_id() noexcept;
/// Sends signal `number` with `value` (siginfo's si_value, si_code SI_QUEUE) to one thread of this
/// process. False: there is no such thread, or too many signals are queued. Async-signal-safe.
bool signal_thread(int32_t tid, int number, void* value) noexcept;
/// Sleeps this thread (not the goroutine); restarts after signals.
void sleep_ns(int64_t duration_ns) noexcept;
void yield_thread() noexcept;
/// `f` will run in the child of every fork(), in its only thread. 0 or an errno.
int on_fork_in_child(void (*f)()) noexcept;
/// The letter in the third field of /proc/self/task/TID/stat ('R', 'S', 'D', ...), or 0 if the
/// thread is gone. `fd` caches the open file between calls: start with -1, close_fd when done.
char thread_state(int32_t tid, int& fd) noexcept;
/// How many threads this process has now (from /proc/self/stat), or -1.
int thread_count() noexcept;
void close_fd(int fd) noexcept;

// --- asymmetric fence --------------------------------------------------------------------------
/// Registers for membarrier(PRIVATE_EXPEDITED). Returns whether it works. `force_plain` behaves as
/// if the kernel had refused it.
bool membarrier_register(bool force_plain) noexcept;
/// Runs a full fence on every CPU that runs a thread of this process; partner of light_fence().
void heavy_fence() noexcept;
/// True when light_fence() is a compiler barrier only.
extern bool membarrier_active;
/// The cheap side: between `store own flag` and `load the other's`. Partner: heavy_fence().
inline void light_fence() noexcept {
  if (membarrier_active) [[likely]]
    compiler_fence();
  else
    fence(seq_cst);
}

// --- memory ------------------------------------------------------------------------------------
inline constexpr size_t page_bytes = 4096;  // checked at start; a port with larger pages says so
/// Reserves address space, no access, no commitment. nullptr when refused.
void* reserve(size_t bytes) noexcept;
/// As reserve(), but readable and writable at first touch (MAP_NORESERVE, no huge pages).
void* reserve_writable(size_t bytes) noexcept;
void release(void* address, size_t bytes) noexcept;
/// Gives the pages back; they read as zero when touched again. False: some are locked, and some or
/// all stay as they are.
bool discard(void* address, size_t bytes) noexcept;
/// 0, or the errno of madvise(MADV_GUARD_INSTALL): EINVAL where the kernel (< 6.13) lacks it, or
/// pretends.
int guard_install(void* address, size_t bytes) noexcept;
/// The same for `count` ranges (at most 64) in one system call. False: not done, or not all of it;
/// guard_install() each then. Kernels before 6.14 cannot.
bool guard_install_all(void* const* addresses, size_t count, size_t bytes) noexcept;
/// 0, or the errno of mprotect(PROT_NONE).
int protect_none(void* address, size_t bytes) noexcept;

/// Whether core files hold these pages: reserved space that nobody uses yet need not be searched
/// for contents. Does nothing where the kernel refuses.
void core_files_hold(void* address, size_t bytes, bool held) noexcept;

/// Raises the process's own limits of descriptors and address space to what the system allows: for
/// reports of a process that may be dying of them. Async-signal-safe.
void lift_limits() noexcept;

// --- processors --------------------------------------------------------------------------------
/// min(CPUs in the affinity mask, max(2, ceil(cgroup quota / period))), at least 1; never above
/// the affinity count. cgroup v2 cpu.max and v1 cpu.cfs_*, the minimum up the hierarchy.
int default_procs() noexcept;
/// The cgroup part alone, for tests: `root` stands for /sys/fs/cgroup, `self` for
/// /proc/self/cgroup's text. Returns 0 when there is no limit.
int cgroup_procs(const char* root, const char* self) noexcept;

// --- the end ---------------------------------------------------------------------------------
/// Ends the process at once: no handlers, no destructors, and no sanitizer's own last words, which
/// would judge a thread of the runtime that dies in the middle of its work.
[[noreturn]] void exit_process(int status) noexcept;

// --- output ------------------------------------------------------------------------------------
/// write(2) of everything, restarting; for stderr reports. Async-signal-safe.
void write_all(int fd, const void* data, size_t bytes) noexcept;

}  // namespace weft::rt::os
