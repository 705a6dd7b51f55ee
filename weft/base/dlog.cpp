// SPDX-License-Identifier: Apache-2.0
// The debug log's ring: one sequence number per slot tells readers whether it is whole.
//
// A writer that is held up for as long as 1024 later events take may write into a slot that another
// one is writing: that slot may then show one event's numbers with another one's text. A lock
// would prevent it and would make the log useless where it is needed most.
#include "weft/base/dlog.hpp"

#include "weft/base/os/os.hpp"
#include "weft/base/report_writer.hpp"

namespace weft::rt {

atomic<bool> dlog_enabled{false};

namespace {

struct event {
  atomic<uint64_t> sequence;  // 0 while being written, else the event's number
  atomic<const char*> text;
  atomic<int64_t> time_ns;
  atomic<int64_t> thread;
  atomic<int64_t> values[3];
};

constexpr uint64_t ring_len = 1024;  // about 64 KiB, never touched while off
event ring[ring_len];
atomic<uint64_t> last_sequence{0};

}  // namespace

void dlog_slow(const char* text, int64_t a, int64_t b, int64_t c) noexcept {
  uint64_t sequence = last_sequence.fetch_add(1, relaxed) + 1;
  event& slot = ring[sequence % ring_len];
  slot.sequence.store(0, relaxed);
  fence(release);  // partner: the acquire fence in dlog_print()
  slot.text.store(text, relaxed);
  slot.time_ns.store(os::monotonic_ns(), relaxed);
  slot.thread.store(os::thread_id(), relaxed);
  slot.values[0].store(a, relaxed);
  slot.values[1].store(b, relaxed);
  slot.values[2].store(c, relaxed);
  slot.sequence.store(sequence, release);  // partner: the acquire load in dlog_print()
}

void dlog_print(int fd) noexcept {
  report_writer out(fd);
  uint64_t last = last_sequence.load(relaxed);
  uint64_t first = last < ring_len ? 1 : last - ring_len + 1;
  for (uint64_t sequence = first; sequence <= last; ++sequence) {
    event& slot = ring[sequence % ring_len];
    if (slot.sequence.load(acquire) != sequence) continue;
    const char* text = slot.text.load(relaxed);
    int64_t time_ns = slot.time_ns.load(relaxed);
    int64_t thread = slot.thread.load(relaxed);
    int64_t values[3] = {slot.values[0].load(relaxed), slot.values[1].load(relaxed),
                         slot.values[2].load(relaxed)};
    fence(acquire);
    if (slot.sequence.load(relaxed) != sequence) continue;  // overwritten meanwhile
    out.put("dlog: ").put_decimal(time_ns / 1'000'000'000).put('.');
    for (int64_t digit = 100'000'000; digit > 0; digit /= 10)
      out.put(static_cast<char>('0' + time_ns / digit % 10));
    out.put(' ').put_decimal(thread).put(' ').put_format(text, values).put('\n');
  }
}

}  // namespace weft::rt
