// SPDX-License-Identifier: Apache-2.0
// The text of a failed run. Names of code are looked up only here, after the run.
#include "weft/sched/internal/sim_trace.hpp"

#include <algorithm>
#include <initializer_list>
#include <string_view>

#include "weft/base/symbolize.hpp"
#include "weft/sched/internal/scheduler.hpp"

namespace weft::rt {

namespace {

/// Looks for the user's innermost frame, and for the call of Weft's that it made.
struct place_search {
  std::string call;
  std::string user;
  bool found = false;
};

bool begins_with(std::string_view text, std::initializer_list<std::string_view> heads) noexcept {
  return std::any_of(heads.begin(), heads.end(),
                     [text](std::string_view head) { return text.starts_with(head); });
}

/// Of Weft or of the C++ library; tests beside Weft's code are users of it.
bool is_library_file(std::string_view file) noexcept {
  if (file.ends_with("_test.cpp")) return false;
  for (std::string_view part : {"/weft/base/", "/weft/sched/", "/weft/sync/", "/weft/net/",
                                "/bits/", "/functional", "/c++/"})
    if (file.find(part) != std::string_view::npos) return true;
  return false;
}

void on_frame(void* data, const source_frame& frame) noexcept {
  auto& search = *static_cast<place_search*>(data);
  const std::string_view function = frame.function;
  if (search.found || function.empty()) return;
  if (begins_with(function, {"weft::rt::", "weft_goroutine_", "std::"})) return;
  if (is_library_file(frame.file)) {
    if (function.starts_with("weft::")) search.call = function;
    return;
  }
  search.found = true;
  const size_t slash = frame.file.rfind('/');
  if (!frame.file.empty())
    search.user +=
        " at " + std::string(frame.file.substr(slash + 1)) + ":" + std::to_string(frame.line);
  search.user += " in " + std::string(function);
}

std::string duration_text(uint64_t ns) {
  if (ns % 1'000'000'000 == 0) return std::to_string(ns / 1'000'000'000) + " s";
  if (ns % 1'000'000 == 0) return std::to_string(ns / 1'000'000) + " ms";
  if (ns % 1'000 == 0) return std::to_string(ns / 1'000) + " us";
  return std::to_string(ns) + " ns";
}

}  // namespace

sim_place sim_place_of(const goroutine* gp) noexcept {
  sim_place place;
  stack_trace trace;
  if (!collect_parked(take_snapshot(gp), trace)) return place;
  place.count = std::min(trace.count, std::min(sim_place::pcs_max, stack_trace::half));
  for (size_t i = 0; i < place.count; ++i)
    place.pcs[i] = trace.inner[i].exact ? trace.inner[i].pc + 1 : trace.inner[i].pc;
  return place;
}

std::string sim_place_text(const sim_place& place) {
  place_search search;
  for (size_t i = 0; i < place.count && !search.found; ++i)
    symbolize(place.pcs[i] - 1, on_frame, &search);
  std::string text = search.call;
  if (search.found) text += text.empty() ? search.user.substr(1) : search.user;
  return text;
}

void sim_trace::note_switch(uint64_t step, const goroutine* left, const goroutine* next) noexcept {
  event& e = fresh();
  e = {step, left == nullptr ? 0 : left->id, next->id, why::begins, wait_reason::none};
  if (places_) place() = sim_place{};
  if (left == nullptr) return;
  e.reason = left->reason;
  const g_status status = left->get_status();
  e.what = status == g_status::dead            ? why::ended
           : left->reason == wait_reason::none ? why::yielded
                                               : why::blocked;
  if (places_ && status != g_status::dead) place() = sim_place_of(left);
}

__attribute__((noinline)) void sim_trace::note_preemption(uint64_t step, const goroutine* left,
                                                          const goroutine* next) noexcept {
  fresh() = {step, left->id, next->id, why::preempted, wait_reason::none};
  if (!places_) return;
  sim_place& here = place();
  here = sim_place{};
  here.count = unwind(unwind_frame_here(), {left->top->stack_lo, left->top->stack_hi}, here.pcs,
                      sim_place::pcs_max);
}

void sim_trace::note_time(uint64_t step, int64_t jump_ns) noexcept {
  fresh() = {step, 0, static_cast<uint64_t>(jump_ns), why::time, wait_reason::none};
  if (places_) place() = sim_place{};
}

std::string sim_trace::text(std::string (*name_of)(uint64_t id)) const {
  const auto goroutine_text = [name_of](uint64_t id) {
    const std::string name = name_of(id);
    return "goroutine " + std::to_string(id) + (name.empty() ? "" : " (" + name + ")");
  };
  std::string out;
  const uint64_t first = count_ > ring_len ? count_ - ring_len : 0;
  for (uint64_t i = first; i < count_; ++i) {
    const event& e = ring_[i % ring_len];
    out += "\n  step " + std::to_string(e.step) + ": ";
    if (e.what == why::time) {
      out += "all wait; " + duration_text(e.next) + " pass";
      continue;
    }
    const std::string left = goroutine_text(e.left);
    switch (e.what) {
      case why::blocked:
        out += left + " waits [" + wait_reason_text(e.reason) + "]; ";
        break;
      case why::preempted:
        out += left + " is preempted; ";
        break;
      case why::yielded:
        out += left + " yields; ";
        break;
      case why::ended:
        out += left + " has ended; ";
        break;
      default:
        break;
    }
    out += goroutine_text(e.next) + " goes on";
    if (!places_) continue;
    if (const std::string where = sim_place_text(places_of_[i % ring_len]); !where.empty())
      out += "\n      goroutine " + std::to_string(e.left) + " is in " + where;
  }
  return out;
}

}  // namespace weft::rt
