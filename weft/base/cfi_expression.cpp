// SPDX-License-Identifier: Apache-2.0
// DWARF expressions, as far as unwind tables use them: procedure linkage stubs (arithmetic on pc),
// realigned stacks and signal frames (a register plus an offset, dereferenced).
#include "weft/base/internal/cfi.hpp"

namespace weft::rt {
namespace {

// Values on the evaluation stack. The deepest seen, in linkage stubs, is 3.
constexpr int depth_max = 16;

struct operand_reader {
  const uint8_t* at;
  const uint8_t* end;

  uint64_t number(int bytes, bool with_sign) noexcept {
    uint64_t value = 0;
    int got = 0;
    for (; got < bytes && at < end; ++got) value |= uint64_t{*at++} << (8 * got);
    if (with_sign && bytes < 8 && (value >> (8 * bytes - 1)) != 0)
      value |= ~uint64_t{0} << (8 * bytes);
    return value;
  }
  uint64_t leb(bool with_sign) noexcept {
    uint64_t value = 0;
    unsigned shift = 0;
    uint8_t byte = 0;
    while (at < end && shift < 64) {
      byte = *at++;
      value |= uint64_t{byte & 0x7fu} << shift;
      shift += 7;
      if ((byte & 0x80) == 0) break;
    }
    if (with_sign && (byte & 0x40) != 0 && shift < 64) value |= ~uint64_t{0} << shift;
    return value;
  }
};

class evaluator {
 public:
  evaluator(const unwind_frame& frame, stack_bounds stack) noexcept
      : frame_(frame), stack_(stack) {}

  bool push(uintptr_t value) noexcept {
    if (depth_ == depth_max) return false;
    values_[depth_++] = value;
    return true;
  }
  bool top(uintptr_t& value) const noexcept {
    if (depth_ == 0) return false;
    value = values_[depth_ - 1];
    return true;
  }
  bool step(uint8_t opcode, operand_reader& in) noexcept {
    if (opcode >= 0x30 && opcode <= 0x4f) return push(opcode - 0x30u);  // lit0..31
    if (opcode >= 0x70 && opcode <= 0x8f) return push_register(opcode - 0x70u, in.leb(true));
    switch (opcode) {
      case 0x03:
        return push(in.number(8, false));  // addr
      case 0x08:
        return push(in.number(1, false));
      case 0x09:
        return push(in.number(1, true));
      case 0x0a:
        return push(in.number(2, false));
      case 0x0b:
        return push(in.number(2, true));
      case 0x0c:
        return push(in.number(4, false));
      case 0x0d:
        return push(in.number(4, true));
      case 0x0e:
      case 0x0f:
        return push(in.number(8, false));
      case 0x10:
        return push(in.leb(false));
      case 0x11:
        return push(in.leb(true));
      case 0x06:
        return depth_ > 0 && stack_word(stack_, values_[depth_ - 1], values_[depth_ - 1]);
      case 0x12:
        return depth_ > 0 && push(values_[depth_ - 1]);  // dup
      case 0x13:
        return depth_-- > 0;  // drop
      case 0x23:
        return depth_ > 0 && (values_[depth_ - 1] += in.leb(false), true);
      case 0x92: {  // bregx
        const uint64_t n = in.leb(false);
        return push_register(n, in.leb(true));
      }
      case 0x96:
        return true;  // nop
      default:
        return binary(opcode);
    }
  }

 private:
  bool push_register(uint64_t n, uint64_t offset) noexcept {
#if defined(__x86_64__)
    if (n == unwind_ra) return push(frame_.pc + offset);
#endif
    if (n >= unwind_registers || (frame_.known >> n & 1) == 0) return false;
    return push(frame_.reg[n] + offset);
  }
  bool binary(uint8_t opcode) noexcept {
    if (depth_ < 2) return false;
    const uintptr_t b = values_[--depth_];
    uintptr_t& a = values_[depth_ - 1];
    const auto sa = static_cast<intptr_t>(a), sb = static_cast<intptr_t>(b);
    switch (opcode) {
      case 0x1a:
        a &= b;
        return true;
      case 0x1c:
        a -= b;
        return true;
      case 0x1e:
        a *= b;
        return true;
      case 0x21:
        a |= b;
        return true;
      case 0x22:
        a += b;
        return true;
      case 0x24:
        a = b < 64 ? a << b : 0;
        return true;
      case 0x25:
        a = b < 64 ? a >> b : 0;
        return true;
      case 0x27:
        a ^= b;
        return true;
      case 0x29:
        a = sa == sb;
        return true;
      case 0x2a:
        a = sa >= sb;
        return true;
      case 0x2b:
        a = sa > sb;
        return true;
      case 0x2c:
        a = sa <= sb;
        return true;
      case 0x2d:
        a = sa < sb;
        return true;
      case 0x2e:
        a = sa != sb;
        return true;
      default:
        return false;
    }
  }

  const unwind_frame& frame_;
  stack_bounds stack_;
  uintptr_t values_[depth_max] = {};
  int depth_ = 0;
};

}  // namespace

bool cfi_evaluate(cfi_expression expression, const unwind_frame& frame, stack_bounds stack,
                  const uintptr_t* initial, uintptr_t& value) noexcept {
  evaluator machine(frame, stack);
  if (initial != nullptr && !machine.push(*initial)) return false;
  operand_reader in{expression.start, expression.start + expression.bytes};
  // Ends: every step consumes at least one byte, and there are no jumps.
  while (in.at < in.end) {
    const uint8_t opcode = *in.at++;
    if (!machine.step(opcode, in)) return false;
  }
  return machine.top(value);
}

}  // namespace weft::rt
