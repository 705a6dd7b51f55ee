// SPDX-License-Identifier: Apache-2.0
// The loops that read and write structs, and what is around a whole text.
#include "weft/json/internal/object.hpp"

#include <algorithm>
#include <bit>
#include <memory>
#include <unordered_set>

#include "weft/base/panic.hpp"
#include "weft/json/internal/locate.hpp"
#include "weft/json/internal/scan.hpp"

namespace weft::rt::json_impl {

using json::reader;
using json::reason;
using json::writer;

object_type::object_type(std::span<const field_spec> fields, std::span<const field_spec> adjusted) {
  for (field_spec spec : fields) {
    for (const field_spec& rule : adjusted) {
      if (rule.offset == spec.offset) spec = rule;
    }
    if (!spec.hidden) fields_.push_back({.spec = spec, .key = nullptr, .key_bytes = 0});
  }
  WEFT_ASSERT(fields_.size() <= 64);
  // writer::prepared_key() copies in blocks of 32.
  constexpr size_t block = 32;
  std::vector<size_t> begins;
  for (entry& each : fields_) {
    begins.push_back(keys_.size());
    std::string key = ",";
    error failed = encode_text(
        key, {},
        [](writer& out, const void* name) {
          return out.string(*static_cast<const std::string_view*>(name));
        },
        &each.spec.name);
    WEFT_ASSERT(!failed);
    key += ':';
    each.key_bytes = key.size();
    key.resize((key.size() / block + 1) * block);
    keys_ += key;
  }
  for (size_t i = 0; i < fields_.size(); ++i) {
    fields_[i].key = keys_.data() + begins[i];
    if (fields_[i].spec.required) required_ |= uint64_t{1} << i;
    size_t slot = slot_of(fields_[i].spec.name);
    while (slots_[slot] != 0) slot = (slot + 1) % slot_count;
    slots_[slot] = static_cast<uint8_t>(i + 1);
  }
}

size_t object_type::slot_of(std::string_view name) noexcept {
  if (name.empty()) return 0;
  auto first = static_cast<uint8_t>(name.front());
  auto middle = static_cast<uint8_t>(name[name.size() / 2]);
  auto last = static_cast<uint8_t>(name.back());
  return (first * 7U + middle * 31U + last * 97U + name.size() * 13U) % slot_count;
}

size_t object_type::find(std::string_view name) const noexcept {
  for (size_t slot = slot_of(name); slots_[slot] != 0; slot = (slot + 1) % slot_count) {
    size_t i = slots_[slot] - 1U;
    if (fields_[i].spec.name == name) return i;
  }
  return fields_.size();
}

// --- reading -------------------------------------------------------------------------------------

bool object_type::check_missing(reader& in, uint64_t seen, size_t begin) const {
  uint64_t wanted = required_;
  if (in.options().require_all_fields) {
    wanted = fields_.size() == 64 ? ~uint64_t{0} : (uint64_t{1} << fields_.size()) - 1;
  }
  uint64_t missing = wanted & ~seen;
  if (missing == 0) [[likely]]
    return true;
  auto first = static_cast<size_t>(std::countr_zero(missing));
  return in.fail(begin, "the key \"" + std::string(fields_[first].spec.name) + "\" is missing",
                 reason::missing_key);
}

bool object_type::read(reader& in, void* object) const {
  if (in.peek() == '{') [[likely]]
    return read_members(in, static_cast<char*>(object));
  return in.take_null() || in.wrong_type("an object");
}

/// What only unusual objects need; apart, since read_members() recurses.
struct slow_state {
  std::string unescaped;
  std::unordered_set<std::string> unknown;  // only when duplicates are refused
};

/// The field of a key that is not the expected one; the count of fields: none. Notes failures.
size_t object_type::take_other_key(reader& in, std::unique_ptr<slow_state>& slow) const {
  const size_t key_at = in.offset();
  std::string_view key;
  if (!in.take_key(key)) return fields_.size();
  size_t i = find(key);
  if (i < fields_.size()) return i;
  const json::decode_options& options = in.options();
  if (key.find('\\') != key.npos) {
    if (slow == nullptr) slow = std::make_unique<slow_state>();
    if (!in.unescape(key, slow->unescaped)) return fields_.size();
    key = slow->unescaped;
    i = find(key);
    if (i < fields_.size()) return i;
  }
  if (options.refuse_unknown_keys) {
    in.fail(key_at, "unknown key \"" + shown_key(key) + "\"", reason::unknown_key);
  } else if (options.refuse_duplicate_keys) {
    if (slow == nullptr) slow = std::make_unique<slow_state>();
    if (!slow->unknown.emplace(key).second) duplicate(in, key_at, key);
  }
  return fields_.size();
}

bool object_type::duplicate(reader& in, size_t key_at, std::string_view key) {
  return in.fail(key_at, "the key \"" + shown_key(key) + "\" comes twice", reason::duplicate_key);
}

bool object_type::read_members(reader& in, char* object) const {
  const size_t begin = in.offset();
  in.take('{');
  if (!in.enter()) return false;
  uint64_t seen = 0;
  if (in.take('}')) {
    in.leave();
    return check_missing(in, seen, begin);
  }
  std::unique_ptr<slow_state> slow;
  size_t expected = 0;  // fields usually come in their order
  do {
    const size_t key_at = in.offset();
    size_t i = expected;
    if (i == fields_.size() || !in.take_expected_key(fields_[i].spec.name)) {
      i = take_other_key(in, slow);
      if (i == fields_.size()) {
        if (in.failed() || !in.skip()) return false;
        continue;
      }
    }
    uint64_t bit = uint64_t{1} << i;
    if ((seen & bit) != 0 && in.options().refuse_duplicate_keys) [[unlikely]] {
      return duplicate(in, key_at, fields_[i].spec.name);
    }
    seen |= bit;
    expected = i + 1;
    if (!fields_[i].spec.ops->read(in, object + fields_[i].spec.offset)) return false;
  } while (in.more('}'));
  return !in.failed() && check_missing(in, seen, begin);
}

// --- writing -------------------------------------------------------------------------------------

bool object_type::write_members(writer& out, const void* object) const {
  const char* base = static_cast<const char*>(object);
  for (const entry& each : fields_) {
    const void* value = base + each.spec.offset;
    if (each.spec.omit_empty && each.spec.ops->empty(value)) continue;
    out.prepared_key(each.key, each.key_bytes);
    if (!each.spec.ops->write(out, value)) return false;
  }
  return out.end_object();
}

bool object_type::write(writer& out, const void* object) const {
  return out.begin_object() && write_members(out, object);
}

bool object_type::write_tagged(writer& out, const void* object, std::string_view tag_key,
                               std::string_view tag) const {
  return out.begin_object() && out.key(tag_key) && out.string(tag) && write_members(out, object);
}

// --- whole texts ---------------------------------------------------------------------------------

namespace {

error make_error(json::problem found) {
  std::string text =
      "json: at " + found.path + " (byte " + std::to_string(found.offset) + "): " + found.what;
  return error(std::move(text)).with(std::move(found));
}

error too_large(const char* what, size_t count, const char* option, size_t most) {
  return make_error({.why = reason::limit,
                     .path = "$",
                     .offset = 0,
                     .what = std::string(what) + ": " + std::to_string(count) + ", of which " +
                             option + " allows " + std::to_string(most)});
}

}  // namespace

error decode_text(std::string_view text, const json::decode_options& options,
                  bool (*read)(reader&, void*), void* out) {
  constexpr size_t address_space = (size_t{1} << 32) - 1;
  if (text.size() > options.bytes_max || text.size() > address_space) {
    return too_large("too many bytes", text.size(), "decode_options::bytes_max",
                     std::min(options.bytes_max, address_space));
  }
  scan first;
  switch (first.run(text)) {
    case scan::outcome::good:
      break;
    case scan::outcome::no_memory:
      return error(std::make_error_code(std::errc::not_enough_memory),
                   "json: no memory to read " + std::to_string(text.size()) + " bytes");
    case scan::outcome::bad: {
      fault found = find_fault(text);
      return make_error({.why = found.utf8 ? reason::utf8 : reason::syntax,
                         .path = path_at(text, found.offset),
                         .offset = found.offset,
                         .what = found.what});
    }
  }
  auto tokens = static_cast<size_t>(first.end() - first.begin());
  if (tokens > options.tokens_max) {
    return too_large("too many tokens", tokens, "decode_options::tokens_max", options.tokens_max);
  }
  reader in(text, first.begin(), first.end(), options);
  if (read(in, out) && in.finish()) [[likely]]
    return {};
  return make_error(in.take_problem(text));
}

error encode_text(std::string& out, const json::encode_options& options,
                  bool (*write)(writer&, const void*), const void* value) {
  const size_t before = out.size();
  json::problem found;
  {
    writer to(out, options);
    write(to, value);
    if (to.finish(found)) return {};
  }
  out.resize(before);
  return make_error(std::move(found));
}

}  // namespace weft::rt::json_impl
