// SPDX-License-Identifier: Apache-2.0
// profile.proto: message Profile of github.com/google/pprof, whose rules are in spec/pprof.md §2
// and §3.
#include <algorithm>
#include <map>
#include <unordered_map>

#include "weft/observe/internal/mappings.hpp"
#include "weft/observe/internal/profile.hpp"
#include "weft/observe/internal/profile_frames.hpp"
#include "weft/observe/internal/proto_writer.hpp"

namespace weft::rt {

namespace {

// Field numbers of the messages, in the order in which they are written.
namespace field {
enum profile : unsigned {
  sample_type = 1,
  sample = 2,
  mapping = 3,
  location = 4,
  function = 5,
  string_table = 6,
  time_nanos = 9,
  duration_nanos = 10,
  period_type = 11,
  period = 12,
  comment = 13,
  default_sample_type = 14,
};
}  // namespace field

class encoder {
 public:
  explicit encoder(const profile& p) : p_(p), frames_(p), mappings_(code_mappings()) {
    (void)text("");
  }

  std::string encode() {
    for (const value_type& type : p_.types) out_.message(field::sample_type, typed(type));
    for (const auto& [stack, values] : p_.samples) put_sample(stack, values);
    put_mappings();
    out_.signed_number(field::time_nanos, p_.time_ns);
    out_.signed_number(field::duration_nanos, p_.duration_ns);
    out_.message(field::period_type, typed(p_.period_type));
    out_.signed_number(field::period, p_.period);
    for (const std::string& comment : p_.comments) out_.number(field::comment, text(comment));
    if (!p_.default_type.empty()) out_.number(field::default_sample_type, text(p_.default_type));
    // Last: all above add to it.
    for (const std::string_view s : strings_) out_.bytes(field::string_table, s);
    return out_.take();
  }

 private:
  uint64_t text(std::string_view s) {
    const auto [at, fresh] = string_ids_.try_emplace(std::string(s), strings_.size());
    if (fresh) strings_.push_back(at->first);
    return at->second;
  }

  proto_writer typed(const value_type& type) {
    proto_writer one;
    one.number(1, text(type.type));
    one.number(2, text(type.unit));
    return one;
  }

  void put_sample(const profile_stack& stack, const std::vector<int64_t>& values) {
    std::vector<uint64_t> locations;
    for (const shown_frame& frame : frames_.of(stack)) locations.push_back(location(frame));
    proto_writer one;
    one.packed(1, locations);
    one.packed(2, values);
    for (const auto& [key, value] : stack.labels) {
      proto_writer label;
      label.number(1, text(key));
      label.number(2, text(value));
      one.message(3, label);
    }
    if (stack.object_bytes != 0) {
      proto_writer label;
      label.number(1, text("bytes"));
      label.signed_number(3, stack.object_bytes);
      label.number(4, text("bytes"));
      one.message(3, label);
    }
    out_.message(field::sample, one);
  }

  /// One for each address and number of shown lines.
  uint64_t location(const shown_frame& frame) {
    const auto [at, fresh] =
        location_ids_.try_emplace({frame.address, frame.lines}, location_ids_.size() + 1);
    if (!fresh) return at->second;
    proto_writer one;
    one.number(1, at->second);
    if (!frame.is_pseudo()) {
      one.number(2, mapping(frame.address));
      one.number(3, frame.address);
    }
    for (size_t n = 0; n < frame.lines; ++n) {
      const symbol_line& line = frame.names->lines[n];
      proto_writer where;
      where.number(1, function(line));
      where.signed_number(2, line.line);
      one.message(4, where);
    }
    out_.message(field::location, one);
    return at->second;
  }

  uint64_t mapping(uintptr_t address) const {
    for (size_t i = 0; i < mappings_.size(); ++i)
      if (address >= mappings_[i].start && address < mappings_[i].end) return i + 1;
    return 0;
  }

  uint64_t function(const symbol_line& line) {
    const std::string name = line.function.empty() ? std::string("?") : line.function;
    const auto [at, fresh] =
        function_ids_.try_emplace(name + '\n' + line.file, function_ids_.size() + 1);
    if (!fresh) return at->second;
    proto_writer one;
    one.number(1, at->second);
    one.number(2, text(name));
    one.number(3, text(line.linkage.empty() ? name : line.linkage));
    one.number(4, text(line.file));
    out_.message(field::function, one);
    return at->second;
  }

  void put_mappings() {
    for (size_t i = 0; i < mappings_.size(); ++i) {
      const code_mapping& m = mappings_[i];
      proto_writer one;
      one.number(1, i + 1);
      one.number(2, m.start);
      one.number(3, m.end);
      one.number(4, m.file_offset);
      one.number(5, text(m.file));
      one.number(6, text(m.build_id));
      // All that can be known here is in the profile: readers need not look for the file.
      for (const unsigned known : {7u, 8u, 9u, 10u}) one.number(known, 1);
      out_.message(field::mapping, one);
    }
  }

  const profile& p_;
  profile_frames frames_;
  std::vector<code_mapping> mappings_;
  proto_writer out_;
  std::unordered_map<std::string, uint64_t> string_ids_;
  std::vector<std::string_view> strings_;  // keys of the map, which stay where they are
  std::map<std::pair<uintptr_t, size_t>, uint64_t> location_ids_;
  std::unordered_map<std::string, uint64_t> function_ids_;
};

}  // namespace

std::string to_proto(const profile& p) { return encoder(p).encode(); }

}  // namespace weft::rt
