// SPDX-License-Identifier: Apache-2.0
// race_cases --list, or race_cases NAME: runs one case as a program of its own.
#include <cstdio>
#include <cstring>

#include "cases.hpp"

static int run(const race::race_case& c) {
  if (c.on_goroutine) return weft::run(c.body);
  c.body();
  return 0;
}

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--list") == 0) {
    for (const race::race_case* c = race::race_case::first(); c != nullptr; c = c->next)
      std::printf("%s %s\n", c->racy ? "racy" : "clean", c->name);
    return 0;
  }
  for (const race::race_case* c = race::race_case::first(); c != nullptr; c = c->next)
    if (argc == 2 && std::strcmp(argv[1], c->name) == 0) return run(*c);
  std::fprintf(stderr, "usage: %s --list | NAME\n", argv[0]);
  return 2;
}
