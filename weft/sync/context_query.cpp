// SPDX-License-Identifier: Apache-2.0
// What a context tells: done, err, deadline, values, and its text.
#include <cxxabi.h>

#include <cstdlib>
#include <ctime>
#include <vector>

#include "weft/base/panic.hpp"
#include "weft/base/race.hpp"
#include "weft/sync/context.hpp"
#include "weft/sync/internal/context_node.hpp"
#include "weft/sync/internal/hchan.hpp"
#include "weft/sync/internal/parking.hpp"

namespace weft {
namespace {

const rt::context_node& require(const rt::context_node* n) {
  if (n == nullptr) panic("use of a nil context");
  return *n;
}

}  // namespace

WEFT_UNCHECKED rt::hchan* context::done_raw() const {
  rt::cancel_node* n = require(node_).canceller;
  if (n == nullptr) return nullptr;
  // acquire: partner: the release below; the channel is made.
  if (rt::hchan* c = n->done.load(rt::acquire); c != nullptr) return c;
  auto made = rt::chan_handle::adopt(rt::make_hchan(rt::element_ops_of<std::monostate>, 0));
  const rt::section s;
  const rt::lock_scope held(n->top->lock);
  if (rt::hchan* c = n->done.load(rt::relaxed); c != nullptr) return c;
  rt::hchan* c = made.detach();
  // Nobody knows it yet, so nobody waits on it.
  if (n->state.load(rt::relaxed) != rt::context_live) {
    // Whoever gets the channel gets it from here, so nobody else need acquire this.
    rt::race_acquire(n);
    c->closed.store(1, rt::relaxed);
  }
  n->done.store(c, rt::release);
  return c;
}

done_chan context::done() const { return done_chan(rt::chan_handle::share(done_raw())); }

error context::err() const noexcept {
  rt::cancel_node* n = node_ == nullptr ? nullptr : node_->canceller;
  if (n == nullptr) return {};
  // acquire: partner: the releases in end_node().
  uint32_t state = n->state.load(rt::acquire);
  if (state == rt::context_live) return {};
  if ((state & rt::context_settled) == 0) {
    // Being cancelled: done() must be closed before anybody learns of it.
    const rt::section s;
    const rt::lock_scope held(n->top->lock);
    state = n->state.load(rt::relaxed);
  }
  rt::race_acquire(n);
  return (state & rt::context_expired) != 0 ? deadline_exceeded : canceled;
}

std::optional<time_point> context::deadline() const noexcept {
  for (const rt::context_node* n = node_; n != nullptr; n = n->parent) {
    if (n->kind == rt::context_kind::without_cancel) return std::nullopt;
    // The nearest is the earliest: with_deadline makes no later one below it.
    if (n->kind == rt::context_kind::deadline)
      return time_point(
          std::chrono::nanoseconds(static_cast<const rt::cancel_node*>(n)->deadline_ns));
  }
  return std::nullopt;
}

const void* context::find(const void* key) const noexcept {
  for (const rt::context_node* n = node_; n != nullptr; n = n->parent) {
    if (n->kind != rt::context_kind::value) continue;
    const auto* v = static_cast<const rt::value_node*>(n);
    if (v->typed_key == key) return v->held.value.get();
  }
  return nullptr;
}

const void* context::find(const rt::context_key_base& key, const std::type_info& value_type) const {
  for (const rt::context_node* n = node_; n != nullptr; n = n->parent) {
    if (n->kind != rt::context_kind::value) continue;
    const auto* v = static_cast<const rt::value_node*>(n);
    if (v->key != nullptr && v->key->equals(key))
      return *v->held.type == value_type ? v->held.value.get() : nullptr;
  }
  return nullptr;
}

namespace {

std::string type_name(const std::type_info& type) {
  int status = 0;
  char* readable = abi::__cxa_demangle(type.name(), nullptr, nullptr, &status);
  std::string name = status == 0 ? readable : type.name();
  std::free(readable);
  return name;
}

/// `value` / 10^digits as Go prints it: no point and no zeros at the end without need.
std::string decimal(int64_t value, int digits) {
  int64_t unit = 1;
  for (int i = 0; i < digits; ++i) unit *= 10;
  std::string fraction = std::to_string(value % unit);
  fraction.insert(0, static_cast<size_t>(digits) - fraction.size(), '0');
  while (!fraction.empty() && fraction.back() == '0') fraction.pop_back();
  std::string text = std::to_string(value / unit);
  return fraction.empty() ? text : text + '.' + fraction;
}

/// As Go prints a duration: 1h2m3.5s, 800ms, 1.5µs.
std::string duration_text(int64_t ns) {
  if (ns == 0) return "0s";
  if (ns < 0) return '-' + duration_text(ns == INT64_MIN ? INT64_MAX : -ns);
  if (ns < 1'000) return std::to_string(ns) + "ns";
  if (ns < 1'000'000) return decimal(ns, 3) + "µs";
  if (ns < 1'000'000'000) return decimal(ns, 6) + "ms";
  constexpr int64_t minute_ns = 60'000'000'000;
  const int64_t minutes = ns / minute_ns;
  std::string text;
  if (minutes >= 60) text += std::to_string(minutes / 60) + 'h';
  if (minutes > 0) text += std::to_string(minutes % 60) + 'm';
  return text + decimal(ns % minute_ns, 9) + 's';
}

/// The wall clock's time at which the monotonic one will show `when_ns`.
std::string wall_time_text(int64_t when_ns, int64_t now_ns) {
  // weft::sim's clock counts from 1970 itself.
  const int64_t wall_ns = rt::sim_enabled ? when_ns : rt::os::realtime_ns() + (when_ns - now_ns);
  constexpr int64_t second_ns = 1'000'000'000;
  const std::time_t seconds = wall_ns / second_ns;
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  char text[64];
  const size_t length = std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:", &utc);
  const std::string padding = utc.tm_sec < 10 ? "0" : "";
  const int64_t within_minute_ns = utc.tm_sec * second_ns + wall_ns % second_ns;
  return std::string(text, length) + padding + decimal(within_minute_ns, 9) + " +0000 UTC";
}

std::string key_text(const rt::value_node& v) {
  if (v.key == nullptr) return v.key_name;
  if (v.key->type() == typeid(std::string))
    return *static_cast<const std::string*>(v.key->address());
  return type_name(v.key->type());
}

std::string value_text(const rt::value_node& v) {
  return v.held.text.empty() ? type_name(*v.held.type) : v.held.text;
}

}  // namespace

std::string context::string() const {
  std::vector<const rt::context_node*> chain;
  for (const rt::context_node* n = node_; n != nullptr; n = n->parent) chain.push_back(n);
  std::string text = chain.empty() ? "<nil>" : "";
  for (auto n = chain.rbegin(); n != chain.rend(); ++n) {
    switch ((*n)->kind) {
      case rt::context_kind::background:
        text += "context.Background";
        break;
      case rt::context_kind::todo:
        text +=
            "context.TO"
            "DO";  // Go's word
        break;
      case rt::context_kind::cancel:
        text += ".WithCancel";
        break;
      case rt::context_kind::deadline: {
        const int64_t when = static_cast<const rt::cancel_node*>(*n)->deadline_ns;
        const int64_t at = rt::now_ns();
        text += ".WithDeadline(" + wall_time_text(when, at);
        text += " [" + duration_text(when - at) + "])";
        break;
      }
      case rt::context_kind::value: {
        const auto& v = static_cast<const rt::value_node&>(**n);
        text += ".WithValue(" + key_text(v) + ", " + value_text(v) + ")";
        break;
      }
      case rt::context_kind::without_cancel:
        text += ".WithoutCancel";
        break;
    }
  }
  return text;
}

}  // namespace weft
