// SPDX-License-Identifier: Apache-2.0
// Writing a generation: the events are there already; tables are added.
//
// One writer for two occasions: on a goroutine, into a string, and in a process that dies, to a
// descriptor. So nothing in it allocates or locks; what has to be looked up was looked up before,
// or is looked up as reports do it.
#include "weft/observe/internal/trace_file.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

#include "weft/base/os/os.hpp"
#include "weft/base/symbolize.hpp"
#include "weft/observe/internal/trace_frames.hpp"
#include "weft/observe/internal/trace_strings.hpp"

namespace weft::rt {

namespace {

constexpr uint64_t no_thread = ~uint64_t{0};
constexpr size_t batch_bytes_max = 65536;
// A frame is four numbers, a text its number, its length and itself.
constexpr size_t number_bytes_max = 10;
constexpr size_t entry_bytes_max =
    std::max(number_bytes_max * (2 + 4 * trace_frames_max), 2 * number_bytes_max + trace_text_max) +
    1;
// Mostly enough for stacks and texts of a generation.
constexpr size_t tables_bytes = size_t{128} << 10;
// Of which a dying process looks names up: a second at most, in a report that has taken its time.
constexpr size_t dying_stacks_max = 500;

// First bytes of batches and of what is in tables.
enum : uint8_t {
  event_batch = 1,
  stacks = 2,
  one_stack = 3,
  strings = 4,
  one_string = 5,
  frequency = 8,
  sync = 50,
  clock_snapshot = 51,
  end_of_generation = 52,
};

/// Where the bytes go.
struct byte_sink {
  void (*write)(void* to, std::string_view bytes);
  void* to;
  void operator()(std::string_view bytes) const { write(to, bytes); }
};

/// A piece of a table, or of a batch's beginning.
class entry {
 public:
  explicit entry(uint8_t kind) noexcept { bytes_[used_++] = static_cast<char>(kind); }
  entry& put(uint64_t value) noexcept {
    for (; value >= 0x80; value >>= 7) bytes_[used_++] = static_cast<char>(value | 0x80);
    bytes_[used_++] = static_cast<char>(value);
    return *this;
  }
  entry& put(std::string_view text) noexcept {
    std::memcpy(bytes_ + used_, text.data(), text.size());
    used_ += text.size();
    return *this;
  }
  [[nodiscard]] std::string_view bytes() const noexcept { return {bytes_, used_}; }

 private:
  size_t used_ = 0;
  char bytes_[entry_bytes_max];
};

void put_batch(const byte_sink& out, uint32_t generation, uint64_t thread, uint64_t base,
               std::string_view bytes) {
  out(entry(event_batch).put(generation).put(thread).put(base).put(bytes.size()).bytes());
  out(bytes);
}

/// A table whose entries go into as many batches as they need.
class table {
 public:
  void begin(const byte_sink& out, uint32_t generation, uint8_t kind) noexcept {
    out_ = &out;
    generation_ = generation;
    bytes_[0] = static_cast<char>(kind);
    used_ = 1;
  }
  void add(std::string_view piece) {
    if (used_ + piece.size() > batch_bytes_max) flush();
    std::memcpy(bytes_ + used_, piece.data(), piece.size());
    used_ += piece.size();
  }
  void add_text(uint64_t number, std::string_view text) {
    text = text.substr(0, trace_text_max);
    add(entry(one_string).put(number).put(text.size()).put(text).bytes());
  }
  void flush() {
    if (used_ > 1) put_batch(*out_, generation_, no_thread, 1, {bytes_, used_});
    used_ = 1;
  }

 private:
  const byte_sink* out_ = nullptr;
  uint32_t generation_ = 0;
  size_t used_ = 0;
  char bytes_[batch_bytes_max];
};

}  // namespace

struct trace_workspace {
  table stack_table;
  table text_table;
};

namespace {

/// What nobody has looked up, as it can be had in a dying process.
class dying_stack {
 public:
  explicit dying_stack(table& texts) noexcept : texts_(texts) {}
  void look_up(const recorded_stack& stack, table& to) noexcept {
    frames_ = entry(one_stack);
    count_ = 0;
    for (uint32_t n = 0; n < stack.depth; ++n) {
      at_ = stack.pcs()[n] - 1;
      inlined_ = 0;
      symbolize(
          at_,
          [](void* self, const source_frame& f) noexcept {
            static_cast<dying_stack*>(self)->add(f);
          },
          this);
    }
    entry whole(one_stack);
    whole.put(number_of(&stack)).put(count_).put(frames_.bytes().substr(1));
    to.add(whole.bytes());
  }

 private:
  void add(const source_frame& f) noexcept {
    if (count_ == trace_frames_max) return;
    ++count_;
    // A reader keeps one frame for each pc: inlined calls get some of their own.
    frames_.put(at_ | (uint64_t{64} - inlined_++ % 64) << 56).put(text(f.function));
    frames_.put(text(f.file)).put(static_cast<uint64_t>(f.line));
  }
  uint64_t text(std::string_view is) noexcept {
    if (is.empty()) return 0;
    texts_.add_text(next_, is);
    return next_++;
  }
  table& texts_;
  entry frames_{one_stack};
  uint64_t count_ = 0;
  uint64_t next_ = trace_first_dying_text;
  uintptr_t at_ = 0;
  uint64_t inlined_ = 0;
};

void write_stacks(const byte_sink& out, uint32_t generation, trace_workspace& room) {
  table& all = room.stack_table;
  all.begin(out, generation, stacks);
  dying_stack unknown(room.text_table);
  size_t looked_up = 0;
  for (const recorded_stack* s = recorded_stacks(); s != nullptr; s = s->all_next) {
    if (s->traced[generation & 1].load(relaxed) != generation) continue;
    if (const encoded_stack* known = encoded_stack_of(*s); known != nullptr) {
      use_frame_texts(*known, generation);
      all.add(entry(one_stack).put(number_of(s)).put(known->bytes()).bytes());
    } else if (looked_up++ < dying_stacks_max) {
      unknown.look_up(*s, all);
    } else {
      all.add(entry(one_stack).put(number_of(s)).put(0).bytes());
    }
  }
  all.flush();
}

/// Behind what write_stacks() has put there.
void write_texts(uint32_t generation, table& all) {
  for (uint64_t why = 0; why <= static_cast<uint64_t>(wait_reason::count_); ++why)
    all.add_text(trace_reason + why, trace_reason_text(static_cast<wait_reason>(why)));
  all.add_text(trace_stopped_by_yield, "runtime.Gosched");
  all.add_text(trace_stopped_by_preemption, "preempted");
  const trace_text_use add = [](void* to, uint64_t number, std::string_view text) {
    static_cast<table*>(to)->add_text(number, text);
  };
  each_trace_text(generation, add, &all);
  each_frame_text(generation, add, &all);
  all.flush();
}

void write_clock(const byte_sink& out, const trace_generation& of) {
  entry all(sync);
  all.put(frequency).put(of.frequency).put(clock_snapshot).put(0);
  all.put(static_cast<uint64_t>(of.mono_ns));
  all.put(static_cast<uint64_t>(of.wall_ns / 1'000'000'000));
  all.put(static_cast<uint64_t>(of.wall_ns % 1'000'000'000));
  put_batch(out, of.number, no_thread, of.time, all.bytes());
}

void write_generation(const trace_generation& of, trace_workspace& room, const byte_sink& out) {
  for (const trace_buffer* batch = of.batches; batch != nullptr; batch = batch->next)
    put_batch(out, of.number, batch->thread, batch->base,
              {reinterpret_cast<const char*>(batch->bytes), batch->used});
  write_clock(out, of);
  room.text_table.begin(out, of.number, strings);
  write_stacks(out, of.number, room);
  write_texts(of.number, room.text_table);
  out(entry(end_of_generation).bytes());
}

}  // namespace

std::string trace_generation_bytes(const trace_generation& of) {
  encode_trace_stacks(of.number);
  static auto* const room = new trace_workspace;
  // Grown by doubling it would be in memory twice, besides the batches.
  size_t events = 0;
  for (const trace_buffer* batch = of.batches; batch != nullptr; batch = batch->next)
    events += batch->used + 5 * number_bytes_max;
  std::string bytes;
  bytes.reserve(events + tables_bytes);
  const auto append = [](void* to, std::string_view piece) {
    static_cast<std::string*>(to)->append(piece);
  };
  write_generation(of, *room, {append, &bytes});
  return bytes;
}

trace_workspace* make_trace_workspace() noexcept { return new (std::nothrow) trace_workspace; }

void write_dying_generation(const trace_generation& of, trace_workspace& room, int fd) noexcept {
  const auto write = [](void* to, std::string_view piece) {
    os::write_all(*static_cast<int*>(to), piece.data(), piece.size());
  };
  write_generation(of, room, {write, &fd});
}

}  // namespace weft::rt
