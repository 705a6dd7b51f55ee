// SPDX-License-Identifier: Apache-2.0
// Reading profile.proto. Messages may come in any order (Go writes its strings last), so the file
// is read once for its parts, which keep their ids and string numbers, and these are resolved then.
#include "profile.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <unordered_map>
#include <utility>

#include "files.hpp"
#include "gunzip.hpp"
#include "protobuf.hpp"

namespace weft_command {

namespace {

/// Where a part of the message is in the file.
struct piece {
  std::string_view bytes;
  size_t at = 0;
};

class profile_parser {
 public:
  explicit profile_parser(std::string_view bytes) : bytes_(bytes) {}

  weft::result<profile> run() {
    if (read_message() && read_values() && read_functions() && read_mappings() &&
        read_locations() && read_samples())
      return std::move(out_);
    return weft::fail(weft::error(std::move(why_)));
  }

 private:
  bool fail(size_t at, const std::string& what) {
    if (why_.empty()) why_ = "not a profile: at byte " + std::to_string(at) + ": " + what;
    return false;
  }
  /// False if the reader met something malformed.
  bool good(const proto_reader& in) { return in.bad() == nullptr || fail(in.bad_at(), in.bad()); }

  bool read_message() {
    if (bytes_.empty()) return fail(0, "it is empty");
    proto_reader in(bytes_);
    while (in.next()) {
      const auto keep = [&in](std::vector<piece>& to) {
        const std::string_view bytes = in.bytes();
        to.push_back({bytes, in.bytes_at()});
      };
      switch (in.field()) {
        case 1:
          keep(types_);
          break;
        case 2:
          keep(samples_);
          break;
        case 3:
          keep(mappings_);
          break;
        case 4:
          keep(locations_);
          break;
        case 5:
          keep(functions_);
          break;
        case 6:
          strings_.push_back(in.bytes());
          break;
        case 9:
          out_.time_ns = static_cast<int64_t>(in.number());
          break;
        case 10:
          out_.duration_ns = static_cast<int64_t>(in.number());
          break;
        case 11:
          keep(period_type_);
          break;
        case 12:
          out_.period = static_cast<int64_t>(in.number());
          break;
        case 13:
          in.numbers([this](uint64_t id) { comments_.push_back(id); });
          break;
        case 14:
          default_type_ = in.number();
          break;
        default:
          break;  // drop_frames, keep_frames, doc_url, and what is new
      }
    }
    if (!good(in)) return false;
    if (strings_.empty()) return fail(bytes_.size(), "it has no strings");
    if (!strings_[0].empty()) return fail(0, "its first string is not empty");
    return true;
  }

  bool string(uint64_t index, size_t at, std::string& out) {
    if (index >= strings_.size())
      return fail(at, "string " + std::to_string(index) + " of " + std::to_string(strings_.size()));
    out = strings_[index];
    return true;
  }

  bool read_type(const piece& from, value_type& out) {
    proto_reader in(from.bytes, from.at);
    while (in.next()) {
      if (in.field() == 1 && !string(in.number(), in.field_at(), out.type)) return false;
      if (in.field() == 2 && !string(in.number(), in.field_at(), out.unit)) return false;
    }
    return good(in);
  }

  bool read_values() {
    if (types_.empty()) return fail(0, "it has no sample type");
    for (const piece& from : types_)
      if (!read_type(from, out_.sample_types.emplace_back())) return false;
    for (const piece& from : period_type_)
      if (!read_type(from, out_.period_type)) return false;
    for (const uint64_t comment : comments_)
      if (!string(comment, 0, out_.comments.emplace_back())) return false;
    return string(default_type_, 0, out_.default_sample_type);
  }

  using index_map = std::unordered_map<uint64_t, uint32_t>;
  bool remember(index_map& ids, uint64_t id, size_t index, const piece& from, const char* what) {
    if (id == 0) return fail(from.at, std::string("a ") + what + " without an id");
    if (!ids.emplace(id, static_cast<uint32_t>(index)).second)
      return fail(from.at, std::string("two ") + what + "s have the id " + std::to_string(id));
    return true;
  }

  bool read_functions() {
    for (const piece& from : functions_) {
      profile_function& made = out_.functions.emplace_back();
      std::string system_name;
      uint64_t id = 0;
      proto_reader in(from.bytes, from.at);
      while (in.next()) {
        switch (in.field()) {
          case 1:
            id = in.number();
            break;
          case 2:
            if (!string(in.number(), in.field_at(), made.name)) return false;
            break;
          case 3:
            if (!string(in.number(), in.field_at(), system_name)) return false;
            break;
          case 4:
            if (!string(in.number(), in.field_at(), made.file)) return false;
            break;
          case 5:
            made.start_line = static_cast<int64_t>(in.number());
            break;
          default:
            break;
        }
      }
      if (!good(in)) return false;
      if (made.name.empty()) made.name = std::move(system_name);
      if (!remember(function_ids_, id, out_.functions.size() - 1, from, "function")) return false;
    }
    return true;
  }

  bool read_mappings() {
    for (const piece& from : mappings_) {
      profile_mapping& made = out_.mappings.emplace_back();
      uint64_t id = 0;
      proto_reader in(from.bytes, from.at);
      while (in.next()) {
        switch (in.field()) {
          case 1:
            id = in.number();
            break;
          case 2:
            made.start = in.number();
            break;
          case 3:
            made.limit = in.number();
            break;
          case 5:
            if (!string(in.number(), in.field_at(), made.file)) return false;
            break;
          case 6:
            if (!string(in.number(), in.field_at(), made.build_id)) return false;
            break;
          default:
            break;
        }
      }
      if (!good(in)) return false;
      if (!remember(mapping_ids_, id, out_.mappings.size() - 1, from, "mapping")) return false;
    }
    return true;
  }

  bool read_line(std::string_view bytes, size_t at, profile_location& to) {
    profile_line& made = to.lines.emplace_back();
    uint64_t function = 0;
    proto_reader in(bytes, at);
    while (in.next()) {
      if (in.field() == 1) function = in.number();
      if (in.field() == 2) made.line = static_cast<int64_t>(in.number());
    }
    if (!good(in)) return false;
    const auto found = function_ids_.find(function);
    if (found == function_ids_.end())
      return fail(at, "there is no function with the id " + std::to_string(function));
    made.function = found->second;
    return true;
  }

  bool read_locations() {
    for (const piece& from : locations_) {
      profile_location& made = out_.locations.emplace_back();
      uint64_t id = 0;
      uint64_t mapping = 0;
      proto_reader in(from.bytes, from.at);
      while (in.next()) {
        switch (in.field()) {
          case 1:
            id = in.number();
            break;
          case 2:
            mapping = in.number();
            break;
          case 3:
            made.address = in.number();
            break;
          case 4: {
            const std::string_view line = in.bytes();
            if (in.bad() == nullptr && !read_line(line, in.bytes_at(), made)) return false;
            break;
          }
          default:
            break;
        }
      }
      if (!good(in)) return false;
      if (mapping != 0) {
        const auto found = mapping_ids_.find(mapping);
        if (found == mapping_ids_.end())
          return fail(from.at, "there is no mapping with the id " + std::to_string(mapping));
        made.mapping = found->second + 1;
      }
      if (!remember(location_ids_, id, out_.locations.size() - 1, from, "location")) return false;
      if (made.lines.empty()) name_by_address(made);
    }
    return true;
  }

  /// A place that nobody symbolized is a function of its own: "0x401234 program".
  void name_by_address(profile_location& to) {
    std::array<char, 32> address{};
    std::snprintf(address.data(), address.size(), "0x%llx",
                  static_cast<unsigned long long>(to.address));
    std::string name = address.data();
    if (to.mapping != 0) {
      const std::string& file = out_.mappings[to.mapping - 1].file;
      if (!file.empty()) name += " " + file.substr(file.rfind('/') + 1);
    }
    to.lines.push_back({.function = static_cast<uint32_t>(out_.functions.size())});
    out_.functions.emplace_back().name = std::move(name);
  }

  bool read_label(std::string_view bytes, size_t at, profile_label& made) {
    proto_reader in(bytes, at);
    while (in.next()) {
      switch (in.field()) {
        case 1:
          if (!string(in.number(), in.field_at(), made.key)) return false;
          break;
        case 2:
          if (!string(in.number(), in.field_at(), made.text)) return false;
          break;
        case 3:
          made.number = static_cast<int64_t>(in.number());
          break;
        case 4:
          if (!string(in.number(), in.field_at(), made.unit)) return false;
          break;
        default:
          break;
      }
    }
    return good(in);
  }

  bool read_samples() {
    out_.samples.reserve(samples_.size());
    for (const piece& from : samples_) {
      profile_sample& made = out_.samples.emplace_back();
      uint64_t missing = 0;
      proto_reader in(from.bytes, from.at);
      while (in.next()) {
        if (in.field() == 1) {
          in.numbers([&](uint64_t id) {
            const auto found = location_ids_.find(id);
            if (found == location_ids_.end()) {
              missing = id;
              (void)in.fail("there is no location of a sample's id");
            } else {
              made.locations.push_back(found->second);
            }
          });
        } else if (in.field() == 2) {
          in.numbers([&](uint64_t value) { made.values.push_back(static_cast<int64_t>(value)); });
        } else if (in.field() == 3) {
          const std::string_view label = in.bytes();
          if (in.bad() == nullptr && !read_label(label, in.bytes_at(), made.labels.emplace_back()))
            return false;
        }
      }
      if (missing != 0)
        return fail(from.at, "there is no location with the id " + std::to_string(missing));
      if (!good(in)) return false;
      if (made.values.size() != out_.sample_types.size())
        return fail(from.at, "a sample has " + std::to_string(made.values.size()) +
                                 " values, but there are " +
                                 std::to_string(out_.sample_types.size()) + " sample types");
    }
    return true;
  }

  std::string_view bytes_;
  profile out_;
  std::string why_;
  std::vector<piece> types_, samples_, mappings_, locations_, functions_, period_type_;
  std::vector<std::string_view> strings_;
  std::vector<uint64_t> comments_;
  uint64_t default_type_ = 0;
  index_map function_ids_, mapping_ids_, location_ids_;
};

/// What a file is that people give by mistake; null: who knows.
const char* other_format(std::string_view bytes) {
  if (bytes.starts_with("go 1.")) return "an execution trace: see weft trace convert";
  if (bytes.starts_with("\x7f"
                        "ELF"))
    return "a program or a core file";
  if (bytes.starts_with("PERFILE2")) return "a file of perf record";
  if (bytes.starts_with("<")) return "HTML, XML or SVG";
  if (bytes.starts_with("{") || bytes.starts_with("[")) return "JSON";
  if (bytes.substr(0, 24).contains(" profile: ") || bytes.starts_with("--- "))
    return "a profile's text form (debug=1), which has no shape; get it without debug";
  return nullptr;
}

}  // namespace

weft::result<size_t> profile::find_sample_type(std::string_view name) const {
  if (name.empty()) {
    for (size_t i = 0; i < sample_types.size(); ++i)
      if (sample_types[i].type == default_sample_type && !default_sample_type.empty()) return i;
    return sample_types.size() - 1;
  }
  std::string there_is;
  for (size_t i = 0; i < sample_types.size(); ++i) {
    if (sample_types[i].type == name) return i;
    there_is += (i == 0 ? "" : ", ") + sample_types[i].type;
  }
  return weft::fail(
      weft::error("no sample type \"" + std::string(name) + "\" here; there is " + there_is));
}

weft::result<profile> parse_profile(std::string_view bytes) {
  std::string plain;
  if (is_gzip(bytes)) {
    weft::result<std::string> out = gunzip(bytes, profile_bytes_max);
    if (!out) return weft::fail(std::move(out.error()));
    plain = std::move(*out);
    bytes = plain;
  }
  if (bytes.size() > profile_bytes_max)
    return weft::fail(weft::error("larger than " + std::to_string(profile_bytes_max) + " bytes"));
  if (const char* format = other_format(bytes.substr(0, 4096)))
    return weft::fail(weft::error(std::string("not a profile but ") + format));
  return profile_parser(bytes).run();
}

weft::result<profile> read_profile(const std::string& path) {
  const weft::result<std::string> bytes = read_file(path);
  if (!bytes) return weft::fail(bytes.error());
  weft::result<profile> out = parse_profile(*bytes);
  if (!out) return weft::fail(weft::error(path + ": " + out.error().message()));
  return out;
}

}  // namespace weft_command
