// SPDX-License-Identifier: Apache-2.0
// heap and allocs: the heap's sampled allocations (heap/stats.hpp), which are unbiased already.
#include "weft/base/os/os.hpp"
#include "weft/heap/control.hpp"
#include "weft/heap/stats.hpp"
#include "weft/observe/internal/profiles.hpp"

namespace weft::rt {

profile heap_profile_now(const char* name) {
  profile p;
  p.name = name;
  p.types = {{"alloc_objects", "count"},
             {"alloc_space", "bytes"},
             {"inuse_objects", "count"},
             {"inuse_space", "bytes"}};
  p.period_type = {"space", "bytes"};
  p.period = static_cast<int64_t>(memory_sample_rate());
  if (p.name == "allocs") p.default_type = "alloc_space";
  p.time_ns = os::realtime_ns();
  p.text = text_kind::heap;
  // Readers of the text scale what they read by the rate. It need not be: 1 means every object.
  p.sampling_period = 1;
  p.hide_inner_runtime = true;
  heap_profile([&p](const heap_profile_record& record) {
    profile_stack stack;
    stack.pcs.assign(record.stack, record.stack + record.depth);
    if (stack.pcs.empty()) stack.pcs.push_back(pc_none);
    p.add(std::move(stack),
          {record.total_objects, record.total_bytes, record.live_objects, record.live_bytes});
  });
  return p;
}

}  // namespace weft::rt
