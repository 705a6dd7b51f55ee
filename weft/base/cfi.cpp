// SPDX-License-Identifier: Apache-2.0
// Finds and interprets unwind tables:
//
//   pc -> _dl_find_object() (lock-free, glibc 2.35) -> .eh_frame_hdr: sorted (pc, FDE) pairs
//      -> FDE (a function) -> CIE (its common part) -> both programs, run up to pc -> row
//
// The bytes come from files the dynamic linker mapped; they are trusted to be well formed as far as
// lengths go, and every cursor is still kept within its record.
#include "weft/base/internal/cfi.hpp"

#include <dlfcn.h>

namespace weft::rt {
namespace {

// Rows that remember_state can hold. Compilers emit 1; hand-written assembly seldom 2.
constexpr int remembered_max = 4;

/// Reads encoded numbers from [at, end); past the end it yields zeros.
struct cursor {
  const uint8_t* at = nullptr;
  const uint8_t* end = nullptr;

  [[nodiscard]] bool more() const noexcept { return at < end; }

  template <class T>
  T fixed() noexcept {
    if (static_cast<size_t>(end - at) < sizeof(T)) {
      at = end;
      return 0;
    }
    T value;
    __builtin_memcpy(&value, at, sizeof value);
    at += sizeof value;
    return value;
  }
  uint64_t uleb() noexcept {
    uint64_t value = 0;
    for (unsigned shift = 0; more(); shift += 7) {
      const uint8_t byte = *at++;
      if (shift < 64) value |= uint64_t{byte & 0x7fu} << shift;
      if ((byte & 0x80) == 0) break;
    }
    return value;
  }
  int64_t sleb() noexcept {
    uint64_t value = 0;
    unsigned shift = 0;
    uint8_t byte = 0;
    while (more()) {
      byte = *at++;
      if (shift < 64) value |= uint64_t{byte & 0x7fu} << shift;
      shift += 7;
      if ((byte & 0x80) == 0) break;
    }
    if ((byte & 0x40) != 0 && shift < 64) value |= ~uint64_t{0} << shift;
    return static_cast<int64_t>(value);
  }
  void skip(size_t bytes) noexcept {
    at = bytes <= static_cast<size_t>(end - at) ? at + bytes : end;
  }
  cfi_expression block() noexcept {
    const size_t bytes = uleb();
    const cfi_expression found{at, bytes};
    skip(bytes);
    return found;
  }
  /// A pointer as DW_EH_PE_* `encoding` says; `data` is the base of data-relative ones.
  uintptr_t pointer(uint8_t encoding, uintptr_t data) noexcept {
    const auto here = reinterpret_cast<uintptr_t>(at);
    uintptr_t value = 0;
    switch (encoding & 0x0f) {
      case 0x01:
        value = uleb();
        break;
      case 0x02:
        value = fixed<uint16_t>();
        break;
      case 0x03:
        value = fixed<uint32_t>();
        break;
      case 0x09:
        value = static_cast<uintptr_t>(sleb());
        break;
      case 0x0a:
        value = static_cast<uintptr_t>(int64_t{fixed<int16_t>()});
        break;
      case 0x0b:
        value = static_cast<uintptr_t>(int64_t{fixed<int32_t>()});
        break;
      default:
        value = fixed<uint64_t>();
        break;  // 0x00, 0x04, 0x0c
    }
    if (value == 0) return 0;
    if ((encoding & 0x70) == 0x10) value += here;
    if ((encoding & 0x70) == 0x30) value += data;
    return value;
  }
};

/// A record's content, after its length. Empty: the terminator.
cursor open_record(uintptr_t address) noexcept {
  const auto* at = reinterpret_cast<const uint8_t*>(address);
  cursor head{at, at + 12};
  uint64_t bytes = head.fixed<uint32_t>();
  if (bytes == 0xffffffff) bytes = head.fixed<uint64_t>();
  return {head.at, head.at + bytes};
}

struct common_info {
  uint64_t code_align = 1;
  int64_t data_align = 1;
  unsigned return_register = unwind_ra;
  uint8_t pointer_encoding = 0;
  bool sized_augmentation = false;
  bool signal_frame = false;
  cursor program;
};

bool read_cie(uintptr_t address, common_info& cie) noexcept {
  cursor in = open_record(address);
  in.fixed<uint32_t>();  // 0: a CIE
  const uint8_t version = in.fixed<uint8_t>();
  if (version != 1 && version != 3) return false;
  const uint8_t* augmentation = in.at;
  while (in.more() && *in.at != 0) ++in.at;
  in.skip(1);
  cie.code_align = in.uleb();
  cie.data_align = in.sleb();
  cie.return_register = version == 1 ? in.fixed<uint8_t>() : static_cast<unsigned>(in.uleb());
  if (*augmentation == 'z') {
    cie.sized_augmentation = true;
    const size_t bytes = in.uleb();
    const uint8_t* program = in.at + bytes;
    for (const uint8_t* c = augmentation + 1; *c != 0; ++c) {
      if (*c == 'R') cie.pointer_encoding = in.fixed<uint8_t>();
      if (*c == 'L') in.skip(1);
      if (*c == 'S') cie.signal_frame = true;
      if (*c == 'P') {
        const uint8_t encoding = in.fixed<uint8_t>();
        in.pointer(encoding, 0);
      }
    }
    in.at = program;
  } else if (*augmentation != 0) {
    return false;
  }
  cie.program = in;
  return true;
}

/// Runs call frame instructions until the location passes `target`.
class program_runner {
 public:
  program_runner(const common_info& cie, uintptr_t start, uintptr_t target, cfi_row& row) noexcept
      : cie_(cie), location_(start), target_(target), row_(row) {}

  bool run(cursor in) noexcept {
    while (in.more() && location_ <= target_) {
      const uint8_t opcode = in.fixed<uint8_t>();
      const unsigned low = opcode & 0x3f;
      switch (opcode >> 6) {
        case 1:
          location_ += low * cie_.code_align;
          continue;
        case 2:
          set(low, cfi_rule::offset, factored(static_cast<int64_t>(in.uleb())));
          continue;
        case 3:
          restore(low);
          continue;
        default:
          break;
      }
      if (!extended(opcode, in)) return false;
    }
    return true;
  }
  /// What the CIE's program has set up: the meaning of "restore".
  void keep_initial() noexcept { initial_ = row_; }

 private:
  [[nodiscard]] int64_t factored(int64_t n) const noexcept { return n * cie_.data_align; }
  void set(uint64_t n, cfi_rule rule, int64_t operand) noexcept {
    if (n >= unwind_registers) return;  // a vector register: of no use here
    row_.rule[n] = rule;
    row_.operand[n] = operand;
  }
  void restore(uint64_t n) noexcept {
    if (n < unwind_registers) set(n, initial_.rule[n], initial_.operand[n]);
  }
  void set_expression(uint64_t n, cfi_rule rule, cursor& in) noexcept {
    set(n, rule, static_cast<int64_t>(reinterpret_cast<uintptr_t>(in.at)));
    in.block();
  }
  void set_cfa(unsigned reg, int64_t offset) noexcept {
    row_.cfa_register = reg;
    row_.cfa_offset = offset;
    row_.cfa_expression = {};
  }

  bool extended(uint8_t opcode, cursor& in) noexcept {
    uint64_t n = 0;
    switch (opcode) {
      case 0x00:
        break;  // nop
      case 0x01:
        location_ = in.pointer(cie_.pointer_encoding, 0);
        break;  // set_loc
      case 0x02:
        location_ += in.fixed<uint8_t>() * cie_.code_align;
        break;
      case 0x03:
        location_ += in.fixed<uint16_t>() * cie_.code_align;
        break;
      case 0x04:
        location_ += in.fixed<uint32_t>() * cie_.code_align;
        break;
      case 0x05:  // offset_extended
        n = in.uleb();
        set(n, cfi_rule::offset, factored(static_cast<int64_t>(in.uleb())));
        break;
      case 0x06:
        restore(in.uleb());
        break;
      case 0x07:
        set(in.uleb(), cfi_rule::undefined, 0);
        break;
      case 0x08:
        set(in.uleb(), cfi_rule::same, 0);
        break;
      case 0x09:  // register
        n = in.uleb();
        set(n, cfi_rule::reg, static_cast<int64_t>(in.uleb()));
        break;
      case 0x0a:  // remember_state
        if (remembered_ == remembered_max) return false;
        stack_[remembered_++] = row_;
        break;
      case 0x0b:  // restore_state
        if (remembered_ == 0) return false;
        row_ = stack_[--remembered_];
        break;
      case 0x0c:  // def_cfa
        n = in.uleb();
        set_cfa(static_cast<unsigned>(n), static_cast<int64_t>(in.uleb()));
        break;
      case 0x0d:
        set_cfa(static_cast<unsigned>(in.uleb()), row_.cfa_offset);
        break;
      case 0x0e:
        row_.cfa_offset = static_cast<int64_t>(in.uleb());
        break;
      case 0x0f:
        row_.cfa_expression = in.block();
        break;
      case 0x10:
        n = in.uleb();
        set_expression(n, cfi_rule::expression, in);
        break;
      case 0x11:
        n = in.uleb();
        set(n, cfi_rule::offset, factored(in.sleb()));
        break;
      case 0x12:
        n = in.uleb();
        set_cfa(static_cast<unsigned>(n), factored(in.sleb()));
        break;
      case 0x13:
        row_.cfa_offset = factored(in.sleb());
        break;
      case 0x14:  // val_offset
        n = in.uleb();
        set(n, cfi_rule::val_offset, factored(static_cast<int64_t>(in.uleb())));
        break;
      case 0x15:
        n = in.uleb();
        set(n, cfi_rule::val_offset, factored(in.sleb()));
        break;
      case 0x16:
        n = in.uleb();
        set_expression(n, cfi_rule::val_expression, in);
        break;
      case 0x2d:
        row_.signed_return = !row_.signed_return;
        break;  // AARCH64_negate_ra_state
      case 0x2e:
        in.uleb();
        break;    // GNU_args_size
      case 0x2f:  // GNU_negative_offset_extended
        n = in.uleb();
        set(n, cfi_rule::offset, -factored(static_cast<int64_t>(in.uleb())));
        break;
      default:
        return false;
    }
    return true;
  }

  const common_info& cie_;
  uintptr_t location_;
  uintptr_t target_;
  cfi_row& row_;
  cfi_row initial_;
  cfi_row stack_[remembered_max];
  int remembered_ = 0;
};

/// The FDE that may cover `pc`, from the sorted table; 0: none.
uintptr_t find_fde(const void* header, uintptr_t pc) noexcept {
  const auto base = reinterpret_cast<uintptr_t>(header);
  const auto* bytes = static_cast<const uint8_t*>(header);
  // Version 1 with the table every linker writes: pairs of 32-bit offsets from the header.
  if (bytes[0] != 1 || bytes[3] != 0x3b) return 0;
  cursor in{bytes + 4, bytes + 28};
  in.pointer(bytes[1], base);  // start of .eh_frame
  const uintptr_t count = in.pointer(bytes[2], base);
  struct entry {
    int32_t pc;
    int32_t fde;
  };
  const auto* table = reinterpret_cast<const entry*>(in.at);
  const auto wanted = static_cast<intptr_t>(pc - base);
  size_t low = 0, high = count;  // the answer is the last entry with pc <= wanted
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (table[middle].pc <= wanted)
      low = middle + 1;
    else
      high = middle;
  }
  return low == 0 ? 0 : base + static_cast<uintptr_t>(intptr_t{table[low - 1].fde});
}

}  // namespace

cfi_result cfi_find(uintptr_t pc, cfi_row& row) noexcept {
  dl_find_object module{};
  if (_dl_find_object(reinterpret_cast<void*>(pc), &module) != 0) return cfi_result::no_code;
  if (module.dlfo_eh_frame == nullptr) return cfi_result::no_table;
  const uintptr_t fde = find_fde(module.dlfo_eh_frame, pc);
  if (fde == 0) return cfi_result::no_table;
  cursor in = open_record(fde);
  const auto cie_field = reinterpret_cast<uintptr_t>(in.at);
  const uint32_t cie_distance = in.fixed<uint32_t>();
  common_info cie;
  if (cie_distance == 0 || !read_cie(cie_field - cie_distance, cie)) return cfi_result::no_table;
  const uintptr_t start = in.pointer(cie.pointer_encoding, 0);
  const uintptr_t bytes = in.pointer(cie.pointer_encoding & 0x0f, 0);
  if (pc - start >= bytes) return cfi_result::no_table;
  if (cie.sized_augmentation) in.skip(in.uleb());
  row = {};
  row.return_register = cie.return_register;
  row.signal_frame = cie.signal_frame;
  program_runner runner(cie, start, pc, row);
  if (!runner.run(cie.program)) return cfi_result::no_table;
  runner.keep_initial();
  return runner.run(in) ? cfi_result::found : cfi_result::no_table;
}

cfi_expression cfi_expression_at(int64_t operand) noexcept {
  const auto* at = reinterpret_cast<const uint8_t*>(static_cast<uintptr_t>(operand));
  cursor in{at, at + 10};
  const size_t bytes = in.uleb();
  return {in.at, bytes};
}

// Sanitizers know nothing of frames that are read from outside.
__attribute__((noinline, no_sanitize("address"))) bool stack_word(stack_bounds stack,
                                                                  uintptr_t address,
                                                                  uintptr_t& value) noexcept {
  if (address % sizeof(uintptr_t) != 0 || address < stack.lo || address >= stack.hi ||
      stack.hi - address < sizeof(uintptr_t))
    return false;
  value = *reinterpret_cast<const uintptr_t*>(address);
  return true;
}

}  // namespace weft::rt
