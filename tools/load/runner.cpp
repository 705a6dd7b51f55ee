// SPDX-License-Identifier: Apache-2.0
// Starting and ending the connections.
#include "runner.hpp"

#include "weft/sched/runtime.hpp"
#include "worker.hpp"

namespace load {

runner::runner(const options& how, const plan& what, recorder& log, const tls_dialer& tls)
    : ctx_(weft::with_cancel(weft::background())),
      state_(std::make_unique<shared_state>(how, what, log, tls, ctx_.ctx)),
      running_(std::make_unique<weft::wait_group>()) {
  for (uint32_t i = 0; i < how.connections; ++i)
    workers_.push_back(std::make_unique<worker>(*state_, i));
}

runner::~runner() = default;

void runner::start() {
  state_->begin = weft::now();
  state_->measured = state_->begin + state_->how.warmup;
  if (state_->how.duration != ns(0))
    state_->end_ns.store((state_->measured + state_->how.duration).time_since_epoch().count(),
                         std::memory_order_relaxed);
  for (const std::unique_ptr<worker>& w : workers_)
    running_->go({.name = "load connection"}, [one = w.get()] { one->run(); });
}

void runner::end() noexcept {
  int64_t end = state_->end_ns.load(std::memory_order_relaxed);
  const int64_t now = weft::now().time_since_epoch().count();
  while (now < end && !state_->end_ns.compare_exchange_weak(end, now, std::memory_order_relaxed)) {
  }
}

void runner::abandon() {
  end();
  // release: partner: worker::connect(), which looks under the lock that worker::abandon() takes.
  state_->abandoned.store(true, std::memory_order_release);
  ctx_.cancel();
  for (const std::unique_ptr<worker>& w : workers_) w->abandon();
}

void runner::wait() { running_->wait(); }

}  // namespace load
