// SPDX-License-Identifier: Apache-2.0
// The fuzz target over seeded inputs: random documents, whole and with some bytes changed.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>

#include "weft/base/sanitizer.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

unsigned soak_round() {
  const char* round = std::getenv("WEFT_SOAK");
  return round == nullptr ? 0 : static_cast<unsigned>(std::strtoul(round, nullptr, 10));
}

class maker {
 public:
  explicit maker(unsigned seed) : random_(seed) {}

  std::string document() {
    text_.clear();
    value(0);
    return text_;
  }
  std::string single_number() {
    text_.clear();
    number();
    return text_;
  }
  /// Up to four bytes changed, left out, doubled, or moved.
  std::string mutated(std::string text) {
    static constexpr std::string_view likely =
        "{}[]:,\"\\ \n0123456789.eE+-truefalsn\x80\xc3\xed\x01";
    for (size_t n = 1 + upto(4); n > 0 && !text.empty(); --n) {
      size_t at = upto(text.size());
      switch (upto(5)) {
        case 0:
          text[at] = likely[upto(likely.size())];
          break;
        case 1:
          text[at] = static_cast<char>(random_());
          break;
        case 2:
          text.erase(at, 1 + upto(3));
          break;
        case 3:
          text.insert(at, 1, likely[upto(likely.size())]);
          break;
        default:
          text.insert(at, text.substr(upto(text.size()), upto(8)));
          break;
      }
    }
    return text;
  }

 private:
  size_t upto(size_t n) { return random_() % n; }
  template <size_t N>
  void one_of(const char* const (&list)[N]) {
    text_ += list[upto(N)];
  }
  void blank() {
    if (upto(6) == 0) one_of({" ", "\n", "\t ", "\r\n  "});
  }
  void string() {
    text_ += '"';
    for (size_t n = upto(12); n > 0; --n) {
      one_of({"a", "bc", "longer text of more than sixteen bytes", "\\n", "\\\"", "\\\\", "\\u00e9",
              "\\ud83d\\ude00", "é", "€", "😀", "\\/", " ", "{", "]", ",", ":"});
    }
    text_ += '"';
  }
  void number() {
    one_of({"", "", "-"});
    one_of({"0", "1", "12", "127", "128", "255", "4096", "2147483648", "9007199254740993",
            "9223372036854775807", "9223372036854775808", "18446744073709551615",
            "18446744073709551616", "123456789012345678901234567890"});
    if (upto(3) == 0) one_of({".0", ".5", ".25", ".1", ".000001", ".123456789012345678901"});
    if (upto(4) == 0) one_of({"e1", "E-2", "e+10", "e-7", "e22", "e23", "e-300", "e280"});
  }
  void value(int depth) {
    blank();
    switch (upto(depth > 5 ? 5 : 9)) {
      case 0:
        text_ += "null";
        break;
      case 1:
        one_of({"true", "false"});
        break;
      case 2:
      case 3:
        number();
        break;
      case 4:
        string();
        break;
      case 5: {
        text_ += '[';
        size_t n = upto(5);
        for (size_t i = 0; i < n; ++i) {
          if (i > 0) text_ += ',';
          value(depth + 1);
        }
        blank();
        text_ += ']';
        break;
      }
      default: {
        text_ += '{';
        size_t n = upto(8);
        for (size_t i = 0; i < n; ++i) {
          if (i > 0) text_ += ',';
          blank();
          if (upto(6) == 0) {
            string();
          } else {
            one_of({"\"own\"", "\"children\"", "\"named\"", "\"numbered\"", "\"next\"", "\"maybe\"",
                    "\"any\"", "\"bytes\"", "\"wait\"", "\"raw\"", "\"name\"", "\"small\"",
                    "\"large\"", "\"real\"", "\"single\"", "\"flag\"", "\"1\"", "\"n\\u0061me\""});
          }
          blank();
          text_ += ':';
          value(depth + 1);
        }
        text_ += '}';
      }
    }
    blank();
  }

  std::mt19937 random_;
  std::string text_;
};

void run(std::string_view text) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(text.data()), text.size());
}

TEST(JsonFuzz, DocumentsAndMutants) {
  constexpr bool slow = weft::rt::sanitizer::address || weft::rt::sanitizer::thread;
  const unsigned count = (slow ? 3'000 : 20'000) * (soak_round() == 0 ? 1 : 10);
  for (unsigned i = 0; i < count; ++i) {
    maker make(soak_round() * 10'000'000 + i);
    std::string text = make.document();
    run(text);
    run(make.single_number());
    for (int k = 0; k < 4; ++k) run(make.mutated(text));
  }
}

TEST(JsonFuzz, EveryPrefixAndEveryByte) {
  std::string text =
      "{\"own\":{\"name\":\"a\\u00e9\\\"\",\"small\":-12,\"real\":1.5e-3,\"flag\":true},"
      "\"children\""
      ":[{\"next\":null}],\"numbered\":{\"1\":[0.1,2]},\"bytes\":\"AQI=\",\"wait\":\"1.5s\"}";
  for (size_t end = 0; end <= text.size(); ++end) run(std::string_view(text).substr(0, end));
  for (size_t at = 0; at < text.size(); ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string changed = text;
      changed[at] = static_cast<char>(byte);
      run(changed);
    }
  }
}

}  // namespace
