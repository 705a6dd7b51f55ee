// SPDX-License-Identifier: Apache-2.0
// docs/guide/profiles.md: a CPU profile with labels. profiles FILE.
#include <weft/weft.hpp>

#include <cstdio>

namespace {

__attribute__((noinline)) void parse(long rounds) {
  for (long i = 0; i < rounds; ++i) asm volatile("");
}
__attribute__((noinline)) void price(long rounds) {
  for (long i = 0; i < rounds; ++i) asm volatile("");
  asm volatile("");
}

void handle(const char* request) {
  constexpr long rounds = 3'000'000;
  weft::prof::do_(weft::prof::labels{"route", request}, [&] { parse(rounds); });
  const weft::prof::scope during(weft::prof::labels{"route", request});
  price(3 * rounds);
}

void serve() {
  weft::wait_group all;
  for (const char* route : {"/pay", "/list"})
    all.go([=] {
      for (int i = 0; i < 20; ++i) handle(route);
    });
  all.wait();
}

}  // namespace

int main(int argc, char** argv) {
  const char* path = argc > 1 ? argv[1] : "/dev/null";
  return weft::run([&] {
    std::FILE* file = std::fopen(path, "wb");
    const auto to_file = [file](std::string_view bytes) {
      std::fwrite(bytes.data(), 1, bytes.size(), file);
    };
    if (!weft::prof::start_cpu()) return 1;
    serve();
    const auto summary = weft::prof::stop_cpu(to_file);
    std::fclose(file);
    return summary ? 0 : 1;
  });
}
