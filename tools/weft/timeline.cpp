// SPDX-License-Identifier: Apache-2.0
// The two forms of timelines.
#include "timeline.hpp"

#include <array>
#include <cstdio>
#include <unordered_map>
#include <vector>

#include "weft/json/json.hpp"

namespace weft_command {

namespace {

std::string json_text(std::string_view text) {
  return weft::json::encode(std::string(text), {.replace_invalid_utf8 = true}).value_or("\"\"");
}

/// https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU: groups are
/// processes, tracks are threads, times are microseconds.
class chrome : public timeline {
 public:
  uint64_t add_group(std::string_view name) override {
    const uint64_t made = ++last_;
    meta("process_name", made, 0, name);
    return made;
  }
  uint64_t add_track(uint64_t group, std::string_view name) override {
    const uint64_t made = ++last_;
    groups_[made] = group;
    meta("thread_name", group, made, name);
    return made;
  }
  void rename(uint64_t group, uint64_t track, std::string_view name) override {
    meta("thread_name", group, track, name);
  }
  uint64_t add_counter(uint64_t group, std::string_view name, bool) override {
    const uint64_t made = ++last_;
    groups_[made] = group;
    counters_[made] = name;
    return made;
  }
  void begin(uint64_t track, int64_t ns, std::string_view name, std::string_view note,
             uint64_t arrow) override {
    event("B", track, ns, name);
    if (!note.empty()) out_ += ",\"args\":{\"note\":" + json_text(note) + "}";
    out_ += "}";
    if (arrow == 0) return;
    event("f", track, ns, "wake");
    out_ += ",\"cat\":\"wake\",\"bp\":\"e\",\"id\":" + std::to_string(arrow) + "}";
  }
  void end(uint64_t track, int64_t ns) override {
    event("E", track, ns, {});
    out_ += "}";
  }
  void point(uint64_t track, int64_t ns, std::string_view name, std::string_view note,
             uint64_t arrow) override {
    event("i", track, ns, name);
    out_ += ",\"s\":\"t\"";
    if (!note.empty()) out_ += ",\"args\":{\"note\":" + json_text(note) + "}";
    out_ += "}";
    if (arrow == 0) return;
    event("s", track, ns, "wake");
    out_ += ",\"cat\":\"wake\",\"id\":" + std::to_string(arrow) + "}";
  }
  void count(uint64_t counter, int64_t ns, int64_t value) override {
    event("C", counter, ns, counters_[counter]);
    out_ += ",\"args\":{\"value\":" + std::to_string(value) + "}}";
  }
  std::string finish() override {
    return "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[" + std::move(out_) + "\n]}\n";
  }

 private:
  void separate() { out_ += out_.empty() ? "\n" : ",\n"; }
  void meta(const char* what, uint64_t process, uint64_t thread, std::string_view name) {
    separate();
    out_ += std::string("{\"ph\":\"M\",\"name\":\"") + what +
            "\",\"pid\":" + std::to_string(process) + ",\"tid\":" + std::to_string(thread) +
            ",\"args\":{\"name\":" + json_text(name) + "}}";
  }
  void event(const char* phase, uint64_t track, int64_t ns, std::string_view name) {
    separate();
    std::array<char, 32> time{};
    std::snprintf(time.data(), time.size(), "%lld.%03lld", static_cast<long long>(ns / 1000),
                  static_cast<long long>(ns % 1000));
    out_ += std::string("{\"ph\":\"") + phase + "\",\"pid\":" + std::to_string(groups_[track]) +
            ",\"tid\":" + std::to_string(track) + ",\"ts\":" + time.data();
    if (!name.empty()) out_ += ",\"name\":" + json_text(name);
  }

  std::string out_;
  uint64_t last_ = 0;
  std::unordered_map<uint64_t, uint64_t> groups_;
  std::unordered_map<uint64_t, std::string> counters_;
};

/// Writes protobuf's wire format.
class proto_writer {
 public:
  void number(uint32_t field, uint64_t value) {
    varint(uint64_t{field} << 3);
    varint(value);
  }
  void fixed(uint32_t field, uint64_t value) {
    varint(uint64_t{field} << 3 | 1);
    for (int i = 0; i < 8; ++i) text_ += static_cast<char>(value >> (8 * i));
  }
  void bytes(uint32_t field, std::string_view value) {
    varint(uint64_t{field} << 3 | 2);
    varint(value.size());
    text_ += value;
  }
  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  std::string take() { return std::move(text_); }

 private:
  void varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) text_ += static_cast<char>(value | 0x80);
    text_ += static_cast<char>(value);
  }
  std::string text_;
};

/// Texts that come again and again, by number: InternedData of
/// perfetto/trace/interned_data/interned_data.proto, whose entries have iid 1 and the text 2.
class interned_texts {
 public:
  /// `field`: that of InternedData.
  explicit interned_texts(uint32_t field) : field_(field) {}
  /// The text's number; one that is new is written to `fresh`.
  uint64_t number(std::string_view text, proto_writer& fresh) {
    const auto [at, is_new] = numbers_.emplace(text, numbers_.size() + 1);
    if (is_new) {
      proto_writer entry;
      entry.number(1, at->second);
      entry.bytes(2, text);
      fresh.bytes(field_, entry.text());
    }
    return at->second;
  }

 private:
  uint32_t field_;
  std::unordered_map<std::string, uint64_t> numbers_;
};

/// Trace.packet (1) of perfetto/trace/trace_packet.proto: timestamp 8, trusted_packet_sequence_id
/// 10, track_event 11, interned_data 12, sequence_flags 13, track_descriptor 60. Names and notes
/// are interned: a trace has millions of them and some hundred that differ.
class perfetto : public timeline {
 public:
  uint64_t add_group(std::string_view name) override { return track(++last_, 0, name, nullptr); }
  uint64_t add_track(uint64_t group, std::string_view name) override {
    return track(++last_, group, name, nullptr);
  }
  void rename(uint64_t group, uint64_t of, std::string_view name) override {
    (void)track(of, group, name, nullptr);
  }
  uint64_t add_counter(uint64_t group, std::string_view name, bool bytes) override {
    proto_writer counter;  // CounterDescriptor.unit: UNIT_COUNT, UNIT_SIZE_BYTES
    counter.number(3, bytes ? 3 : 2);
    return track(++last_, group, name, &counter);
  }
  void begin(uint64_t to, int64_t ns, std::string_view name, std::string_view note,
             uint64_t arrow) override {
    proto_writer e = event(1, to, name, note);
    if (arrow != 0) e.fixed(48, arrow);  // terminating_flow_ids
    packet(ns, e);
  }
  void end(uint64_t to, int64_t ns) override { packet(ns, event(2, to, {}, {})); }
  void point(uint64_t to, int64_t ns, std::string_view name, std::string_view note,
             uint64_t arrow) override {
    proto_writer e = event(3, to, name, note);
    if (arrow != 0) e.fixed(47, arrow);  // flow_ids
    packet(ns, e);
  }
  void count(uint64_t counter, int64_t ns, int64_t value) override {
    proto_writer e = event(4, counter, {}, {});
    e.number(30, static_cast<uint64_t>(value));
    packet(ns, e);
  }
  std::string finish() override { return out_.take(); }

 private:
  uint64_t track(uint64_t made, uint64_t parent, std::string_view name,
                 const proto_writer* counter) {
    proto_writer descriptor;
    descriptor.number(1, made);
    descriptor.bytes(2, name);
    if (parent != 0) descriptor.number(5, parent);
    if (counter != nullptr) descriptor.bytes(8, counter->text());
    proto_writer p;
    p.bytes(60, descriptor.text());
    send(p);
    return made;
  }
  /// TrackEvent: type 9, name_iid 10, track_uuid 11, debug_annotations 4 (name_iid 1,
  /// string_value_iid 17).
  proto_writer event(uint64_t type, uint64_t to, std::string_view name, std::string_view note) {
    proto_writer e;
    e.number(9, type);
    e.number(11, to);
    if (!name.empty()) e.number(10, names_.number(name, fresh_));
    if (!note.empty()) {
      proto_writer annotation;
      annotation.number(1, annotation_names_.number("note", fresh_));
      annotation.number(17, notes_.number(note, fresh_));
      e.bytes(4, annotation.text());
    }
    return e;
  }
  void packet(int64_t ns, const proto_writer& e) {
    proto_writer p;
    p.number(8, static_cast<uint64_t>(ns));
    p.bytes(11, e.text());
    // Known from this packet on, in this packet too.
    if (!fresh_.text().empty()) p.bytes(12, fresh_.take());
    fresh_ = {};
    send(p);
  }
  void send(proto_writer& p) {
    p.number(10, 1);
    // SEQ_NEEDS_INCREMENTAL_STATE; the first: and SEQ_INCREMENTAL_STATE_CLEARED.
    p.number(13, begun_ ? 2 : 3);
    begun_ = true;
    out_.bytes(1, p.text());
  }

  proto_writer out_;
  proto_writer fresh_;  // InternedData for the next packet
  interned_texts names_{2}, annotation_names_{3}, notes_{29};
  uint64_t last_ = 0;
  bool begun_ = false;
};

}  // namespace

std::unique_ptr<timeline> chrome_timeline() { return std::make_unique<chrome>(); }
std::unique_ptr<timeline> perfetto_timeline() { return std::make_unique<perfetto>(); }

}  // namespace weft_command
