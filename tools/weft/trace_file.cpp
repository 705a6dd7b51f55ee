// SPDX-License-Identifier: Apache-2.0
// Batches, tables and events of a trace. Tables may stand behind the events that use them, so the
// batches of a generation are found first.
#include "trace_file.hpp"

#include <algorithm>
#include <cmath>

namespace weft_command {

namespace {

constexpr std::string_view header("go 1.26 trace\0\0\0", 16);

// What a batch begins with, and what is in tables.
constexpr uint64_t event_batch = 1;
constexpr uint64_t stacks_section = 2;
constexpr uint64_t stack_entry = 3;
constexpr uint64_t strings_section = 4;
constexpr uint64_t string_entry = 5;
constexpr uint64_t samples_section = 6;
constexpr uint64_t sample_entry = 7;
constexpr uint64_t frequency_entry = 8;
constexpr uint64_t experimental_batch = 49;
constexpr uint64_t sync_section = 50;
constexpr uint64_t clock_entry = 51;
constexpr uint64_t end_of_generation = 52;

// Arguments behind the time of each event, by number; -1: there is no such event.
constexpr int8_t arguments_of[] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, 2, 2, 0, 3, 2, 3, 1, 2,
                                   0,  0,  2,  2,  3,  2,  0,  0,  3,  2, 0, 1, 2, 1, 1, 1, 2,
                                   1,  1,  0,  1,  1,  1,  4,  2,  3,  3, 4, 2, 2, 3, 4};

constexpr size_t frames_max = 1024;
constexpr size_t batch_bytes_max = size_t{1} << 20;  // Go's are 64 KiB

}  // namespace

std::string_view trace_generation::string(uint64_t id) const {
  const auto found = strings.find(id);
  return found == strings.end() ? std::string_view() : found->second;
}

const std::vector<trace_frame>& trace_generation::stack(uint64_t id) const {
  static const std::vector<trace_frame> none;
  const auto found = stacks.find(id);
  return found == stacks.end() ? none : found->second;
}

weft::result<trace_reader> trace_reader::open(std::string_view file) {
  if (file.starts_with(header)) return trace_reader(file);
  if (file.starts_with("go 1.") && file.substr(0, 16).contains(" trace"))
    return weft::fail(weft::error("a trace of version " + std::string(file.substr(3, 4)) +
                                  "; only those of 1.26 are read, which Weft and Go 1.26 write"));
  return weft::fail(weft::error("not an execution trace"));
}

bool trace_reader::fail(const std::string& what) {
  if (why_.empty()) why_ = "not a whole trace: at byte " + std::to_string(at_) + ": " + what;
  return false;
}

bool trace_reader::varint(size_t end, uint64_t& out) {
  out = 0;
  for (unsigned i = 0; i < 10; ++i) {
    if (at_ >= end) return fail("a number is cut off");
    const auto byte = static_cast<unsigned char>(file_[at_++]);
    if (i == 9 && byte > 1) return fail("a number has more than 64 bits");
    out |= static_cast<uint64_t>(byte & 0x7fU) << (7 * i);
    if ((byte & 0x80U) == 0) return true;
  }
  return fail("a number has more than 64 bits");
}

int64_t trace_reader::ns_of(uint64_t ticks) const {
  const double ns = std::floor(static_cast<double>(ticks) * ns_per_tick_);
  return ns < 9e18 ? static_cast<int64_t>(ns) : int64_t{9'000'000'000'000'000'000};
}

bool trace_reader::read_batch(uint64_t& generation, std::vector<batch>& out) {
  const auto kind = static_cast<unsigned char>(file_[at_++]);
  if (kind == experimental_batch)
    ++at_;  // which experiment
  else if (kind != event_batch)
    return fail("a batch of kind " + std::to_string(kind));
  batch b;
  uint64_t number = 0;
  uint64_t bytes = 0;
  if (!varint(file_.size(), number) || !varint(file_.size(), b.thread) ||
      !varint(file_.size(), b.ticks) || !varint(file_.size(), bytes))
    return false;
  if (number == 0) return fail("a generation of number 0");
  if (generation != 0 && generation != number) return fail("two generations at once");
  generation = number;
  if (bytes > batch_bytes_max || bytes > file_.size() - at_)
    return fail("a batch is longer than what is left");
  b.begin = at_;
  b.end = at_ += bytes;
  if (kind == event_batch && bytes != 0) out.push_back(b);
  return true;
}

bool trace_reader::read_batches(std::vector<batch>& out) {
  uint64_t generation = 0;
  while (true) {
    if (at_ >= file_.size()) return fail("it ends within a generation");
    if (static_cast<unsigned char>(file_[at_]) == end_of_generation) break;
    if (!read_batch(generation, out)) return false;
  }
  ++at_;
  return true;
}

bool trace_reader::read_strings(const batch& b, trace_generation& out) {
  while (at_ < b.end) {
    uint64_t kind = 0;
    uint64_t id = 0;
    uint64_t bytes = 0;
    if (!varint(b.end, kind) || !varint(b.end, id) || !varint(b.end, bytes)) return false;
    if (kind != string_entry) return fail("something else among strings");
    if (bytes > b.end - at_) return fail("a string is longer than its batch");
    out.strings[id] = file_.substr(at_, bytes);
    at_ += bytes;
  }
  return true;
}

bool trace_reader::read_stacks(const batch& b, trace_generation& out) {
  while (at_ < b.end) {
    uint64_t kind = 0;
    uint64_t id = 0;
    uint64_t count = 0;
    if (!varint(b.end, kind) || !varint(b.end, id) || !varint(b.end, count)) return false;
    if (kind != stack_entry) return fail("something else among stacks");
    if (count > frames_max) return fail("a stack of " + std::to_string(count) + " frames");
    std::vector<trace_frame> frames;
    for (uint64_t i = 0; i < count; ++i) {
      uint64_t pc = 0;
      uint64_t function = 0;
      uint64_t file = 0;
      trace_frame& f = frames.emplace_back();
      if (!varint(b.end, pc) || !varint(b.end, function) || !varint(b.end, file) ||
          !varint(b.end, f.line))
        return false;
      f.function = out.string(function);
      f.file = out.string(file);
    }
    out.stacks[id] = std::move(frames);
  }
  return true;
}

bool trace_reader::read_samples(const batch& b, trace_generation& out) {
  while (at_ < b.end) {
    uint64_t kind = 0;
    uint64_t ticks = 0;
    uint64_t processor = 0;
    cpu_sample& s = out.samples.emplace_back();
    if (!varint(b.end, kind) || !varint(b.end, ticks) || !varint(b.end, s.thread) ||
        !varint(b.end, processor) || !varint(b.end, s.goroutine) || !varint(b.end, s.stack))
      return false;
    if (kind != sample_entry) return fail("something else among CPU samples");
    s.ns = ns_of(ticks);
  }
  return true;
}

bool trace_reader::read_sync(const batch& b) {
  while (at_ < b.end) {
    uint64_t kind = 0;
    uint64_t value = 0;
    if (!varint(b.end, kind) || !varint(b.end, value)) return false;
    if (kind == frequency_entry) {
      if (value == 0) return fail("a clock of frequency 0");
      ns_per_tick_ = 1e9 / static_cast<double>(value);
      synced_ = true;
    } else if (kind == clock_entry) {
      for (int i = 0; i < 3; ++i)
        if (!varint(b.end, value)) return false;
    } else {
      return fail("something else in a sync batch");
    }
  }
  return true;
}

bool trace_reader::read_events(const batch& b, trace_generation& out) {
  uint64_t ticks = b.ticks;
  while (at_ < b.end) {
    const auto kind = static_cast<unsigned char>(file_[at_++]);
    if (kind >= std::size(arguments_of) || arguments_of[kind] < 0)
      return fail("an event of kind " + std::to_string(kind));
    uint64_t later = 0;
    if (!varint(b.end, later)) return false;
    ticks += later;
    traced& made = out.events.emplace_back();
    made.order = static_cast<uint32_t>(out.events.size());
    made.ns = ns_of(ticks);
    made.thread = b.thread;
    made.what = static_cast<trace_event>(kind);
    for (int8_t i = 0; i < arguments_of[kind]; ++i)
      if (!varint(b.end, made.arguments[static_cast<size_t>(i)])) return false;
  }
  return true;
}

bool trace_reader::read_table(const batch& b, trace_generation& out) {
  at_ = b.begin + 1;
  switch (static_cast<unsigned char>(file_[b.begin])) {
    case strings_section:
      return read_strings(b, out);
    case stacks_section:
      return read_stacks(b, out);
    case samples_section:
      return read_samples(b, out);
    case sync_section:
      return read_sync(b);
    default:
      at_ = b.begin;
      return read_events(b, out);
  }
}

weft::result<bool> trace_reader::next(trace_generation& out) {
  out = {};
  if (at_ >= file_.size()) return false;
  std::vector<batch> batches;
  synced_ = false;
  const auto bad = [this] { return weft::fail(weft::error(why_)); };
  if (!read_batches(batches)) return bad();
  const size_t end = at_;
  // Each kind before those that need it: the clock and strings, stacks, then what has times.
  const auto rank = [this](const batch& b) {
    const auto kind = static_cast<unsigned char>(file_[b.begin]);
    return kind == sync_section || kind == strings_section ? 0 : kind == stacks_section ? 1 : 2;
  };
  for (int kind = 0; kind < 3 && (kind < 2 || synced_); ++kind)
    for (const batch& b : batches)
      if (rank(b) == kind && !read_table(b, out)) return bad();
  at_ = end;
  if (!synced_) {
    (void)fail("a generation without a clock");
    return bad();
  }
  // Those of one thread and time stay in their order.
  std::ranges::sort(out.events, [](const traced& a, const traced& b) {
    return a.ns != b.ns ? a.ns < b.ns : a.order < b.order;
  });
  std::ranges::sort(out.samples, {}, &cpu_sample::ns);
  if (!out.events.empty()) {
    out.begin_ns = out.events.front().ns;
    out.end_ns = out.events.back().ns;
  }
  return true;
}

}  // namespace weft_command
