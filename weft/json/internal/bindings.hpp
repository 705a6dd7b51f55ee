// SPDX-License-Identifier: Apache-2.0
// bind_fields(object, f) calls f(field...), for any aggregate of up to 64 fields: how many there
// are is found by trying, and the binding is written out for each count.
#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

namespace weft::rt::json_impl {

/// Most fields of a struct: a set of them is one word.
inline constexpr size_t fields_max = 64;

/// Becomes whatever a field is initialized with. Never called.
struct anything {
  template <class T>
  operator T() const noexcept {  // NOLINT(google-explicit-constructor)
    std::unreachable();
  }
};

template <class T, size_t N>
inline constexpr bool takes = []<size_t... I>(std::index_sequence<I...>) {
  return requires { T{(static_cast<void>(I), anything{})...}; };
}(std::make_index_sequence<N>{});

/// The largest N in [Low, High) that `takes`. What takes N takes fewer, too: decoding makes empty
/// objects first, so every field has a default.
template <class T, size_t Low, size_t High>
constexpr size_t count_fields() {
  if constexpr (High - Low == 1) {
    return Low;
  } else {
    constexpr size_t middle = Low + (High - Low) / 2;
    if constexpr (takes<T, middle>) {
      return count_fields<T, middle, High>();
    } else {
      return count_fields<T, Low, middle>();
    }
  }
}

template <class T>
inline constexpr size_t field_count = count_fields<T, 0, fields_max + 2>();

#define WEFT_JSON_F1 f1
#define WEFT_JSON_F2 WEFT_JSON_F1, f2
#define WEFT_JSON_F3 WEFT_JSON_F2, f3
#define WEFT_JSON_F4 WEFT_JSON_F3, f4
#define WEFT_JSON_F5 WEFT_JSON_F4, f5
#define WEFT_JSON_F6 WEFT_JSON_F5, f6
#define WEFT_JSON_F7 WEFT_JSON_F6, f7
#define WEFT_JSON_F8 WEFT_JSON_F7, f8
#define WEFT_JSON_F9 WEFT_JSON_F8, f9
#define WEFT_JSON_F10 WEFT_JSON_F9, f10
#define WEFT_JSON_F11 WEFT_JSON_F10, f11
#define WEFT_JSON_F12 WEFT_JSON_F11, f12
#define WEFT_JSON_F13 WEFT_JSON_F12, f13
#define WEFT_JSON_F14 WEFT_JSON_F13, f14
#define WEFT_JSON_F15 WEFT_JSON_F14, f15
#define WEFT_JSON_F16 WEFT_JSON_F15, f16
#define WEFT_JSON_F17 WEFT_JSON_F16, f17
#define WEFT_JSON_F18 WEFT_JSON_F17, f18
#define WEFT_JSON_F19 WEFT_JSON_F18, f19
#define WEFT_JSON_F20 WEFT_JSON_F19, f20
#define WEFT_JSON_F21 WEFT_JSON_F20, f21
#define WEFT_JSON_F22 WEFT_JSON_F21, f22
#define WEFT_JSON_F23 WEFT_JSON_F22, f23
#define WEFT_JSON_F24 WEFT_JSON_F23, f24
#define WEFT_JSON_F25 WEFT_JSON_F24, f25
#define WEFT_JSON_F26 WEFT_JSON_F25, f26
#define WEFT_JSON_F27 WEFT_JSON_F26, f27
#define WEFT_JSON_F28 WEFT_JSON_F27, f28
#define WEFT_JSON_F29 WEFT_JSON_F28, f29
#define WEFT_JSON_F30 WEFT_JSON_F29, f30
#define WEFT_JSON_F31 WEFT_JSON_F30, f31
#define WEFT_JSON_F32 WEFT_JSON_F31, f32
#define WEFT_JSON_F33 WEFT_JSON_F32, f33
#define WEFT_JSON_F34 WEFT_JSON_F33, f34
#define WEFT_JSON_F35 WEFT_JSON_F34, f35
#define WEFT_JSON_F36 WEFT_JSON_F35, f36
#define WEFT_JSON_F37 WEFT_JSON_F36, f37
#define WEFT_JSON_F38 WEFT_JSON_F37, f38
#define WEFT_JSON_F39 WEFT_JSON_F38, f39
#define WEFT_JSON_F40 WEFT_JSON_F39, f40
#define WEFT_JSON_F41 WEFT_JSON_F40, f41
#define WEFT_JSON_F42 WEFT_JSON_F41, f42
#define WEFT_JSON_F43 WEFT_JSON_F42, f43
#define WEFT_JSON_F44 WEFT_JSON_F43, f44
#define WEFT_JSON_F45 WEFT_JSON_F44, f45
#define WEFT_JSON_F46 WEFT_JSON_F45, f46
#define WEFT_JSON_F47 WEFT_JSON_F46, f47
#define WEFT_JSON_F48 WEFT_JSON_F47, f48
#define WEFT_JSON_F49 WEFT_JSON_F48, f49
#define WEFT_JSON_F50 WEFT_JSON_F49, f50
#define WEFT_JSON_F51 WEFT_JSON_F50, f51
#define WEFT_JSON_F52 WEFT_JSON_F51, f52
#define WEFT_JSON_F53 WEFT_JSON_F52, f53
#define WEFT_JSON_F54 WEFT_JSON_F53, f54
#define WEFT_JSON_F55 WEFT_JSON_F54, f55
#define WEFT_JSON_F56 WEFT_JSON_F55, f56
#define WEFT_JSON_F57 WEFT_JSON_F56, f57
#define WEFT_JSON_F58 WEFT_JSON_F57, f58
#define WEFT_JSON_F59 WEFT_JSON_F58, f59
#define WEFT_JSON_F60 WEFT_JSON_F59, f60
#define WEFT_JSON_F61 WEFT_JSON_F60, f61
#define WEFT_JSON_F62 WEFT_JSON_F61, f62
#define WEFT_JSON_F63 WEFT_JSON_F62, f63
#define WEFT_JSON_F64 WEFT_JSON_F63, f64
#define WEFT_JSON_BIND(n)            \
  else if constexpr (count == n) {   \
    auto& [WEFT_JSON_F##n] = object; \
    return f(WEFT_JSON_F##n);        \
  }

/// f with a reference to each field of an aggregate.
template <class T, class F>
constexpr decltype(auto) bind_fields(T& object, F f) {
  constexpr size_t count = field_count<std::remove_const_t<T>>;
  static_assert(count <= fields_max,
                "weft::json: more than 64 fields; group some of them in a struct of their own");
  if constexpr (count == 0) {
    return f();
  }
  WEFT_JSON_BIND(1)
  WEFT_JSON_BIND(2) WEFT_JSON_BIND(3) WEFT_JSON_BIND(4) WEFT_JSON_BIND(5) WEFT_JSON_BIND(
      6) WEFT_JSON_BIND(7) WEFT_JSON_BIND(8) WEFT_JSON_BIND(9) WEFT_JSON_BIND(10) WEFT_JSON_BIND(11)
      WEFT_JSON_BIND(12) WEFT_JSON_BIND(13) WEFT_JSON_BIND(14) WEFT_JSON_BIND(15) WEFT_JSON_BIND(
          16) WEFT_JSON_BIND(17) WEFT_JSON_BIND(18) WEFT_JSON_BIND(19) WEFT_JSON_BIND(20)
          WEFT_JSON_BIND(21) WEFT_JSON_BIND(22) WEFT_JSON_BIND(23) WEFT_JSON_BIND(24)
              WEFT_JSON_BIND(25) WEFT_JSON_BIND(26) WEFT_JSON_BIND(27) WEFT_JSON_BIND(28)
                  WEFT_JSON_BIND(29) WEFT_JSON_BIND(30) WEFT_JSON_BIND(31) WEFT_JSON_BIND(32)
                      WEFT_JSON_BIND(33) WEFT_JSON_BIND(34) WEFT_JSON_BIND(35) WEFT_JSON_BIND(36)
                          WEFT_JSON_BIND(37) WEFT_JSON_BIND(38) WEFT_JSON_BIND(39)
                              WEFT_JSON_BIND(40) WEFT_JSON_BIND(41) WEFT_JSON_BIND(42)
                                  WEFT_JSON_BIND(43) WEFT_JSON_BIND(44) WEFT_JSON_BIND(45)
                                      WEFT_JSON_BIND(46) WEFT_JSON_BIND(47) WEFT_JSON_BIND(48)
                                          WEFT_JSON_BIND(49) WEFT_JSON_BIND(50) WEFT_JSON_BIND(51)
                                              WEFT_JSON_BIND(52) WEFT_JSON_BIND(53)
                                                  WEFT_JSON_BIND(54) WEFT_JSON_BIND(55)
                                                      WEFT_JSON_BIND(56) WEFT_JSON_BIND(57)
                                                          WEFT_JSON_BIND(58) WEFT_JSON_BIND(59)
                                                              WEFT_JSON_BIND(60) WEFT_JSON_BIND(61)
                                                                  WEFT_JSON_BIND(62)
                                                                      WEFT_JSON_BIND(63)
                                                                          WEFT_JSON_BIND(64)
}

#undef WEFT_JSON_BIND
#undef WEFT_JSON_F1
#undef WEFT_JSON_F2
#undef WEFT_JSON_F3
#undef WEFT_JSON_F4
#undef WEFT_JSON_F5
#undef WEFT_JSON_F6
#undef WEFT_JSON_F7
#undef WEFT_JSON_F8
#undef WEFT_JSON_F9
#undef WEFT_JSON_F10
#undef WEFT_JSON_F11
#undef WEFT_JSON_F12
#undef WEFT_JSON_F13
#undef WEFT_JSON_F14
#undef WEFT_JSON_F15
#undef WEFT_JSON_F16
#undef WEFT_JSON_F17
#undef WEFT_JSON_F18
#undef WEFT_JSON_F19
#undef WEFT_JSON_F20
#undef WEFT_JSON_F21
#undef WEFT_JSON_F22
#undef WEFT_JSON_F23
#undef WEFT_JSON_F24
#undef WEFT_JSON_F25
#undef WEFT_JSON_F26
#undef WEFT_JSON_F27
#undef WEFT_JSON_F28
#undef WEFT_JSON_F29
#undef WEFT_JSON_F30
#undef WEFT_JSON_F31
#undef WEFT_JSON_F32
#undef WEFT_JSON_F33
#undef WEFT_JSON_F34
#undef WEFT_JSON_F35
#undef WEFT_JSON_F36
#undef WEFT_JSON_F37
#undef WEFT_JSON_F38
#undef WEFT_JSON_F39
#undef WEFT_JSON_F40
#undef WEFT_JSON_F41
#undef WEFT_JSON_F42
#undef WEFT_JSON_F43
#undef WEFT_JSON_F44
#undef WEFT_JSON_F45
#undef WEFT_JSON_F46
#undef WEFT_JSON_F47
#undef WEFT_JSON_F48
#undef WEFT_JSON_F49
#undef WEFT_JSON_F50
#undef WEFT_JSON_F51
#undef WEFT_JSON_F52
#undef WEFT_JSON_F53
#undef WEFT_JSON_F54
#undef WEFT_JSON_F55
#undef WEFT_JSON_F56
#undef WEFT_JSON_F57
#undef WEFT_JSON_F58
#undef WEFT_JSON_F59
#undef WEFT_JSON_F60
#undef WEFT_JSON_F61
#undef WEFT_JSON_F62
#undef WEFT_JSON_F63
#undef WEFT_JSON_F64

}  // namespace weft::rt::json_impl
