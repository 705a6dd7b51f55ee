// SPDX-License-Identifier: Apache-2.0
// group: a wait_group, a channel of tokens as the limit, and the first error.
#include "weft/sync/group.hpp"

#include <mutex>
#include <string>

#include "weft/base/panic.hpp"
#include "weft/base/race.hpp"

namespace weft {

group::state_handle::state_handle(const state_handle& other) noexcept : state_(other.state_) {
  state_->refs.fetch_add(1, rt::relaxed);
}

group::state_handle::~state_handle() {
  if (state_ == nullptr) return;
  rt::race_release(state_);
  // acq_rel: the last one destroys what the others used; partner: the other releases.
  if (state_->refs.fetch_sub(1, rt::acq_rel) != 1) return;
  rt::race_acquire(state_);
  delete state_;
}

void group::state::enter() {
  if (tokens != nullptr) tokens.send({});
  running.add(1);
}

bool group::state::try_enter() {
  if (tokens != nullptr && !tokens.try_send(std::monostate{})) return false;
  running.add(1);
  return true;
}

void group::state::leave(error outcome) {
  bool is_first = false;
  if (outcome) {
    const std::lock_guard held(lock);
    is_first = !first;
    if (is_first) first = outcome;
  }
  if (is_first) cancel(std::move(outcome));
  if (tokens != nullptr) (void)tokens.try_recv();
  running.done();
}

void group::limit(int n) {
  if (const size_t active = state_->tokens.len(); active > 0)
    panic("errgroup: modify limit while " + std::to_string(active) +
          " goroutines in the group are still active");
  state_->tokens = n < 0 ? chan<std::monostate>() : make_chan<std::monostate>(n);
}

result<void> group::wait() {
  state_->running.wait();
  error outcome;
  {
    const std::lock_guard held(state_->lock);
    outcome = state_->first;
  }
  state_->cancel(outcome);
  if (outcome) return fail(std::move(outcome));
  return {};
}

group_and_context with_group(const context& parent) {
  auto [ctx, cancel] = with_cancel_cause(parent);
  group_and_context made{group{}, ctx};
  made.g.state_->cancel = std::move(cancel);
  return made;
}

}  // namespace weft
