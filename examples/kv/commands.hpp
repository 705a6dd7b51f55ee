// SPDX-License-Identifier: Apache-2.0
// The command table: names, arities and handlers. One file per family of commands.
#pragma once

#include <span>
#include <string_view>

#include "session.hpp"
#include "store.hpp"

namespace kv {

using arguments = std::span<const std::string_view>;
using handler = void (*)(session& s, arguments a);

struct command {
  const char* name;  // lower case
  /// As Redis counts: with the name; negative: at least.
  int arity;
  handler run;
  /// Space-separated, as COMMAND shows them.
  const char* flags;
  int first_key;
  int last_key;
  int key_step;
};

/// Looks the command up and runs it, or replies what is wrong with it.
void execute(session& s, arguments a);

/// Null if there is none. Any case.
[[nodiscard]] const command* find_command(std::string_view name) noexcept;
[[nodiscard]] std::span<const command> all_commands() noexcept;

// --- shared by the families ------------------------------------------------------------------

inline constexpr std::string_view wrong_type =
    "WRONGTYPE Operation against a key holding the wrong kind of value";
inline constexpr std::string_view not_integer = "ERR value is not an integer or out of range";
inline constexpr std::string_view not_float = "ERR value is not a valid float";
inline constexpr std::string_view syntax_error = "ERR syntax error";

/// Case-insensitive; `lower` is lower case.
[[nodiscard]] bool is_word(std::string_view text, std::string_view lower) noexcept;
[[nodiscard]] std::string lower_case(std::string_view text);
/// The integer in `text`, or an error reply and false.
[[nodiscard]] bool read_int(session& s, std::string_view text, int64_t& out,
                            std::string_view otherwise = not_integer);

/// The value of type T in `e`; null and a WRONGTYPE reply if it holds another. `e` is not null.
template <class T>
[[nodiscard]] T* typed(session& s, entry* e) {
  if constexpr (std::is_same_v<T, std::string>) {
    if (auto* held = std::get_if<std::string>(&e->data)) return held;
  } else {
    if (auto* held = std::get_if<std::unique_ptr<T>>(&e->data)) return held->get();
  }
  s.out.error(wrong_type);
  return nullptr;
}

/// The container at `key`, made if absent; null after a WRONGTYPE reply.
template <class T>
[[nodiscard]] T* typed_or_new(session& s, const locked_key& key, entry*& e) {
  e = key.find();
  if (e == nullptr) {
    e = key.insert();
    e->data = std::make_unique<T>();
  }
  return typed<T>(s, e);
}

std::span<const command> string_commands() noexcept;
std::span<const command> key_commands() noexcept;
std::span<const command> list_commands() noexcept;
std::span<const command> hash_commands() noexcept;
std::span<const command> set_commands() noexcept;
std::span<const command> pubsub_commands() noexcept;
std::span<const command> server_commands() noexcept;

}  // namespace kv
