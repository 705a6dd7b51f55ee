// SPDX-License-Identifier: Apache-2.0
// parse-bench ROW PROCS SCALE: one HTTP/1 request of 492 bytes with ten header fields, read by each
// parser in turn. Each notes where target, names and values lie; ours also says how the message is
// framed, which is a part of the others. They are measured in turns inside one run, a tenth of the
// rounds at a time, so that a busy machine is busy for all. The row's figure is ours; the others'
// are named values.
#include <cstdlib>

#include "rows.hpp"
#include "weft/http/internal/h1_framing.hpp"
#include "weft/http/internal/h1_head.hpp"

namespace {

using namespace parse_bench;

void ours(int64_t rounds) {
  namespace h1 = weft::rt::h1;
  static h1::head head;
  h1::request_framing framing;
  h1::refusal why;
  for (int64_t i = 0; i < rounds; ++i) {
    head.reset();
    const auto got = head.parse_request(request.data(), request.size(), {});
    if (got != h1::verdict::ok || !h1::frame_request(head, framing, why)) std::abort();
    bench::keep(head);
    bench::keep(framing);
  }
}

struct contender {
  const char* name;
  void (*run)(int64_t rounds);
  int64_t cpu_ns = 0;
};

void h1_parse(const bench::call& how) {
  contender all[] = {
      {"weft", ours},
#ifdef HAVE_HTTP_PARSER
      {"http_parser", http_parser_rounds},
#endif
#ifdef HAVE_LLHTTP
      {"llhttp", llhttp_rounds},
#endif
  };
  const int64_t rounds = how.count(300'000, 10);
  for (contender& one : all) one.run(rounds / 10);
  bench::result out(how);
  for (int turn = 0; turn < 10; ++turn) {
    for (contender& one : all) {
      const int64_t from = bench::cpu_ns();
      one.run(rounds / 10);
      one.cpu_ns += bench::cpu_ns() - from;
    }
  }
  out.start();
  ours(rounds);
  out.stop(rounds);
  const auto mine = static_cast<double>(all[0].cpu_ns);
  for (const contender& one : all) {
    const auto ns = static_cast<double>(one.cpu_ns);
    out.value(std::string(one.name) + "_ns", ns / static_cast<double>(rounds));
    if (one.cpu_ns != 0) out.value("per_" + std::string(one.name), mine / ns);
  }
  out.print("weft");
}

constexpr bench::entry rows[] = {{"h1_parse", h1_parse}};

}  // namespace

int main(int argc, char** argv) { return bench::dispatch(argc, argv, rows); }
