// SPDX-License-Identifier: Apache-2.0
// Ends the context of the request that is served when its client leaves.
#pragma once

#include "weft/net/internal/stream.hpp"
#include "weft/sync/context.hpp"
#include "weft/sync/mutex.hpp"
#include "weft/sync/wait_group.hpp"

namespace weft::rt {

/// Watches a stream that nobody reads meanwhile. Its own goroutine runs only when something comes.
class hangup_watch final : public read_watcher {
 public:
  /// `limit`: of a deadline that the context has from its parent, or nothing. Called at the end.
  hangup_watch(stream& of, context ctx, cancel_cause_func cancel, cancel_func limit) noexcept
      : stream_(of), ctx_(std::move(ctx)), cancel_(std::move(cancel)), limit_(std::move(limit)) {}

  [[nodiscard]] const context& ctx() const noexcept { return ctx_; }
  /// Cancels at once if the client has left already.
  void begin();
  /// Nothing is watched, and nothing of it runs, when it returns. May park for a moment.
  void end();
  /// Ends the context, which is how a request's ends.
  void cancel(const error& why) { cancel_(why); }

  void readable() override;

 private:
  enum class state : uint8_t { off, armed, over };
  /// Under lock_: arms, or cancels if the client has left.
  void arm();

  stream& stream_;
  context ctx_;
  cancel_cause_func cancel_;
  cancel_func limit_;
  mutex lock_;
  wait_group told_;  // one for each arming that has not run yet
  state state_ = state::off;
};

}  // namespace weft::rt
