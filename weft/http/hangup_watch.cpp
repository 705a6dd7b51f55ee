// SPDX-License-Identifier: Apache-2.0
// Clients that leave.
#include "weft/http/internal/hangup_watch.hpp"

#include <mutex>

namespace weft::rt {

namespace {
const error client_left("http: the client has left");
}

void hangup_watch::arm() {
  told_.add(1);
  state_ = state::armed;
  if (stream_.watch_hangup(*this)) return;
  told_.done();
  state_ = state::over;
  cancel_(client_left);
}

void hangup_watch::begin() {
  const std::scoped_lock hold(lock_);
  if (state_ == state::off) arm();
}

void hangup_watch::readable() {
  {
    const std::scoped_lock hold(lock_);
    // Bytes of a next request may have come: they wait, and the watch goes on.
    if (state_ == state::armed) {
      if (stream_.hung_up()) {
        state_ = state::over;
        cancel_(client_left);
      } else {
        arm();
      }
    }
  }
  told_.done();
}

void hangup_watch::end() {
  {
    const std::scoped_lock hold(lock_);
    const bool armed = state_ == state::armed;
    state_ = state::over;
    if (armed && stream_.unwatch()) told_.done();
  }
  told_.wait();
}

}  // namespace weft::rt
