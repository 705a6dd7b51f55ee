// SPDX-License-Identifier: Apache-2.0
// Finding and running commands.
#include "commands.hpp"

#include <array>
#include <cstring>
#include <vector>

#include "server.hpp"

namespace kv {

namespace {

inline constexpr size_t name_max = 16;
// Power of two, four times the commands: nearly every look-up is one probe.
inline constexpr size_t index_slots = 512;

struct folded_name {
  uint64_t low = 0;
  uint64_t high = 0;
  friend bool operator==(const folded_name&, const folded_name&) = default;
};

/// ASCII lower case of up to 16 bytes as two words. No command's name has bytes that setting bit 5
/// would confuse.
folded_name fold_name(std::string_view name) noexcept {
  char text[name_max] = {};
  for (size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    text[i] = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
  folded_name out;
  std::memcpy(&out.low, text, 8);
  std::memcpy(&out.high, text + 8, 8);
  return out;
}

size_t slot_of(const folded_name& name) noexcept {
  return static_cast<size_t>(((name.low ^ name.high * 31) * 0x9e3779b97f4a7c15ULL) >> 55) %
         index_slots;
}

struct command_index {
  struct slot {
    folded_name name;
    const command* held = nullptr;
  };
  std::array<slot, index_slots> slots;
  std::vector<command> all;

  command_index() {
    for (const std::span<const command> family :
         {string_commands(), key_commands(), list_commands(), hash_commands(), set_commands(),
          pubsub_commands(), server_commands()})
      all.insert(all.end(), family.begin(), family.end());
    for (const command& c : all) {
      const folded_name name = fold_name(c.name);
      size_t at = slot_of(name);
      while (slots[at].held != nullptr) at = (at + 1) % index_slots;
      slots[at] = {name, &c};
    }
  }
};
const command_index& index() {
  static const command_index made;
  return made;
}

void reply_unknown(session& s, arguments a) {
  std::string text =
      "ERR unknown command '" + std::string(a[0].substr(0, 128)) + "', with args beginning with: ";
  const size_t head = text.size();
  for (size_t i = 1; i < a.size() && text.size() - head < 128; ++i)
    text += "'" + std::string(a[i].substr(0, 128 - (text.size() - head))) + "' ";
  s.out.error(text);
}

bool allowed_while_subscribed(const command& c) noexcept {
  static constexpr std::array<std::string_view, 7> names = {
      "subscribe", "unsubscribe", "psubscribe", "punsubscribe", "ping", "quit", "reset"};
  for (const std::string_view name : names)
    if (name == c.name) return true;
  return false;
}

}  // namespace

const command* find_command(std::string_view name) noexcept {
  if (name.size() > name_max) return nullptr;
  const command_index& all = index();
  const folded_name wanted = fold_name(name);
  for (size_t at = slot_of(wanted);; at = (at + 1) % index_slots) {
    const auto& slot = all.slots[at];
    if (slot.held == nullptr) return nullptr;
    if (slot.name == wanted) return slot.held;
  }
}

std::span<const command> all_commands() noexcept { return index().all; }

void execute(session& s, arguments a) {
  ++s.commands;
  const command* c = find_command(a[0]);
  if (c == nullptr) {
    reply_unknown(s, a);
    return;
  }
  const int count = static_cast<int>(a.size());
  if ((c->arity > 0 && count != c->arity) || count < -c->arity) {
    s.out.error("ERR wrong number of arguments for '" + std::string(c->name) + "' command");
    return;
  }
  if (s.subscriptions != nullptr && s.subscriptions->count() != 0 &&
      !allowed_while_subscribed(*c)) {
    s.out.error("ERR Can't execute '" + std::string(c->name) +
                "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in "
                "this context");
    return;
  }
  c->run(s, a);
}

bool is_word(std::string_view text, std::string_view lower) noexcept {
  if (text.size() != lower.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i] >= 'A' && text[i] <= 'Z' ? static_cast<char>(text[i] + 32) : text[i];
    if (c != lower[i]) return false;
  }
  return true;
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

bool read_int(session& s, std::string_view text, int64_t& out, std::string_view otherwise) {
  if (parse_int64(text, out)) return true;
  s.out.error(otherwise);
  return false;
}

}  // namespace kv
