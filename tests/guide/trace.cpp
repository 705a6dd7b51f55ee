// SPDX-License-Identifier: Apache-2.0
// docs/guide/trace.md: a trace with tasks, a flight recorder, a watched latency. trace FILE.
#include <weft/weft.hpp>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

namespace {

using namespace std::chrono_literals;

void query(const weft::context& ctx, int customer) {
  const weft::trace::region during(ctx, "query");
  weft::sleep_for(customer == 7 ? 30ms : 1ms);
}

void pay(int customer) {
  const weft::trace::latency_watch watched("pay", 20ms);
  const weft::trace::task request(weft::background(), "pay");
  weft::trace::log(request.ctx(), "customer", std::to_string(customer));
  query(request.ctx(), customer);
}

weft::result<void> serve(const char* path) {
  std::FILE* file = std::fopen(path, "wb");
  const auto to_file = [file](std::string_view bytes) {
    std::fwrite(bytes.data(), 1, bytes.size(), file);
  };
  if (auto begun = weft::trace::start(to_file); !begun) return begun;
  weft::wait_group all;
  for (int customer = 0; customer < 10; ++customer) all.go([=] { pay(customer); });
  all.wait();
  const weft::result<void> written = weft::trace::stop();
  std::fclose(file);
  return written;
}

}  // namespace

int main(int argc, char** argv) {
  const char* path = argc > 1 ? argv[1] : "/dev/null";
  char made[] = "/tmp/weft-guide-XXXXXX";
  const char* dir = ::mkdtemp(made);
  const int status = weft::run([&] {
    const auto recording = weft::trace::start_flight_recorder({.min_age = 5s, .dir = dir});
    if (!recording || !serve(path)) return 1;
    const auto saved = weft::trace::save_flight_recorder("example");
    return saved ? 0 : 1;
  });
  std::filesystem::remove_all(dir);
  return status;
}
