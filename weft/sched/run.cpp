// SPDX-License-Identifier: Apache-2.0
// Starting the runtime, running the main goroutine, and stopping the world when it returns.
#include "weft/sched/run.hpp"

#include <cstdio>
#include <exception>
#include <string>
#include <string_view>

#include "weft/base/error.hpp"
#include "weft/base/panic.hpp"
#include "weft/base/race.hpp"
#include "weft/base/settings.hpp"
#include "weft/heap/internal/stack.hpp"
#include "weft/sched/go.hpp"
#include "weft/sched/internal/debug_door.hpp"
#include "weft/sched/internal/run_hooks.hpp"
#include "weft/sched/internal/scheduler.hpp"

namespace weft::rt {

namespace {

/// The world stands still before the first run and between runs: nothing is started twice.
struct main_state {
  void (*entry)(void*) = nullptr;
  void* argument = nullptr;
  atomic<uint32_t> done{0};
  /// The door, while one is wanted; where, and why it could not be opened.
  const debug_door* door = nullptr;
  std::string_view debug_addr;
  std::string_view debug_token;
  std::string refusal;
  /// Why the hooks would not have it begin; names the setting.
  std::string bad_setting;
};
main_state main_goroutine;
/// Written before the first run, by a static constructor.
const debug_door* registered_door = nullptr;
const run_hooks* registered_hooks = nullptr;  // the same
futex_mutex init_lock{lock_rank::sim};
bool initialized = false;
bool monitor_started = false;  // deterministic mode has none: its time is virtual
std::terminate_handler previous_terminate = nullptr;

/// An exception that no frame of a goroutine handles: the stack is still whole (see
/// weft_goroutine_start), so the report shows where it was thrown.
[[noreturn]] void on_terminate() {
  machine* mp = this_machine();
  const bool in_goroutine = mp != nullptr && !mp->is_guest && mp->cur.load(relaxed) != nullptr;
  if (std::exception_ptr what = std::current_exception(); in_goroutine && what != nullptr)
    die_of_exception(what);
  if (previous_terminate != nullptr) previous_terminate();
  std::abort();
}

void main_entry(void*) {
  const debug_door* door = main_goroutine.door;
  const run_hooks* hooks = registered_hooks;
  if (hooks != nullptr) main_goroutine.bad_setting = hooks->begun();
  if (door != nullptr)
    main_goroutine.refusal = door->open(main_goroutine.debug_addr, main_goroutine.debug_token);
  if (main_goroutine.refusal.empty() && main_goroutine.bad_setting.empty()) {
    main_goroutine.entry(main_goroutine.argument);
    if (door != nullptr) door->close();
  }
  if (hooks != nullptr) hooks->ending();
  race_release(&main_goroutine);
  sched.main_done.store(1, seq_cst);  // from here on nobody left is not a deadlock
  // release: the result; partner: run_main()'s acquire.
  main_goroutine.done.store(1, release);
  os::futex_wake(main_goroutine.done, 1);
}

void initialize_scheduler() {
  const settings& set = process_settings();
  (void)os::membarrier_register(set.plain_fence);
  sched.stack_bytes = stack_class_bytes(set.stack_bytes);
  sched.cells =
      static_cast<goroutine*>(os::reserve_writable(size_t{goroutines_max} * sizeof(goroutine)));
  if (sched.cells == nullptr)
    fatal("out of address space: 1 GiB for goroutine cells is refused (RLIMIT_AS?)");
  initialize_births();
  sched.global.initialize();
  const int64_t now = os::monotonic_ns();
  sched.started_ns = now;
  refresh_coarse(now);
  sched.last_poll.store(now, relaxed);
  sched.stopping.store(1, relaxed);
  if (const int error = netpoll_init(); error != 0)
    fatal("netpoll: epoll or eventfd failed, errno %d (descriptors? ulimit -n)", error);
  install_reports();
  watch_forks();
  watch_leaks();
  previous_terminate = std::set_terminate(on_terminate);
}

void wait_for_main() noexcept {
  while (main_goroutine.done.load(acquire) == 0) {
    // ThreadSanitizer hands a signal to its handler only inside a libc call that it knows, and this
    // thread is the one that the kernel gives the process's signals to.
    if constexpr (sanitizer::thread)
      os::sleep_ns(1'000'000);
    else
      os::futex_wait(main_goroutine.done, 0, -1);
  }
}

/// The main goroutine, or a panic that lets the caller try again.
goroutine* begin_main() {
  try {
    const go_options main_options{.name = {}, .stack = 0};
    return begin_born(main_options, 0);
  } catch (...) {
    sched.run_callers.store(0, release);
    throw;
  }
}

uint32_t wanted_procs(const options& how) {
  if (how.procs == 0) {
    const int set = process_settings().max_procs;
    return static_cast<uint32_t>(set > 0 ? set : os::default_procs());
  }
  if (how.procs < 1 || how.procs > static_cast<int>(procs_max)) {
    char text[96];
    std::snprintf(text, sizeof text, "weft::run: options.procs is %d: must be 1 to %u", how.procs,
                  procs_max);
    panic(text);
  }
  return static_cast<uint32_t>(how.procs);
}

[[noreturn]] void refuse_setting(std::string text) {
  text += '\n';
  os::write_all(2, text.data(), text.size());
  os::exit_process(2);
}

/// A bad address in the options is the caller's mistake; one in the environment ends the process,
/// as every bad setting does.
void refuse_door(const options& how, const std::string& why) {
  const bool asked = !how.debug_addr.empty();
  std::string text(asked ? "weft::run: options.debug_addr is \"" : "weft: WEFT_DEBUG_ADDR=\"");
  text.append(main_goroutine.debug_addr).append("\": ").append(why);
  if (asked) panic(text);
  refuse_setting(std::move(text));
}

/// Which door main_entry() is to open; or why none can be.
const char* prepare_door(const options& how) {
  const settings& set = process_settings();
  main_goroutine.debug_addr = how.debug_addr.empty() ? set.debug_addr : how.debug_addr;
  main_goroutine.debug_token = how.debug_token.empty() ? set.debug_token : how.debug_token;
  main_goroutine.refusal.clear();
  const bool off = main_goroutine.debug_addr == "off";
  main_goroutine.door = off ? nullptr : registered_door;
  if (off || registered_door != nullptr || main_goroutine.debug_addr.empty()) return nullptr;
  return "nothing in this program listens there; link weft::debughttp";
}

}  // namespace

void register_debug_door(const debug_door& door) noexcept { registered_door = &door; }
void register_run_hooks(const run_hooks& hooks) noexcept { registered_hooks = &hooks; }
void tell_run_hooks_of_death() noexcept {
  if (registered_hooks != nullptr) registered_hooks->dying();
}

void initialize_runtime(bool with_monitor) {
  kept_lock_scope hold(init_lock);
  if (!initialized) {
    static_errors_last();
    initialize_scheduler();
  }
  initialized = true;
  if (with_monitor && !monitor_started) {
    start_sysmon();
    monitor_started = true;
  }
}

void run_main(const options& how, void (*entry)(void*), void* argument) {
  refuse_forked_child();
  machine* mp = this_machine();
  if (mp != nullptr && !mp->is_guest)
    panic("weft::run: called from a goroutine; the runtime is already running");
  const uint32_t procs = wanted_procs(how);
  int32_t none = 0;
  if (!sched.run_callers.compare_exchange(none, 1, acq_rel, relaxed))
    panic("weft::run: already running on another thread");
  if (const char* why = prepare_door(how); why != nullptr) {
    sched.run_callers.store(0, release);
    refuse_door(how, why);
  }
  initialize_runtime(true);
  main_goroutine.entry = entry;
  main_goroutine.argument = argument;
  main_goroutine.done.store(0, relaxed);
  sched.main_done.store(0, relaxed);
  goroutine* gp = begin_main();
  gp->flags |= flag_main;
  finish_go(gp, main_entry, nullptr);
  {
    const section entered(leaf);
    start_the_world(procs);
    // Waits like a parked guest: it wakes nobody, so it does not hide a deadlock.
    sched.guests.fetch_add(one_guest_parked, seq_cst);
  }
  wait_for_main();
  race_acquire(&main_goroutine);
  {
    const section entered(leaf);
    sched.guests.fetch_sub(one_guest_parked, seq_cst);
    (void)stop_the_world();
  }
  if (!main_goroutine.bad_setting.empty()) refuse_setting(main_goroutine.bad_setting);
  const std::string refusal = std::move(main_goroutine.refusal);
  sched.run_callers.store(0, release);
  if (!refusal.empty()) refuse_door(how, refusal);
}

}  // namespace weft::rt
