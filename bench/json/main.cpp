// SPDX-License-Identifier: Apache-2.0
// json-bench: an order of 1448 bytes between text and structs, by weft::json and by RapidJSON. A
// fresh object, or a fresh string, every time.
#include "bench/common/measure.hpp"
#include "bench/json/order.hpp"
#include "order_text.hpp"
#include "weft/json/json.hpp"

#ifdef BENCH_RAPIDJSON
#include "bench/json/rapid.hpp"
#endif

namespace {

using bench::call;
using bench::order;

/// What every row begins with; a wrong answer ends the program.
template <class F>
void measure(const call& c, F once) {
  const int64_t count = c.count(60'000);
  for (int64_t i = 0; i < count / 10; ++i) once();
  bench::result r(c);
  r.start();
  for (int64_t i = 0; i < count; ++i) once();
  r.stop(count);
  r.print("weft");
}

void must(bool holds) {
  if (!holds) std::abort();
}

order sample() {
  weft::result<order> got = weft::json::decode<order>(bench::order_text);
  must(got.has_value());
  must(weft::json::encode(*got).value() == bench::order_text);
  return std::move(*got);
}

void decode(const call& c) {
  sample();
  measure(c, [] {
    weft::result<order> got = weft::json::decode<order>(bench::order_text);
    must(got.has_value());
    bench::keep(*got);
  });
}

void encode(const call& c) {
  measure(c, [from = sample()] {
    weft::result<std::string> text = weft::json::encode(from);
    must(text->size() == bench::order_text.size());
    bench::keep(*text);
  });
}

/// Into a document without a type.
void decode_value(const call& c) {
  measure(c, [] {
    auto got = weft::json::decode<weft::json::value>(bench::order_text);
    must(got.has_value());
    bench::keep(*got);
  });
}

void validate(const call& c) {
  measure(c, [] { must(!weft::json::validate(bench::order_text)); });
}

#ifdef BENCH_RAPIDJSON
void decode_rapid(const call& c) {
  must(weft::json::encode(bench::rapid_decode(bench::order_text)).value() == bench::order_text);
  measure(c, [] { bench::keep(bench::rapid_decode(bench::order_text)); });
}

void encode_rapid(const call& c) {
  measure(c, [from = sample()] {
    std::string text = bench::rapid_encode(from);
    must(text.size() > bench::order_text.size() / 2);
    bench::keep(text);
  });
}
#endif

constexpr bench::entry rows[] = {
    {"json_decode", decode},
    {"json_encode", encode},
    {"json_decode_value", decode_value},
    {"json_validate", validate},
#ifdef BENCH_RAPIDJSON
    {"json_decode_rapidjson", decode_rapid},
    {"json_encode_rapidjson", encode_rapid},
#endif
};

}  // namespace

int main(int argc, char** argv) { return bench::dispatch(argc, argv, rows); }
