// SPDX-License-Identifier: Apache-2.0
// --list: the cases, one a line, with the last words of those that must die. NAME: runs that case.
// Status 0: it held and its goroutines changed threads; 1: not.
#include <atomic>
#include <cstdio>
#include <cstring>

#include "matrix.hpp"

namespace matrix {

namespace {
matrix_case* first = nullptr;
std::atomic<int> failures{0};
// Fewer hops than this is a case that tested nothing.
constexpr long hops_min = 8;
}  // namespace

matrix_case::matrix_case(const char* its_name, void (*its_body)(), const char* words)
    : name(its_name), body(its_body), last_words(words), next(first) {
  first = this;
}

void fail(const char* what, const char* file, int line) {
  if (failures.fetch_add(1) < 5) std::fprintf(stderr, "%s:%d: not true: %s\n", file, line, what);
}

}  // namespace matrix

int main(int argc, char** argv) {
  using namespace matrix;
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s --list | CASE\n", argv[0]);
    return 2;
  }
  for (const matrix_case* c = first; c != nullptr; c = c->next) {
    if (std::strcmp(argv[1], "--list") == 0) {
      std::printf("%s\t%s\n", c->name, c->last_words != nullptr ? c->last_words : "");
    } else if (std::strcmp(argv[1], c->name) == 0) {
      c->body();
      if (hop_count() < hops_min) fail("at least 8 hops", __FILE__, __LINE__);
      std::printf("%ld hops\n", hop_count());
      return failures.load() == 0 ? 0 : 1;
    }
  }
  if (std::strcmp(argv[1], "--list") == 0) return 0;
  std::fprintf(stderr, "no case %s\n", argv[1]);
  return 2;
}
