// SPDX-License-Identifier: Apache-2.0
// The tree: reading, writing, looking things up. Reading and writing recurse, bounded by depth_max.
#include "weft/json/value.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

#include "weft/json/internal/locate.hpp"
#include "weft/json/internal/object.hpp"

namespace weft::json {

namespace {

const value nothing;

/// Up to here pairs of keys are compared; above, they are sorted.
constexpr size_t compared_max = 8;

/// Which members another one with the same key follows. Empty: none.
std::vector<bool> overridden(const std::vector<member>& members) {
  std::vector<bool> found;
  auto mark = [&](size_t i) {
    found.resize(members.size());
    found[i] = true;
  };
  if (members.size() <= compared_max) {
    for (size_t i = 0; i < members.size(); ++i) {
      for (size_t j = i + 1; j < members.size(); ++j) {
        if (members[i].key == members[j].key) {
          mark(i);
          break;
        }
      }
    }
    return found;
  }
  std::vector<size_t> order(members.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    int compared = members[a].key.compare(members[b].key);
    return compared != 0 ? compared < 0 : a < b;
  });
  for (size_t i = 0; i + 1 < order.size(); ++i) {
    if (members[order[i]].key == members[order[i + 1]].key) mark(order[i]);
  }
  return found;
}

}  // namespace

// --- object --------------------------------------------------------------------------------------

// Here, where a member is complete.
object::object() noexcept = default;
object::object(std::initializer_list<member> members) : members_(members) {}
object::object(const object& other) = default;
object::object(object&& other) noexcept = default;
object& object::operator=(const object& other) = default;
object& object::operator=(object&& other) noexcept = default;
object::~object() = default;

size_t object::size() const noexcept { return members_.size(); }
object::const_iterator object::begin() const noexcept { return members_.begin(); }
object::const_iterator object::end() const noexcept { return members_.end(); }
object::iterator object::begin() noexcept { return members_.begin(); }
object::iterator object::end() noexcept { return members_.end(); }

const value* object::find(std::string_view key) const noexcept {
  for (const member& each : members_) {
    if (each.key == key) return &each.value;
  }
  return nullptr;
}
value* object::find(std::string_view key) noexcept {
  return const_cast<value*>(std::as_const(*this).find(key));
}
value& object::operator[](std::string_view key) {
  if (value* found = find(key); found != nullptr) return *found;
  return members_.emplace_back(member{std::string(key), {}}).value;
}
bool object::erase(std::string_view key) {
  return std::erase_if(members_, [&](const member& each) { return each.key == key; }) != 0;
}

bool operator==(const object& a, const object& b) noexcept { return a.members_ == b.members_; }
bool operator==(const value& a, const value& b) noexcept {
  if (a.kind() != kind::number || b.kind() != kind::number) return a.held_ == b.held_;
  // Numbers by what they are, not by how they are kept: 1 is 1.0.
  if (std::optional<int64_t> x = a.integer(), y = b.integer(); x && y) return *x == *y;
  const auto* x = std::get_if<uint64_t>(&a.held_);
  const auto* y = std::get_if<uint64_t>(&b.held_);
  return x != nullptr && y != nullptr ? *x == *y : a.number() == b.number();
}

// --- looking -------------------------------------------------------------------------------------

kind value::kind() const noexcept {
  switch (held_.index()) {
    case 0:
      return kind::null;
    case 1:
      return kind::boolean;
    case 5:
      return kind::string;
    case 6:
      return kind::array;
    case 7:
      return kind::object;
    default:
      return kind::number;
  }
}

std::optional<bool> value::boolean() const noexcept {
  const bool* held = std::get_if<bool>(&held_);
  return held != nullptr ? std::optional(*held) : std::nullopt;
}

std::optional<int64_t> value::integer() const noexcept {
  if (const auto* held = std::get_if<int64_t>(&held_)) return *held;
  const auto* wide = std::get_if<uint64_t>(&held_);
  if (wide == nullptr || *wide > uint64_t{std::numeric_limits<int64_t>::max()}) return {};
  return static_cast<int64_t>(*wide);
}

std::optional<double> value::number() const noexcept {
  if (const auto* held = std::get_if<double>(&held_)) return *held;
  if (const auto* held = std::get_if<int64_t>(&held_)) return static_cast<double>(*held);
  if (const auto* held = std::get_if<uint64_t>(&held_)) return static_cast<double>(*held);
  return {};
}

const value& value::operator[](std::string_view key) const noexcept {
  const json::object* held = members();
  const value* found = held != nullptr ? held->find(key) : nullptr;
  return found != nullptr ? *found : nothing;
}

const value& value::operator[](size_t index) const noexcept {
  const json::array* held = elements();
  return held != nullptr && index < held->size() ? (*held)[index] : nothing;
}

// --- reading -------------------------------------------------------------------------------------

bool value::read(reader& in) {
  switch (in.next()) {
    case kind::null:
      held_ = std::monostate();
      return in.take_null();
    case kind::boolean:
      return in.read_bool(held_.emplace<bool>());
    case kind::number:
      return read_number(in);
    case kind::string:
      return in.read_string(held_.emplace<std::string>());
    case kind::array:
      return read_array(in);
    case kind::object:
      return read_object(in);
    case kind::none:
      break;
  }
  return in.wrong_type("a value");
}

bool value::read_number(reader& in) {
  if (in.integer_next()) {
    // Integers of more than 64 bits become doubles, as in JavaScript.
    switch (in.width_next()) {
      case reader::width::int64:
        return in.read_int(held_.emplace<int64_t>());
      case reader::width::uint64:
        return in.read_uint(held_.emplace<uint64_t>());
      case reader::width::wider:
        break;
    }
  }
  return in.read_double(held_.emplace<double>());
}

bool value::read_array(reader& in) {
  auto& list = held_.emplace<json::array>();
  if (!in.begin_array()) return false;
  while (in.more_elements()) {
    if (!list.emplace_back().read(in)) return false;
  }
  return !in.failed();
}

bool value::read_object(reader& in) {
  std::vector<member>& list = held_.emplace<json::object>().members_;
  const bool refuse = in.options().refuse_duplicate_keys;
  std::vector<size_t> places;  // of keys, for the error
  if (!in.begin_object()) return false;
  std::string key;
  while (in.next_key(key)) {
    if (refuse) places.push_back(in.key_offset());
    if (!list.emplace_back(member{std::move(key), {}}).value.read(in)) return false;
    key.clear();
  }
  if (in.failed()) return false;
  std::vector<bool> dead = overridden(list);
  if (dead.empty()) return true;
  if (refuse) {
    auto first = static_cast<size_t>(std::find(dead.begin(), dead.end(), true) - dead.begin());
    size_t second = first + 1;
    while (list[second].key != list[first].key) ++second;
    return in.fail(places[second],
                   "the key \"" + rt::json_impl::shown_key(list[first].key) + "\" comes twice",
                   reason::duplicate_key);
  }
  size_t at = 0;
  std::erase_if(list, [&](const member&) { return dead[at++]; });
  return true;
}

// --- writing -------------------------------------------------------------------------------------

bool value::write(writer& out) const {
  switch (held_.index()) {
    case 0:
      return out.null();
    case 1:
      return out.boolean(*std::get_if<bool>(&held_));
    case 2:
      return out.integer(*std::get_if<int64_t>(&held_));
    case 3:
      return out.integer_unsigned(*std::get_if<uint64_t>(&held_));
    case 4:
      return out.number(*std::get_if<double>(&held_));
    case 5:
      return out.string(*string());
    case 6:
      if (!out.begin_array()) return false;
      for (const value& each : *elements()) {
        out.element();
        if (!each.write(out)) return false;
      }
      return out.end_array();
    default:
      if (!out.begin_object()) return false;
      for (const auto& [key, each] : *members()) {
        if (!out.key(key) || !each.write(out)) return false;
      }
      return out.end_object();
  }
}

// --- raw -----------------------------------------------------------------------------------------

error validate(std::string_view text, const decode_options& options) {
  return rt::json_impl::decode_text(
      text, options, [](reader& in, void*) { return in.skip(); }, nullptr);
}

bool codec<raw>::write(writer& out, const raw& r) {
  if (error wrong = validate(r.text)) {
    return out.fail("a json::raw that is no JSON: " + wrong.message());
  }
  return out.raw(r.text);
}

}  // namespace weft::json
