// SPDX-License-Identifier: Apache-2.0
// Stacks of exceptions on their way. The notes are a small table under a lock: whoever catches may
// be on another thread by then, since destructors run in between and may park.
#include "weft/sched/throw_trace.hpp"

#include <algorithm>
#include <cstring>

#include "weft/base/futex_mutex.hpp"
#include "weft/base/symbolize.hpp"
#include "weft/base/unwind.hpp"
#include "weft/sched/internal/scheduler.hpp"

namespace weft::rt {

namespace {

constexpr size_t frames_max = 48;
constexpr size_t notes_max = 32;

struct note {
  const void* object = nullptr;
  size_t depth = 0;
  uintptr_t pcs[frames_max] = {};
};

futex_mutex notes_lock{lock_rank::leaf};
note notes[notes_max] WEFT_GUARDED_BY(notes_lock);
size_t notes_next WEFT_GUARDED_BY(notes_lock) = 0;

/// Called in the first phase, below __cxa_throw.
void take_note(const void* object) noexcept {
  note made;
  made.object = object;
  const unwind_frame here = unwind_frame_here();
  uintptr_t hi = 0;
  {
    const section s;
    if (const goroutine* gp = current(); gp != nullptr && gp->top != nullptr)
      hi = gp->top->stack_hi;
  }
  if (hi == 0) return;  // no goroutine
  made.depth = unwind(here, {here.sp(), hi}, made.pcs, frames_max);
  const section s;
  const lock_scope hold(notes_lock);
  notes[notes_next] = made;
  notes_next = (notes_next + 1) % notes_max;
}

[[maybe_unused]] const bool hooked = [] {
  set_throw_note(take_note);
  return true;
}();

struct text_of_stack {
  std::string text;
  size_t throw_ends = 0;  // behind the frames of the C++ runtime that throws
};

void add_frame(void* data, const source_frame& frame) noexcept {
  auto& out = *static_cast<text_of_stack*>(data);
  const std::string_view name = frame.linkage_name;
  const bool throws = name.ends_with("__cxa_throw") || name.ends_with("__cxa_rethrow") ||
                      name.find("rethrow_exception") != std::string_view::npos;
  if (!throws && frame.function.starts_with("weft::rt::")) return;
  out.text.append(frame.function.empty() ? std::string_view("?") : frame.function).append("\n\t");
  if (!frame.file.empty()) {
    out.text.append(frame.file).append(":").append(std::to_string(frame.line)).append("\n");
  } else {
    out.text.append(frame.module).append("\n");
  }
  if (throws) out.throw_ends = out.text.size();
}

}  // namespace

std::string thrown_at(const std::exception_ptr& what) {
  const void* object = nullptr;
  static_assert(sizeof what == sizeof object);
  std::memcpy(&object, &what, sizeof object);
  note found;
  {
    const section s;
    const lock_scope hold(notes_lock);
    for (size_t i = 0; i < notes_max; ++i) {
      // The latest first: an object may lie where another one was.
      const note& at = notes[(notes_next + notes_max - 1 - i) % notes_max];
      if (at.object != object || object == nullptr) continue;
      found = at;
      break;
    }
  }
  text_of_stack out;
  for (size_t i = 0; i < found.depth; ++i)
    symbolize(i == 0 ? found.pcs[i] : found.pcs[i] - 1, add_frame, &out);
  return out.text.substr(out.throw_ends);
}

}  // namespace weft::rt
