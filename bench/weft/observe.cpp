// SPDX-License-Identifier: Apache-2.0
// Rows about looking at a program: how long it takes, how much it sees, what it keeps in memory.
#include <atomic>
#include <charconv>
#include <memory>
#include <string>

#include "bench/common/observers.hpp"
#include "bench/weft/ping_pong.hpp"
#include "bench/weft/rows.hpp"
#include "tools/weft/trace_file.hpp"
#include "weft/sync/chan.hpp"
#include "weft/sync/mutex.hpp"
#include "weft/sync/wait_group.hpp"

extern "C" void burn_with_frame_pointers(int rounds);
extern "C" void burn_without_frame_pointers(int rounds);

namespace bench {
namespace {

struct text_sink {
  std::string text;
  void operator()(std::string_view piece) { text += piece; }
};

__attribute__((noinline)) void spin(int64_t rounds) {
  for (int64_t i = 0; i < rounds; ++i) asm volatile("");
}
int64_t spin_ns(int64_t rounds) {
  const int64_t before = cpu_ns();
  spin(rounds);
  return cpu_ns() - before;
}

/// Of a busy core, at a rate.
double sampling_percent(int rate_hz, int64_t rounds) {
  return overhead(
             15, [&] { return spin_ns(rounds); },
             [&] {
               must(weft::prof::start_cpu({.rate_hz = rate_hz}).has_value());
               const int64_t used = spin_ns(rounds);
               counting_sink to;
               must(weft::prof::stop_cpu(to).has_value());
               return used;
             })
      .percent;
}

}  // namespace

void goroutine_profile_1m(const call& how) {
  run_weft(how.procs, [&] {
    const int64_t count = how.count(1'000'000);
    const auto gate = weft::make_chan<int64_t>();
    weft::wait_group arrived;
    arrived.add(count);
    for (int64_t i = 0; i < count; ++i)
      weft::go([&] {
        arrived.done();
        keep(gate.recv());
      });
    arrived.wait();
    counting_sink to;
    result out{how};
    out.start();
    must(weft::prof::write("goroutine", to).has_value());
    out.stop(count);
    out.value("profile_ms", static_cast<double>(out.wall()) / 1e6);
    out.print(program);
    gate.close();
  });
}

void cpu_profile(const call& how) {
  run_weft(how.procs, [&] {
    const int64_t rounds = how.count(300'000'000);
    spin_ns(rounds);
    double achieved = 0;
    result out{how};
    out.start();
    // As fast as each clock goes, so that there is something to see.
    const double by_events = sampling_percent(10'000, rounds);
    const double by_timers = sampling_percent(250, rounds);
    must(weft::prof::start_cpu({.rate_hz = 1000}).has_value());
    spin(4 * rounds);
    counting_sink to;
    const auto summary = weft::prof::stop_cpu(to);
    if (summary) achieved = summary->achieved_hz;
    out.stop(rounds);
    out.value("percent_at_1000hz", by_events / 10);
    out.value("percent_at_100hz", by_timers / 2.5);
    out.value("achieved_hz", achieved);
    out.print(program);
  });
}

// --- stacks --------------------------------------------------------------------------------------

namespace {

/// Where the goroutine begins whose stacks are looked at.
__attribute__((noinline)) void stacks_begin_here(void (*burn)(int), int64_t cpu) {
  const int64_t until = cpu_ns() + cpu;
  while (cpu_ns() < until) {
    burn(20);
    weft::yield();
  }
}

/// Per cent of the samples that are not the scheduler's own whose stack reaches the beginning.
/// Reads the text of a profile: a line of numbers for each stack, the last being the samples, then
/// its frames.
double whole_percent(std::string_view profile) {
  double whole = 0;
  double all = 0;
  while (!profile.empty()) {
    const std::string_view record = profile.substr(0, profile.find("\n\n"));
    profile.remove_prefix(std::min(profile.size(), record.size() + 2));
    const size_t at = record.find(" @");
    const size_t last = record.rfind("#\t");
    if (at == std::string_view::npos || last == std::string_view::npos) continue;
    const std::string_view outermost = record.substr(last);
    if (outermost.find("weft::rt::") != std::string_view::npos ||
        outermost.find("clone3") != std::string_view::npos)
      continue;
    const std::string_view line = record.substr(0, at);
    const std::string_view digits = line.substr(line.find_last_of(" \n") + 1);
    double samples = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), samples);
    all += samples;
    if (record.find("stacks_begin_here") != std::string_view::npos) whole += samples;
  }
  return all > 0 ? 100 * whole / all : 0;
}

double measure_stacks(void (*burn)(int), int64_t cpu) {
  must(weft::prof::start_cpu({.rate_hz = 1000}).has_value());
  weft::wait_group done;
  done.go([=] { stacks_begin_here(burn, cpu); });
  done.wait();
  text_sink to;
  must(weft::prof::stop_cpu(to, weft::prof::form::text).has_value());
  return whole_percent(to.text);
}

}  // namespace

void whole_stacks(const call& how) {
  run_weft(how.procs, [&] {
    const int64_t cpu = how.count(1'000'000'000);
    result out{how};
    out.start();
    const double with = measure_stacks(burn_with_frame_pointers, cpu);
    const double without = measure_stacks(burn_without_frame_pointers, cpu);
    out.stop(2);
    out.value("with_percent", with);
    out.value("without_percent", without);
    out.print(program);
  });
}

// --- size of a trace -----------------------------------------------------------------------------

namespace {

/// Some of everything: goroutines that begin and end, wait for each other, for locks and for time.
void a_bit_of_everything(int64_t count) {
  ping_pong_ns(count);
  weft::wait_group done;
  weft::mutex lock;
  for (int g = 0; g < 100; ++g)
    done.go([&] {
      for (int64_t i = 0; i < count / 100; ++i) {
        lock.lock();
        weft::yield();
        lock.unlock();
        if (i % 100 == 0) weft::sleep_for(std::chrono::microseconds(100));
      }
    });
  for (int64_t i = 0; i < count; ++i) done.go([] { weft::yield(); });
  done.wait();
}

int64_t count_events(std::string_view file) {
  weft::result<weft_command::trace_reader> reader = weft_command::trace_reader::open(file);
  must(reader.has_value());
  weft_command::trace_generation generation;
  int64_t count = 0;
  for (;;) {
    const weft::result<bool> more = reader->next(generation);
    must(more.has_value());
    if (!*more) return count;
    count += static_cast<int64_t>(generation.events.size());
  }
}

}  // namespace

void trace_size(const call& how) {
  run_weft(how.procs, [&] {
    const int64_t count = how.count(50'000, 100);
    result out{how};
    out.start();
    text_sink to;
    must(weft::trace::start(to).has_value());
    a_bit_of_everything(count);
    must(weft::trace::stop().has_value());
    const int64_t events = count_events(to.text);
    out.stop(events);
    out.value("bytes_per_event", static_cast<double>(to.text.size()) / static_cast<double>(events));
    out.value("mb_per_million", static_cast<double>(to.text.size()) / static_cast<double>(events));
    out.print(program);
  });
}

// --- flight recorder -----------------------------------------------------------------------------

namespace {

/// Memory that is there already: what a service would write to.
struct kept_sink {
  explicit kept_sink(size_t room) : bytes(room, 'x') {}
  std::string bytes;
  size_t used = 0;
  void operator()(std::string_view piece) {
    must(bytes.size() - used >= piece.size());
    std::memcpy(bytes.data() + used, piece.data(), piece.size());
    used += piece.size();
  }
};

/// The longest that a goroutine on a P of its own did not run, until it is told to end.
class longest_pause {
 public:
  longest_pause() {
    looker_.go([this] {
      int64_t last = wall_ns();
      while (!end_.load(std::memory_order_relaxed)) {
        weft::yield();
        const int64_t now = wall_ns();
        longest_.store(std::max(longest_.load(std::memory_order_relaxed), now - last),
                       std::memory_order_relaxed);
        last = now;
      }
    });
  }
  /// What was until now.
  void forget() { longest_.store(0, std::memory_order_relaxed); }
  int64_t end() {
    end_.store(true, std::memory_order_relaxed);
    looker_.wait();
    return longest_;
  }

 private:
  weft::wait_group looker_;
  std::atomic<bool> end_{false};
  std::atomic<int64_t> longest_{0};
};

}  // namespace

/// A recorder that is full to 16 MB is written while others go on.
void flight_snapshot(const call& how) {
  run_weft(how.procs, [&] {
    const size_t wanted = static_cast<size_t>(how.count(16'000'000));
    must(weft::trace::start_flight_recorder(
             {.min_age = std::chrono::minutes(1), .max_bytes = std::max<size_t>(wanted, 2 << 20)})
             .has_value());
    kept_sink to{2 * wanted + (4 << 20)};
    std::vector<double> times;
    result out{how};
    // Some 33 bytes a round: more than it keeps.
    const auto rounds = static_cast<int64_t>(wanted) / 33 * 2;
    ping_pong_ns(rounds);
    out.start();
    for (int i = 0; i < 5; ++i) {
      ping_pong_ns(rounds / 20);
      to.used = 0;
      const int64_t before = wall_ns();
      must(weft::trace::write_flight_recorder(to).has_value());
      times.push_back(static_cast<double>(wall_ns() - before) / 1e6);
    }
    out.stop(5);
    out.value("snapshot_ms", median(std::move(times)));
    out.value("snapshot_mb", static_cast<double>(to.used) / 1e6);
    longest_pause meanwhile;
    ping_pong_ns(rounds / 20);
    meanwhile.forget();
    to.used = 0;
    must(weft::trace::write_flight_recorder(to).has_value());
    out.value("pause_ms", static_cast<double>(meanwhile.end()) / 1e6);
    must(weft::trace::stop_flight_recorder().has_value());
    out.print(program);
  });
}

// --- memory --------------------------------------------------------------------------------------

namespace {

/// Pairs of goroutines that answer each other, until the gate is closed. The most resident memory
/// of the process in this time, in bytes.
int64_t memory_while_busy(int goroutines, int64_t ns, bool labelled) {
  weft::wait_group done;
  const int64_t until = wall_ns() + ns;
  for (int g = 0; g < goroutines / 2; ++g) {
    const auto ping = weft::make_chan<int>();
    const auto pong = weft::make_chan<int>();
    done.go([=] {
      for (int v : ping) pong.send(v);
      pong.close();
    });
    done.go([=] {
      const auto work = [&] {
        for (int i = 0; i % 16 != 0 || wall_ns() < until; ++i) {
          keep(std::make_unique<char[]>(100));
          ping.send(i);
          keep(pong.recv());
        }
      };
      if (labelled)
        weft::prof::do_(weft::prof::labels{"pair", std::to_string(g)}, work);
      else
        work();
      ping.close();
    });
  }
  int64_t most = 0;
  while (wall_ns() < until) {
    weft::sleep_for(std::chrono::milliseconds(50));
    most = std::max(most, status_bytes("VmRSS"));
  }
  done.wait();
  return most;
}

double megabytes(int64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

}  // namespace

void observed_memory(const call& how) {
  run_weft(how.procs, [&] {
    const int goroutines = static_cast<int>(how.count(10'000, 2, 100));
    const int64_t ns = how.count(10'000'000'000);
    result out{how};
    out.start();
    memory_while_busy(goroutines, ns / 10, false);
    const int64_t without = memory_while_busy(goroutines, ns / 10, false);
    const auto all_but_trace = {"cpu", "wall", "block_mutex", "heap", "flight"};
    for (const char* name : all_but_trace) find_observer(name)->on();
    const int64_t with = memory_while_busy(goroutines, ns, true);
    for (const char* name : all_but_trace) find_observer(name)->off();
    const int64_t after = status_bytes("VmRSS");
    find_observer("trace")->on();
    const int64_t traced = memory_while_busy(goroutines, ns / 10, true);
    find_observer("trace")->off();
    out.stop(goroutines);
    out.value("watched_mb", megabytes(with - without));
    out.value("written_mb", megabytes(after - without));
    out.value("traced_mb", megabytes(traced - after));
    out.print(program);
  });
}

}  // namespace bench
