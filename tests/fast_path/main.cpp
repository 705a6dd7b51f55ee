// SPDX-License-Identifier: Apache-2.0
// weft_fast_path [NAME...]: what each hot path executes per operation, a line of `name instructions
// locked calls outside syscalls`. Exit code 77: this system does not let a process trace its child,
// or has no membarrier(2), without which every section has a fence.
#include <linux/membarrier.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <vector>

#include "paths.hpp"
#include "weft/weft.hpp"

namespace {

using fast_path::mix;
using fast_path::path;

// More only takes longer: each instruction is two switches between processes, some 20 us. Fewer
// gives what happens once, as the look at the global queue (each 61st time), too large a share.
constexpr int times = 32;
// Runs that nobody counts, for the caches of cells, stacks and memory.
constexpr int warm_up = 4 * times;

/// The paths that the command line names; all if it names none.
std::span<char*> wanted;

bool is_wanted(const path& one) {
  if (wanted.empty()) return true;
  for (const char* name : wanted)
    if (std::strcmp(name, one.name) == 0) return true;
  return false;
}

void run_paths(std::span<const path> paths) {
  for (const path& one : paths) {
    if (!is_wanted(one)) continue;
    one.body(warm_up);
    fast_path::counting = true;
    one.body(times);
    fast_path::counting = false;
  }
}

/// In the child.
void run_all() {
  weft::run({.procs = 1}, [] { run_paths(fast_path::paths_alone()); });
  // The other P's goroutine blocks its thread, and nobody takes the P: so it neither idles, which
  // each wake-up would see, nor looks for work.
  std::atomic<bool> blocks{false};
  std::atomic<bool> stop{false};
  weft::run({.procs = 2}, [&] {
    weft::go([&] {
      blocks = true;
      blocks.notify_one();
      stop.wait(false);
    });
    while (!blocks) weft::yield();
    run_paths(fast_path::paths_shared());
    stop = true;
    stop.notify_one();
  });
}

std::vector<mix> counted;

void print(const path& one, const mix& all) {
  const auto share = [&](int64_t total) {
    return static_cast<double>(total) / (times * one.operations);
  };
  std::printf("%s %.1f %.1f %.1f %.1f %.1f\n", one.name, share(all.instructions), share(all.locked),
              share(all.calls), share(all.outside), share(all.syscalls));
}

/// One CPU for all: a process that steps another one is quicker there than beside it.
void stay_on_this_cpu() {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<unsigned>(::sched_getcpu()), &one);
  (void)::sched_setaffinity(0, sizeof one, &one);
}

bool has_membarrier() {
  const long commands = ::syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
  return commands >= 0 && (commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0;
}

}  // namespace

int main(int argc, char** argv) {
  wanted = std::span(argv + 1, static_cast<size_t>(argc - 1));
  if (!has_membarrier()) {
    std::printf("skipped: no membarrier(2)\n");
    return 77;
  }
  ::setenv("WEFT_DEBUG", "noretake=1",
           0);  // a stepped thread looks like one that computes for ever
  stay_on_this_cpu();
  const int status =
      fast_path::count_instructions(run_all, [](const mix& one) { counted.push_back(one); });
  if (status == -1 || (WIFEXITED(status) && WEXITSTATUS(status) == 77)) {
    std::printf("skipped: no ptrace(2)\n");
    return 77;
  }
  if (status != 0) {
    std::printf("the paths ended with wait status %d\n", status);
    return 1;
  }
  auto next = counted.begin();
  for (const auto& paths : {fast_path::paths_alone(), fast_path::paths_shared()})
    for (const path& one : paths)
      if (is_wanted(one)) print(one, *next++);
  return 0;
}
