// SPDX-License-Identifier: Apache-2.0
// Programs with a flight recorder: flight CASE FILE. What they write, and what is found in
// WEFT_TRACE_DIR when they have died, is looked at by flight_test.py.
#include <weft/weft.hpp>

#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

using namespace weft;
using namespace std::chrono_literals;

void must(const result<void>& r) {
  if (!r) std::fprintf(stderr, "%s\n", r.error().message().c_str()), std::exit(1);
}

struct file_sink {
  std::FILE* file;
  mutable std::atomic<size_t> pieces{0};
  explicit file_sink(const std::string& path) : file(std::fopen(path.c_str(), "wb")) {
    if (file == nullptr) std::perror(path.c_str()), std::exit(1);
  }
  ~file_sink() { std::fclose(file); }
  file_sink(const file_sink&) = delete;
  file_sink& operator=(const file_sink&) = delete;
  void operator()(std::string_view bytes) const {
    ++pieces;
    if (std::fwrite(bytes.data(), 1, bytes.size(), file) != bytes.size()) std::exit(1);
  }
};

/// Goroutines that talk, and log a number that rises: the last ones are what a recorder is for.
struct talk {
  chan<int> ping = make_chan<int>();
  chan<int> pong = make_chan<int>();
  talk() {
    for (int i = 0; i < 4; ++i)
      go([this] {
        for (int v : ping) pong.send(v);
      });
  }
  /// With a pause every so many rounds.
  void run(std::chrono::nanoseconds time, int pause_every = 10) {
    const auto until = now() + time;
    for (int i = 0; now() < until; ++i) {
      ping.send(i);
      (void)pong.recv();
      if (i % 100 == 0) trace::log(background(), "round", std::to_string(i));
      if (i % pause_every == 0) sleep_for(1ms);
    }
    trace::log(background(), "said", "the last words");
  }
};

volatile uintptr_t nowhere = 8;
[[gnu::noinline]] void fall() { *reinterpret_cast<volatile int*>(nowhere) = 1; }

int run_case(const std::string& which, const std::string& path) {
  static talk t;
  if (which == "written") {
    must(trace::start_flight_recorder({.min_age = 500ms}));
    t.run(2500ms);
    const file_sink to(path);
    must(trace::write_flight_recorder(to));
    // It goes on, beside a trace.
    const file_sink beside(path + ".trace");
    must(trace::start(beside));
    t.run(300ms);
    must(trace::stop());
    const file_sink again(path + ".again");
    must(trace::write_flight_recorder(again));
    must(trace::stop_flight_recorder());
    return 0;
  }
  if (which == "small") {
    must(trace::start_flight_recorder({.max_bytes = size_t{1} << 20}));
    const auto until = now() + 3s;
    while (now() < until) t.run(100ms, 1000);
    const file_sink to(path);
    must(trace::write_flight_recorder(to));
    return 0;
  }
  if (which == "quit" || which == "fault" || which == "panic" || which == "early") {
    // "early": within the first generation, so that nothing has been looked up before.
    t.run(which == "early" ? 50ms : 1500ms);
    if (which == "quit") return std::raise(SIGQUIT);
    if (which == "fault") fall();
    panic("on purpose");
  }
  if (which == "stall") {
    // It never ends, and is saved all the same.
    go([] {
      const trace::latency_watch watched("GET /never", 20ms);
      (void)make_chan<int>().recv();
    });
    t.run(1500ms);
    return 0;
  }
  if (which == "latency") {
    for (int i = 0; i < 3; ++i) {
      const trace::latency_watch watched("GET /pay", 20ms);
      t.run(i == 0 ? 1ms : 50ms);
    }
    sleep_for(500ms);
    auto saved = trace::save_flight_recorder("asked for/1");
    if (!saved) must(fail(saved.error()));
    return std::puts(saved->c_str()) < 0;
  }
  if (which == "left_on") {
    // Nobody stops it; the file is whole generations all the same.
    static const file_sink to(path);
    must(trace::start(to));
    while (to.pieces < 2) t.run(100ms);  // the header, and a generation
    return 0;
  }
  if (which == "deadlock") {
    // A recorder is no reason to wait for ever.
    (void)make_chan<int>().recv();
  }
  t.run(100ms);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const std::string which = argv[1];
  int status = weft::run([&] { return run_case(which, argv[2]); });
  if (which == "left_on")
    status = weft::run([&] { return run_case("written", std::string(argv[2]) + ".second"); });
  return status;
}
