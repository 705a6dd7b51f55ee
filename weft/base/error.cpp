// SPDX-License-Identifier: Apache-2.0
// The node behind an error: immutable once made, shared by copies.
#include "weft/base/error.hpp"

#include "weft/base/atomic.hpp"
#include "weft/base/race.hpp"

namespace weft {

/// One link of the chain. Three kinds: made (a text, maybe a code), wrapped (a text and a cause),
/// carrying (a payload and a cause, no text of its own).
struct error::node {
  std::string text;
  std::error_code code;  // a cause's code is copied up, so code() does not walk
  error cause;
  const void* payload_type = nullptr;
  std::shared_ptr<const void> payload;
  /// Made while static objects were made: see below.
  bool lasts = static_objects_are_made.load(rt::relaxed) != 0;
  /// Errors that refer to it.
  mutable rt::atomic<uint32_t> refs{1};

  /// 1 until the runtime is used. Sentinels are static objects; their destructors run at the end of
  /// the process, while goroutines that were left behind may still return one. So an error that was
  /// made before is never freed after.
  static constinit rt::atomic<uint32_t> static_objects_are_made;
};

constinit rt::atomic<uint32_t> error::node::static_objects_are_made{1};

namespace rt {
void static_errors_last() noexcept { error::node::static_objects_are_made.store(0, relaxed); }
}  // namespace rt

void error::retain(const node& n) noexcept { n.refs.fetch_add(1, rt::relaxed); }

void error::release(const node* n) noexcept {
  rt::race_release(n);
  // acq_rel: the last one destroys what the others read; partner: the other releases.
  if (n->refs.fetch_sub(1, rt::acq_rel) != 1) return;
  if (n->lasts && node::static_objects_are_made.load(rt::relaxed) == 0) return;
  rt::race_acquire(n);
  delete n;
}

error::error(std::string message) : node_(new node{std::move(message), {}, {}, nullptr, nullptr}) {}

error::error(std::error_code code, std::string message)
    : node_(new node{
          message.empty() ? code.message() : std::move(message), code, {}, nullptr, nullptr}) {}

error error::wrap(std::string message, error cause) {
  std::error_code code = cause.code();
  return error(new node{std::move(message), code, std::move(cause), nullptr, nullptr});
}

std::string error::message() const {
  std::string whole;
  for (const node* at = node_; at != nullptr; at = at->cause.node_) {
    if (at->payload_type != nullptr) continue;
    if (!whole.empty()) whole += ": ";
    whole += at->text;
  }
  return whole;
}

std::error_code error::code() const noexcept {
  return node_ != nullptr ? node_->code : std::error_code{};
}

error error::unwrap() const noexcept { return node_ != nullptr ? node_->cause : error{}; }

bool error::is(const error& target) const noexcept {
  if (!target) return !*this;
  for (const node* at = node_; at != nullptr; at = at->cause.node_) {
    if (at == target.node_) return true;
  }
  return target.code().value() != 0 && is(target.code());
}

bool error::is(std::error_code wanted) const noexcept {
  if (wanted.value() == 0) return false;
  for (const node* at = node_; at != nullptr; at = at->cause.node_) {
    // The second form: system_category's ECONNRESET is generic_category's.
    if (at->code == wanted || (at->code.value() != 0 && at->code.default_error_condition() ==
                                                            wanted.default_error_condition()))
      return true;
  }
  return false;
}

bool error::timeout() const noexcept {
  return node_ != nullptr && is(std::make_error_code(std::errc::timed_out));
}

const void* error::find(const void* type) const noexcept {
  for (const node* at = node_; at != nullptr; at = at->cause.node_) {
    if (at->payload_type == type) return at->payload.get();
  }
  return nullptr;
}

error error::attach(const void* type, std::shared_ptr<const void> value) const {
  return error(new node{{}, code(), *this, type, std::move(value)});
}

}  // namespace weft
