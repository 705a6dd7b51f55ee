// SPDX-License-Identifier: Apache-2.0
// The only file that includes simdjson: its first stage, and the free list of what that needs.
#include "weft/json/internal/scan.hpp"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <bit>
#include <new>

#include "weft/base/atomic.hpp"

namespace weft::rt::json_impl {

struct scratch {
  std::unique_ptr<simdjson::internal::dom_parser_implementation> parser;
};

namespace {

/// Texts below this share one size of index (4 bytes for each byte of text); above, powers of two.
constexpr size_t smallest_text_bytes = 4096;
/// What larger texts needed is freed at once: the free list holds at most 16 MiB.
constexpr size_t kept_text_bytes = size_t{256} << 10;

/// Free scratches. A slot is taken and filled by exchanging its pointer, so whoever has it owns it.
constexpr size_t slot_count = 16;
struct alignas(64) slot {
  rt::atomic<scratch*> free{nullptr};
};
std::array<slot, slot_count> slots;

/// Where to look first: callers on different stacks begin at different slots.
size_t first_slot() noexcept {
  return (reinterpret_cast<uintptr_t>(__builtin_frame_address(0)) >> 14) % slot_count;
}

scratch* take() noexcept {
  size_t first = first_slot();
  for (size_t i = 0; i < slot_count; ++i) {
    rt::atomic<scratch*>& place = slots[(first + i) % slot_count].free;
    if (place.load(rt::relaxed) == nullptr) continue;
    // acquire: partner of the release in give().
    if (scratch* taken = place.exchange(nullptr, rt::acquire); taken != nullptr) return taken;
  }
  return new (std::nothrow) scratch;
}

void give(scratch* mine) noexcept {
  if (mine->parser == nullptr || mine->parser->capacity() <= kept_text_bytes) {
    size_t first = first_slot();
    for (size_t i = 0; i < slot_count; ++i) {
      rt::atomic<scratch*>& place = slots[(first + i) % slot_count].free;
      scratch* none = nullptr;
      if (place.load(rt::relaxed) == nullptr &&
          // release: partner of the acquire in take().
          place.compare_exchange(none, mine, rt::release, rt::relaxed))
        return;
    }
  }
  delete mine;
}

/// Room for `bytes` of text.
bool prepare(scratch& s, size_t bytes) noexcept {
  size_t capacity = std::bit_ceil(std::max(bytes, smallest_text_bytes));
  capacity = std::min<size_t>(capacity, simdjson::SIMDJSON_MAXSIZE_BYTES);
  if (s.parser == nullptr) {
    // The depth is that of simdjson's second stage, which is not used.
    return simdjson::get_active_implementation()->create_dom_parser_implementation(
               capacity, 1, s.parser) == simdjson::SUCCESS;
  }
  return s.parser->capacity() >= bytes || s.parser->set_capacity(capacity) == simdjson::SUCCESS;
}

}  // namespace

scan::~scan() {
  if (scratch_ != nullptr) give(scratch_);
}

scan::outcome scan::run(std::string_view text) noexcept {
  if (scratch_ == nullptr) scratch_ = take();
  if (scratch_ == nullptr || !prepare(*scratch_, text.size())) return outcome::no_memory;
  simdjson::internal::dom_parser_implementation& parser = *scratch_->parser;
  simdjson::error_code code = parser.stage1(reinterpret_cast<const uint8_t*>(text.data()),
                                            text.size(), simdjson::stage1_mode::regular);
  if (code != simdjson::SUCCESS) return outcome::bad;
  begin_ = parser.structural_indexes.get();
  count_ = parser.n_structural_indexes;
  return outcome::good;
}

}  // namespace weft::rt::json_impl
