// SPDX-License-Identifier: Apache-2.0
// Profiles by name.
#include "weft/observe/prof.hpp"

#include <string>

#include "weft/heap/control.hpp"
#include "weft/observe/internal/contention.hpp"
#include "weft/observe/internal/profiles.hpp"
#include "weft/sched/dump.hpp"
#include "weft/sync/context.hpp"
#include "weft/sync/select.hpp"

namespace weft::prof {

const error no_such_profile("prof: no such profile");

namespace {

struct kind {
  std::string_view name;
  std::string_view description;
  rt::profile (*make)();
};

constexpr kind kinds[] = {
    {"allocs", "sampled allocations since the program began",
     [] { return rt::heap_profile_now("allocs"); }},
    {"block", "time blocked in synchronization, at who waited", rt::block_profile},
    {"goroutine", "stacks of all goroutines", rt::goroutine_profile},
    {"heap", "sampled allocations that are in use", [] { return rt::heap_profile_now("heap"); }},
    {"mutex", "time others waited for a lock, at who unlocked it", rt::mutex_profile},
    {"sched", "time from ready to running, at who made it ready", rt::sched_profile},
    {"threadcreate", "threads that the runtime has started", rt::threads_profile},
};

const kind* find(std::string_view name) noexcept {
  for (const kind& k : kinds)
    if (k.name == name) return &k;
  return nullptr;
}

error unknown(std::string_view name) {
  return error::wrap("\"" + std::string(name) + '"', no_such_profile);
}

}  // namespace

result<void> write(std::string_view name, sink to, form how) {
  const kind* k = find(name);
  if (k == nullptr) return fail(unknown(name));
  if (how == form::full && name == "goroutine") return to(goroutine_dump());
  return rt::write_profile(k->make(), to, how);
}

result<void> write_delta(std::string_view name, std::chrono::nanoseconds time, sink to) {
  return write_delta(background(), name, time, to);
}

result<void> write_delta(const context& ctx, std::string_view name, std::chrono::nanoseconds time,
                         sink to) {
  const kind* k = find(name);
  if (k == nullptr) return fail(unknown(name));
  const rt::profile before = k->make();
  bool ended = false;
  select(on_done(ctx, [&] { ended = true; }), weft::after(time, [] {}));
  if (ended) return fail(ctx.err());
  rt::profile after = k->make();
  after.subtract(before);
  after.duration_ns = after.time_ns - before.time_ns;
  return rt::write_profile(after, to, form::proto);
}

void list(void (*each)(void* to, const info& profile), void* to) {
  for (const kind& k : kinds) {
    const rt::profile now = k.make();
    each(to, {k.name, k.description, static_cast<int64_t>(now.samples.size())});
  }
}

size_t set_memory_rate(size_t bytes) noexcept { return set_memory_sample_rate(bytes); }

}  // namespace weft::prof
