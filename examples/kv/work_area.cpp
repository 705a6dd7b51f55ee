// SPDX-License-Identifier: Apache-2.0
// Buffers and their pool.
#include "work_area.hpp"

#include <algorithm>
#include <cstring>
#include <mutex>

namespace kv {

std::span<char> input_buffer::room(size_t wanted) {
  // A quarter free is room enough: else small reads would move data about all the time.
  const size_t need = std::max(wanted, size() + usual_bytes / 4);
  if (bytes_.size() - begin_ < need) {
    if (begin_ != 0) {
      std::memmove(bytes_.data(), bytes_.data() + begin_, size());
      end_ -= begin_;
      begin_ = 0;
    }
    // Announced bulks get their room in steps: what is promised need not come.
    constexpr size_t step_max = 4UL * 1024 * 1024;
    const size_t grown = std::min(need, std::max(2 * bytes_.size(), size() + step_max));
    if (bytes_.size() < grown) bytes_.resize(grown);
  }
  return {bytes_.data() + end_, bytes_.size() - end_};
}

void input_buffer::shrink() {
  if (bytes_.size() > usual_bytes && size() <= usual_bytes) {
    std::vector<char> small(usual_bytes);
    std::memcpy(small.data(), bytes_.data() + begin_, size());
    end_ = size();
    begin_ = 0;
    bytes_ = std::move(small);
  }
}

std::unique_ptr<work_area> work_area_pool::take() {
  {
    const std::scoped_lock hold(lock_);
    if (!free_.empty()) {
      std::unique_ptr<work_area> area = std::move(free_.back());
      free_.pop_back();
      return area;
    }
  }
  return std::make_unique<work_area>();
}

void work_area_pool::give_back(std::unique_ptr<work_area> area) {
  area->in.clear();
  area->in.shrink();
  area->out.clear();
  if (area->out.capacity() > 4 * input_buffer::usual_bytes) std::string().swap(area->out);
  const std::scoped_lock hold(lock_);
  if (free_.size() < kept_max) free_.push_back(std::move(area));
}

}  // namespace kv
