// SPDX-License-Identifier: Apache-2.0
// Prints what go_test.py has Go check: lines of `plain JSON` and `html JSON`, values as we write
// them, and of `valid` or `broken` with the bytes of a text in hexadecimal, as we judge it.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <map>
#include <random>

#include "weft/json/json.hpp"

namespace {

namespace json = weft::json;

struct sample {
  int64_t id = 0;
  uint64_t large = 0;
  double real = 0;
  std::vector<double> reals;
  float single = 0;
  std::string text;
  std::vector<std::string> texts;
  std::map<std::string, int> counts;
  std::map<int, bool> flags;
  std::optional<int> maybe;
  std::string omitted;
  std::vector<std::byte> bytes;
  std::chrono::nanoseconds wait{};
  std::chrono::system_clock::time_point at;
  bool yes = false;
  static constexpr auto json_fields() {
    return json::adjust(json::field("omitted", &sample::omitted).omit_empty());
  }
};

std::mt19937_64 engine(20261127);
size_t upto(size_t n) { return engine() % n; }

double any_double() {
  double value = 0;
  uint64_t bits = engine();
  std::memcpy(&value, &bits, sizeof value);
  if (upto(2) == 0 || !std::isfinite(value)) {
    value = static_cast<double>(static_cast<int64_t>(bits) >> upto(60)) /
            std::pow(10, static_cast<double>(upto(12)));
  }
  return value;
}

std::string any_string() {
  std::string text;
  for (size_t n = upto(20); n > 0; --n) {
    switch (upto(6)) {
      case 0:
        text += static_cast<char>(upto(128));
        break;
      case 1:
        text += std::array{"é", "€", "😀", "\u2028", "\u2029", "\u00a0"}[upto(6)];
        break;
      case 2:
        text += std::array{"<a>", "&", "\"", "\\", "\n", "/"}[upto(6)];
        break;
      default:
        text += static_cast<char>('a' + upto(26));
        break;
    }
  }
  return text;
}

sample any_sample() {
  sample s;
  s.id = static_cast<int64_t>(engine()) >> upto(64);
  s.large = engine() >> upto(64);
  s.real = any_double();
  for (size_t n = upto(6); n > 0; --n) s.reals.push_back(any_double());
  s.single = static_cast<float>(
      std::ldexp(static_cast<double>(upto(1 << 24)), static_cast<int>(upto(160)) - 100));
  s.text = any_string();
  for (size_t n = upto(4); n > 0; --n) s.texts.push_back(any_string());
  for (size_t n = upto(4); n > 0; --n) s.counts.emplace("k" + std::to_string(upto(10)), n);
  for (size_t n = upto(4); n > 0; --n) s.flags.emplace(upto(10), n % 2 == 0);
  if (upto(2) == 0) s.maybe = static_cast<int>(upto(100));
  if (upto(2) == 0) s.omitted = "there";
  for (size_t n = upto(7); n > 0; --n) s.bytes.push_back(static_cast<std::byte>(upto(256)));
  s.wait = std::chrono::nanoseconds(static_cast<int64_t>(engine()) >> upto(64));
  s.at = std::chrono::system_clock::time_point(
      std::chrono::nanoseconds(static_cast<int64_t>(engine()) >> (1 + upto(40))));
  s.yes = upto(2) == 0;
  return s;
}

void print_verdict(std::string_view text) {
  std::printf("%s ", json::validate(text) ? "broken" : "valid");
  for (char c : text) std::printf("%02x", static_cast<unsigned char>(c));
  std::printf("\n");
}

}  // namespace

int main() {
  for (int i = 0; i < 3000; ++i) {
    sample s = any_sample();
    std::string plain = json::encode(s).value();
    std::printf("plain %s\n", plain.c_str());
    std::printf("html %s\n", json::encode(s, {.escape_html = true}).value().c_str());
    print_verdict(plain);
    for (size_t n = 1 + upto(3); n > 0; --n) {
      plain[upto(plain.size())] = static_cast<char>(
          upto(2) == 0 ? "{}[]:,\"\\ 0e-.\x80\xc3"[upto(15)] : static_cast<int>(upto(256)));
    }
    print_verdict(plain);
  }
  return 0;
}
