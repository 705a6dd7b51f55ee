// SPDX-License-Identifier: Apache-2.0
// How far a run of ordinary bytes goes: what parsers of text protocols spend their time on. Sixteen
// bytes a step where the machine has a vector unit (SSE2, NEON), a table elsewhere. All functions
// return the first byte in [p, end) that is not ordinary, or `end`; none reads outside.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

namespace weft::rt::scan {

/// What a byte may stand in, as bits of `classes`.
inline constexpr uint8_t in_name = 1;    // letters, digits, '-': nearly all of a header's name
inline constexpr uint8_t in_text = 2;    // anything but 0x00-0x1f and 0x7f
inline constexpr uint8_t in_target = 4;  // 0x21-0x7e but '#'

namespace detail {
consteval std::array<uint8_t, 256> make_classes() {
  std::array<uint8_t, 256> of{};
  for (unsigned b = 0; b < 256; ++b) {
    const unsigned low = b | 0x20;
    if ((low >= 'a' && low <= 'z') || (b >= '0' && b <= '9') || b == '-') of[b] |= in_name;
    if (b >= 0x20 && b != 0x7f) of[b] |= in_text;
    if (b > 0x20 && b < 0x7f && b != '#') of[b] |= in_target;
  }
  return of;
}
}  // namespace detail
inline constexpr std::array<uint8_t, 256> classes = detail::make_classes();

/// The table's answer: the whole answer without a vector unit, and for the last bytes with one.
[[nodiscard]] inline const char* first_outside(const char* p, const char* end,
                                               uint8_t of) noexcept {
  while (p != end && (classes[static_cast<uint8_t>(*p)] & of) != 0) ++p;
  return p;
}

#if defined(__SSE2__)

namespace detail {
using block = __m128i;
inline constexpr ptrdiff_t block_bytes = 16;
inline block load(const char* p) noexcept {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}
inline block all(int byte) noexcept { return _mm_set1_epi8(static_cast<char>(byte)); }
/// Unsigned: byte <= bound.
inline block at_most(block v, int bound) noexcept {
  return _mm_cmpeq_epi8(_mm_min_epu8(v, all(bound)), v);
}
/// A bit for each byte, or four; the index of the first of them.
inline uint64_t bits(block mask) noexcept { return static_cast<unsigned>(_mm_movemask_epi8(mask)); }
inline ptrdiff_t first(uint64_t bits) noexcept { return std::countr_zero(bits); }
inline uint64_t not_name(block v) noexcept {
  const block letter = at_most(_mm_sub_epi8(_mm_or_si128(v, all(0x20)), all('a')), 25);
  const block digit = at_most(_mm_sub_epi8(v, all('0')), 9);
  const block good = _mm_or_si128(_mm_or_si128(letter, digit), _mm_cmpeq_epi8(v, all('-')));
  return bits(_mm_xor_si128(good, all(0xff)));
}
inline uint64_t not_text(block v) noexcept {
  return bits(_mm_or_si128(at_most(v, 0x1f), _mm_cmpeq_epi8(v, all(0x7f))));
}
inline uint64_t not_target(block v) noexcept {
  // Signed: what is above 0x7f is below 0x21.
  const block low = _mm_cmplt_epi8(v, all(0x21));
  const block other = _mm_or_si128(_mm_cmpeq_epi8(v, all(0x7f)), _mm_cmpeq_epi8(v, all('#')));
  return bits(_mm_or_si128(low, other));
}
}  // namespace detail

#elif defined(__ARM_NEON)

namespace detail {
using block = uint8x16_t;
inline constexpr ptrdiff_t block_bytes = 16;
inline block load(const char* p) noexcept { return vld1q_u8(reinterpret_cast<const uint8_t*>(p)); }
/// A bit for each byte, or four; the index of the first of them.
inline uint64_t bits(block mask) noexcept {
  const uint8x8_t narrow = vshrn_n_u16(vreinterpretq_u16_u8(mask), 4);
  return vget_lane_u64(vreinterpret_u64_u8(narrow), 0);
}
inline ptrdiff_t first(uint64_t bits) noexcept { return std::countr_zero(bits) / 4; }
inline uint64_t not_name(block v) noexcept {
  const block letter =
      vcleq_u8(vsubq_u8(vorrq_u8(v, vdupq_n_u8(0x20)), vdupq_n_u8('a')), vdupq_n_u8(25));
  const block digit = vcleq_u8(vsubq_u8(v, vdupq_n_u8('0')), vdupq_n_u8(9));
  return bits(vmvnq_u8(vorrq_u8(vorrq_u8(letter, digit), vceqq_u8(v, vdupq_n_u8('-')))));
}
inline uint64_t not_text(block v) noexcept {
  return bits(vorrq_u8(vcleq_u8(v, vdupq_n_u8(0x1f)), vceqq_u8(v, vdupq_n_u8(0x7f))));
}
inline uint64_t not_target(block v) noexcept {
  const block edge = vorrq_u8(vcleq_u8(v, vdupq_n_u8(0x20)), vcgeq_u8(v, vdupq_n_u8(0x7f)));
  return bits(vorrq_u8(edge, vceqq_u8(v, vdupq_n_u8('#'))));
}
}  // namespace detail

#endif

#if defined(__SSE2__) || defined(__ARM_NEON)

namespace detail {
template <auto Test>
[[nodiscard]] inline const char* by_blocks(const char* p, const char* end, uint8_t of) noexcept {
  while (end - p >= block_bytes) {
    // The next load must not wait for where this one's bit is, which is what `p += first` would do.
    const uint64_t found = Test(load(p));
    if (found != 0) return p + first(found);
    p += block_bytes;
  }
  return first_outside(p, end, of);
}
}  // namespace detail

/// The first byte that is neither a letter nor a digit nor '-'.
[[nodiscard]] inline const char* first_not_name(const char* p, const char* end) noexcept {
  return detail::by_blocks<detail::not_name>(p, end, in_name);
}
/// The first control character: 0x00-0x1f (tab is one), 0x7f.
[[nodiscard]] inline const char* first_control(const char* p, const char* end) noexcept {
  return detail::by_blocks<detail::not_text>(p, end, in_text);
}
/// The first byte that is no visible ASCII character, or is '#'.
[[nodiscard]] inline const char* first_not_target(const char* p, const char* end) noexcept {
  return detail::by_blocks<detail::not_target>(p, end, in_target);
}

#else

[[nodiscard]] inline const char* first_not_name(const char* p, const char* end) noexcept {
  return first_outside(p, end, in_name);
}
[[nodiscard]] inline const char* first_control(const char* p, const char* end) noexcept {
  return first_outside(p, end, in_text);
}
[[nodiscard]] inline const char* first_not_target(const char* p, const char* end) noexcept {
  return first_outside(p, end, in_target);
}

#endif

}  // namespace weft::rt::scan
