// SPDX-License-Identifier: Apache-2.0
// Looking at a goroutine that may wake up meanwhile.
#include "weft/observe/internal/look.hpp"

#include "weft/observe/internal/ask_thread.hpp"
#include "weft/sched/internal/label_set.hpp"
#include "weft/sched/internal/scheduler.hpp"

namespace weft::rt {

namespace {

constexpr size_t looked_frames_max = 128;  // as Go's profstackdepth

const machine* machine_that_runs(const goroutine* gp) noexcept {
  for (const machine* mp = sched.all_machines.load(acquire); mp != nullptr; mp = mp->all_link)
    if (mp->cur.load(relaxed) == gp) return mp;
  return nullptr;
}

}  // namespace

std::string_view state_name(g_status status) noexcept {
  if (status == g_status::running) return "running";
  return status == g_status::runnable ? "runnable" : "waiting";
}

bool look_at(const goroutine* gp, bool system, seen_goroutine& out) {
  out.g = take_snapshot(gp);
  const goroutine_snapshot& g = out.g;
  if (g.id == 0 || g.status == g_status::dead || g.status == g_status::idle) return false;
  if (g.status == g_status::guest || (g.flags & (flag_guest | flag_sim)) != 0) return false;
  if (!system && (g.flags & flag_system) != 0) return false;
  out.pcs.clear();
  out.labels = nullptr;
  // Its top may be another's by now; the stack's memory stays, and readers keep the sets.
  if ((g.flags & flag_labels) != 0 && g.stack.lo != 0)
    if (const goroutine_top* top = gp->top; top != nullptr) out.labels = top->labels;
  if (g.status == g_status::running) {
    if (const machine* mp = machine_that_runs(gp); mp != nullptr) ask_thread(*mp, g.stack, out.pcs);
    return true;
  }
  unwind_frame start;
  const parked_place where = find_parked(g, start);
  if (where == parked_place::not_begun) out.pcs.push_back(g.entry);
  if (where != parked_place::frame) return true;
  out.pcs.resize(looked_frames_max);
  out.pcs.resize(unwind_quick(start, g.stack, out.pcs.data(), looked_frames_max));
  return true;
}

}  // namespace weft::rt
