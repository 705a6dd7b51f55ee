// SPDX-License-Identifier: Apache-2.0
// goroutine and threadcreate: one count for each that lives.
#include "weft/base/os/os.hpp"
#include "weft/observe/goroutine_list.hpp"
#include "weft/observe/internal/profiles.hpp"
#include "weft/sched/internal/scheduler.hpp"

namespace weft::rt {

namespace {

profile counting(const char* name) {
  profile p;
  p.name = name;
  p.types = {{name, "count"}};
  p.period_type = {name, "count"};
  p.period = 1;
  p.time_ns = os::realtime_ns();
  return p;
}

}  // namespace

profile goroutine_profile() {
  profile p = counting("goroutine");
  for (goroutine_group& group : goroutine_groups({.ids_max = 0})) {
    profile_stack stack;
    stack.pcs = std::move(group.pcs);
    if (stack.pcs.empty()) stack.pcs.push_back(pc_none);
    if (group.unborn) stack.pcs.insert(stack.pcs.begin(), pc_not_begun);
    // A parked goroutine's pc is where it goes on: behind a call, as return addresses are.
    stack.exact = group.unborn;
    stack.labels = std::move(group.labels);
    p.add(std::move(stack), {static_cast<int64_t>(group.count)});
  }
  return p;
}

profile threads_profile() {
  profile p = counting("threadcreate");
  int64_t threads = 1;  // the monitor
  for (const machine* mp = sched.all_machines.load(acquire); mp != nullptr; mp = mp->all_link)
    if (mp->tid != 0 && !mp->is_guest && !mp->sim) ++threads;
  profile_stack stack;
  stack.pcs = {pc_system};
  p.add(std::move(stack), {threads});
  return p;
}

}  // namespace weft::rt
