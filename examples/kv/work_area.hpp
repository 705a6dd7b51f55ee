// SPDX-License-Identifier: Apache-2.0
// What serving a batch of commands needs: input buffer, reply buffer, parser's lists. Borrowed from
// a pool when a client speaks and given back when it is silent, so that an idle connection costs a
// parked goroutine and no buffer.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weft/sync/mutex.hpp"

namespace kv {

/// Bytes received and not yet consumed, in one piece.
class input_buffer {
 public:
  // Redis's PROTO_IOBUF_LEN. Larger reads more of a pipeline at once, and costs memory per client
  // that is in the middle of a request.
  static constexpr size_t usual_bytes = 16 * 1024;

  [[nodiscard]] std::string_view data() const noexcept { return {bytes_.data() + begin_, size()}; }
  [[nodiscard]] size_t size() const noexcept { return end_ - begin_; }
  [[nodiscard]] bool empty() const noexcept { return begin_ == end_; }
  void consume(size_t count) noexcept {
    begin_ += count;
    if (begin_ == end_) begin_ = end_ = 0;
  }
  /// Room for more, at least one byte, and for `wanted` bytes from data()'s begin if that is known.
  [[nodiscard]] std::span<char> room(size_t wanted);
  void received(size_t count) noexcept { end_ += count; }
  void clear() noexcept { begin_ = end_ = 0; }
  /// Lets go of more than the usual.
  void shrink();

 private:
  std::vector<char> bytes_ = std::vector<char>(usual_bytes);
  size_t begin_ = 0;
  size_t end_ = 0;
};

struct work_area {
  input_buffer in;
  std::string out;
};

class work_area_pool {
 public:
  [[nodiscard]] std::unique_ptr<work_area> take();
  void give_back(std::unique_ptr<work_area> area);

 private:
  // More than this many are never in use at once for long: two per P that runs, and the clients
  // that are in the middle of a request.
  static constexpr size_t kept_max = 256;
  weft::mutex lock_;
  std::vector<std::unique_ptr<work_area>> free_;
};

}  // namespace kv
