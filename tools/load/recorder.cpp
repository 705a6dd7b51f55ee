// SPDX-License-Identifier: Apache-2.0
// Tallies and the stripes they are written in.
#include "recorder.hpp"

#include <numeric>

namespace load {

std::string_view failure_name(failure what) noexcept {
  static constexpr std::array<std::string_view, failure_count> names = {
      "connect", "timeout", "write", "read", "closed", "malformed", "unsent"};
  return names[static_cast<size_t>(what)];
}

void tally::merge(const tally& other) {
  latency.merge(other.latency);
  connecting.merge(other.connecting);
  lag.merge(other.lag);
  responses += other.responses;
  late += other.late;
  bytes_in += other.bytes_in;
  bytes_out += other.bytes_out;
  reconnects += other.reconnects;
  for (size_t i = 0; i < statuses.size(); ++i) statuses[i] += other.statuses[i];
  for (size_t i = 0; i < failure_count; ++i) {
    failures[i] += other.failures[i];
    if (samples[i].empty()) samples[i] = other.samples[i];
  }
}

void tally::clear() noexcept {
  latency.clear();
  connecting.clear();
  lag.clear();
  responses = late = bytes_in = bytes_out = reconnects = 0;
  statuses.fill(0);
  failures.fill(0);
  for (std::string& sample : samples) sample.clear();
}

uint64_t tally::failed() const noexcept {
  return std::accumulate(failures.begin(), failures.end(), uint64_t{0});
}

recorder::recorder(size_t stripes) {
  for (size_t i = 0; i < stripes; ++i) stripes_.push_back(std::make_unique<stripe>());
}

void recorder::collect(tally& to) {
  for (const std::unique_ptr<stripe>& s : stripes_) {
    s->lock_.lock();
    std::swap(s->current_, spare_);
    s->lock_.unlock();
    to.merge(*spare_);
    spare_->clear();
  }
}

}  // namespace load
