// SPDX-License-Identifier: Apache-2.0
// The hash table of one shard.
#include "table.hpp"

#include <array>
#include <cstring>
#include <random>

namespace kv {

namespace {

inline constexpr size_t slots_min = 16;

uint64_t fold(uint64_t a, uint64_t b) noexcept {
  __extension__ using wide = unsigned __int128;
  const wide product = static_cast<wide>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

uint64_t random_seed() {
  std::random_device device;
  return uint64_t{device()} << 32 | device();
}

// Odd constants with many bits: digits of e and pi.
inline constexpr uint64_t mix_a = 0xb7e151628aed2a6bULL;
inline constexpr uint64_t mix_b = 0x243f6a8885a308d3ULL;

uint64_t reverse_bits(uint64_t v) noexcept {
  uint64_t out = 0;
  for (int i = 0; i < 64; ++i) {
    out = out << 1 | (v & 1);
    v >>= 1;
  }
  return out;
}

}  // namespace

uint64_t hash_bytes(std::string_view text) noexcept {
  static const uint64_t seed = random_seed();
  uint64_t h = seed ^ (text.size() * mix_b);
  const char* at = text.data();
  size_t left = text.size();
  while (left >= 8) {
    uint64_t word = 0;
    std::memcpy(&word, at, 8);
    h = fold(h ^ word, mix_a);
    at += 8;
    left -= 8;
  }
  uint64_t tail = 0;
  std::memcpy(&tail, at, left);
  return fold(h ^ tail ^ mix_b, mix_a ^ seed);
}

const char* type_name(const value& v) noexcept {
  static constexpr std::array<const char*, 4> names = {"string", "list", "hash", "set"};
  return names[v.index()];
}

table::~table() { clear(); }

entry* table::find(std::string_view key, uint64_t hash) const noexcept {
  if (count_ == 0) return nullptr;
  const uint64_t mask = slots_.size() - 1;
  for (uint64_t i = home(hash);; i = (i + 1) & mask) {
    const slot& s = slots_[i];
    if (s.held == nullptr) return nullptr;
    if (s.hash == hash && s.held->key == key) return s.held;
  }
}

void table::put(uint64_t hash, entry* e) noexcept {
  const uint64_t mask = slots_.size() - 1;
  uint64_t i = home(hash);
  while (slots_[i].held != nullptr) i = (i + 1) & mask;
  slots_[i] = {hash, e};
}

void table::resize(size_t slots) {
  std::vector<slot> old(slots);
  old.swap(slots_);
  for (const slot& s : old)
    if (s.held != nullptr) put(s.hash, s.held);
}

entry* table::insert(std::string_view key, uint64_t hash) {
  if ((count_ + 1) * 4 > slots_.size() * 3) resize(slots_.empty() ? slots_min : slots_.size() * 2);
  auto* e = new entry{hash, 0, std::string(key), {}};
  put(hash, e);
  ++count_;
  return e;
}

void table::erase(entry* e) noexcept {
  const uint64_t mask = slots_.size() - 1;
  uint64_t hole = home(e->hash);
  while (slots_[hole].held != e) hole = (hole + 1) & mask;
  delete e;
  slots_[hole] = {};
  --count_;
  // Close the gap: an entry behind it moves into the hole unless its home lies between the two.
  for (uint64_t i = (hole + 1) & mask; slots_[i].held != nullptr; i = (i + 1) & mask) {
    const uint64_t from_home = (i - home(slots_[i].hash)) & mask;
    if (from_home >= ((i - hole) & mask)) {
      slots_[hole] = slots_[i];
      slots_[i] = {};
      hole = i;
    }
  }
  if (slots_.size() > slots_min && count_ * 8 < slots_.size()) resize(slots_.size() / 2);
}

void table::clear() noexcept {
  for (const slot& s : slots_) delete s.held;
  std::vector<slot>().swap(slots_);
  count_ = 0;
}

entry* table::sample(uint64_t random) const noexcept {
  if (count_ == 0) return nullptr;
  const uint64_t mask = slots_.size() - 1;
  for (uint64_t i = random & mask;; i = (i + 1) & mask)
    if (slots_[i].held != nullptr) return slots_[i].held;
}

uint64_t table::next_cursor(uint64_t cursor, uint64_t mask) noexcept {
  cursor |= ~mask;
  return reverse_bits(reverse_bits(cursor) + 1);
}

}  // namespace kv
