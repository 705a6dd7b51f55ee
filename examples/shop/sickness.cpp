// SPDX-License-Identifier: Apache-2.0
// Faults, planted. Each is what its author took for a good idea.
#include "sickness.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <mutex>
#include <numeric>
#include <unordered_map>
#include <vector>

#include "weft/observe/trace.hpp"
#include "weft/sched/go.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sync/chan.hpp"
#include "weft/sync/mutex.hpp"

namespace shop {

namespace {

sickness planted = sickness::none;

}  // namespace

sickness sickness_of(std::string_view name) noexcept {
  if (name == "cpu") return sickness::cpu;
  if (name == "lock") return sickness::lock;
  if (name == "memory") return sickness::memory;
  if (name == "goroutines") return sickness::goroutines;
  if (name == "stall") return sickness::stall;
  return sickness::none;
}

void plant(sickness what) noexcept { planted = what; }
bool has(sickness what) noexcept { return planted == what; }

// --- cpu -----------------------------------------------------------------------------------------

namespace {

constexpr int blocked_names = 2000;

const std::vector<std::string>& blocked() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> made;
    for (int i = 0; i < blocked_names; ++i) made.push_back("mallory-the-" + std::to_string(i));
    return made;
  }();
  return names;
}

/// How many letters must change to make `b` of `a`.
[[gnu::noinline]] size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t corner = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t changed = corner + (a[i - 1] == b[j - 1] ? 0 : 1);
      corner = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, changed}));
    }
  }
  return row[b.size()];
}

}  // namespace

bool resembles_blocked(const std::string& customer) {
  return std::ranges::any_of(
      blocked(), [&](const std::string& name) { return edit_distance(customer, name) < 2; });
}

// --- lock ----------------------------------------------------------------------------------------

namespace {

struct audit_file {
  weft::mutex lock;
  std::FILE* file = std::tmpfile();
};

}  // namespace

bool audit(const order_answer& order) {
  static audit_file to;
  if (to.file == nullptr) return false;
  const std::lock_guard held(to.lock);
  return weft::blocking([&] {
    std::fprintf(to.file, "%s %s\n", order.id.c_str(), order.status.c_str());
    return std::fflush(to.file) == 0 && ::fsync(::fileno(to.file)) == 0;
  });
}

// --- memory --------------------------------------------------------------------------------------

void remember(const order_answer& order) {
  constexpr size_t page = 4096;
  static weft::mutex lock;
  static std::unordered_map<std::string, std::string> answers;
  std::string answer = order.customer + " " + order.status + " " + order.reason;
  answer.resize(page, ' ');
  const std::lock_guard held(lock);
  answers.emplace(order.id, std::move(answer));
}

// --- goroutines ----------------------------------------------------------------------------------

int64_t quote_shipping(const order_request& order) {
  const auto parcels = static_cast<int64_t>(order.items.size());
  const auto prices = weft::make_chan<int64_t>();
  for (const int64_t cents_each : {499, 599})
    weft::go([prices, parcels, cents_each] { prices.send(parcels * cents_each); });
  return prices.recv().value_or(0);
}

// --- stall ---------------------------------------------------------------------------------------

namespace {

weft::mutex& turn_of(const std::string& customer) {
  static weft::mutex lock;
  static std::unordered_map<std::string, std::unique_ptr<weft::mutex>> turns;
  const std::lock_guard held(lock);
  std::unique_ptr<weft::mutex>& turn = turns[customer];
  if (!turn) turn = std::make_unique<weft::mutex>();
  return *turn;
}

}  // namespace

void begin_turn(const weft::context& ctx, const std::string& customer) {
  const weft::trace::region waiting(ctx, "turn");
  turn_of(customer).lock();
}
void end_turn(const std::string& customer) { turn_of(customer).unlock(); }

}  // namespace shop
