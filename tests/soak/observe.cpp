// SPDX-License-Identifier: Apache-2.0
// A hundred thousand goroutines of all sorts that are looked at again and again: each cycle writes
// every profile and a trace. observe.py gives them to Go's tools, and says whether anything grows.
//
// usage: weft_observe_soak FOLDER SECONDS CYCLE_SECONDS GOROUTINES
//
// Every goroutine has a place: it does a few steps there, then starts another one in its place and
// ends. So goroutines are born all the time, and their number stays.
#include <sys/resource.h>
#include <unistd.h>
#include <weft/weft.hpp>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <latch>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace weft;
using namespace std::chrono_literals;
using duration = std::chrono::nanoseconds;

// Of the goroutines, in thousandths; the rest sleep.
constexpr int in_rings = 150;
constexpr int in_selects = 150;
constexpr int at_locks = 80;
constexpr int at_semaphores = 40;
constexpr int in_timers = 50;
// As many as that, however many goroutines there are.
constexpr int socket_pairs = 200;
constexpr int pipe_pairs = 6;
constexpr int blockers = 12;
constexpr int silent_blockers = 3;

constexpr int ring_members = 100;
constexpr int select_members = 10;
constexpr int lock_members = 50;

constexpr duration trace_time = 3s;
constexpr duration profile_time = 5s;

template <class T>
T must(result<T> got, const char* what) {
  if (!got) {
    std::fprintf(stderr, "observe: %s: %s\n", what, got.error().message().c_str());
    std::_Exit(1);
  }
  if constexpr (!std::is_void_v<T>) return std::move(*got);
}

// --- what all of them do a little of -------------------------------------------------------------

using random_numbers = std::minstd_rand;

duration between(random_numbers& random, duration least, duration most) {
  return std::uniform_int_distribution<int64_t>(least.count(), most.count())(random) * 1ns;
}

[[gnu::noinline]] uint64_t descend(random_numbers& random, int depth) {
  volatile char room[200] = {};
  room[0] = static_cast<char>(depth);
  uint64_t sum = 0;
  for (int i = 0; i < 50; ++i) sum += random();
  if (depth > 0) sum += descend(random, depth - 1);
  return sum + static_cast<uint64_t>(room[0]);
}

/// What a goroutine keeps while it lives.
using belongings = std::vector<std::string>;

[[gnu::noinline]] void work(random_numbers& random, belongings& mine) {
  if (mine.size() < 4)
    mine.emplace_back(random() % 500, 'x');
  else
    mine[random() % 4].assign(random() % 500, 'y');
  std::vector<int> soon_gone(random() % 1000);
  soon_gone.shrink_to_fit();
  if (random() % 16 == 0) {
    const trace::region part("work");
    const prof::scope labelled(prof::labels{"shift", random() % 2 == 0 ? "day" : "night"});
    (void)descend(random, 8);
  } else {
    (void)descend(random, 4);
  }
}

/// As deep as a goroutine ever gets, so that stacks do not grow for as long as it takes until all
/// of them have had a deep one.
[[gnu::noinline]] void touch_stack() {
  char room[7000] = {};
  asm volatile("" ::"r"(room) : "memory");
}

/// Calls `step(random, mine)` a few times, then leaves the place to a goroutine of its own.
template <class Step>
void inhabit(uint32_t seed, unsigned steps, Step step) {
  weft::go([=] {
    touch_stack();
    random_numbers random(seed);
    belongings mine;
    const unsigned mine_to_do = 1 + static_cast<unsigned>(random() % (2 * steps));
    for (unsigned i = 0; i < mine_to_do; ++i) step(random, mine);
    inhabit(static_cast<uint32_t>(random()), steps, step);
  });
}

// --- the sorts -----------------------------------------------------------------------------------

void sleeper(uint32_t seed) {
  inhabit(seed, 4, [](random_numbers& random, belongings& mine) {
    weft::sleep_for(between(random, 2s, 30s));
    work(random, mine);
  });
}

void waits_for_timer(uint32_t seed) {
  inhabit(seed, 4, [](random_numbers& random, belongings& mine) {
    timer later(between(random, 1s, 20s));
    if (random() % 4 == 0) later.reset(2s);
    (void)later.c().recv();
    work(random, mine);
  });
}

/// A token that goes around, a second's pause each time.
int ring(uint32_t seed, int members) {
  std::vector<chan<int>> channels;
  for (int i = 0; i < members; ++i) channels.push_back(make_chan<int>(i % 2));
  for (int i = 0; i < members; ++i) {
    const auto in = channels[static_cast<size_t>(i)];
    const auto out = channels[static_cast<size_t>((i + 1) % members)];
    const bool first = i == 0;
    inhabit(seed + static_cast<uint32_t>(i), 50, [=](random_numbers& random, belongings& mine) {
      const int token = in.recv().value_or(0);
      if (first) weft::sleep_for(between(random, 500ms, 1500ms));
      work(random, mine);
      out.send(token + 1);
    });
  }
  weft::go([first = channels[0]] { first.send(0); });
  return members;
}

/// One that sends, the others hold out for either of two channels.
int selects(uint32_t seed, int members) {
  const auto a = make_chan<int>();
  const auto b = make_chan<std::string>(2);
  inhabit(seed, 50, [=](random_numbers& random, belongings& mine) {
    weft::sleep_for(between(random, 100ms, 500ms));
    work(random, mine);
    weft::select(weft::on_send(a, 1), weft::on_send(b, std::string("text")),
                 weft::after(1s, [] {}));
  });
  for (int i = 1; i < members; ++i)
    inhabit(seed + static_cast<uint32_t>(i), 4, [=](random_numbers& random, belongings& mine) {
      auto [ctx, cancel] = with_timeout(background(), between(random, 5s, 60s));
      weft::select(weft::on_recv(a), weft::on_recv(b), weft::on_done(ctx, [] {}),
                   weft::after(between(random, 5s, 60s), [] {}));
      cancel();
      work(random, mine);
    });
  return members;
}

/// All but one wait for the lock.
int locks(uint32_t seed, int members) {
  const auto lock = std::make_shared<mutex>();
  for (int i = 0; i < members; ++i)
    inhabit(seed + static_cast<uint32_t>(i), 8, [=](random_numbers& random, belongings& mine) {
      const std::lock_guard<mutex> held(*lock);
      weft::sleep_for(between(random, 20ms, 100ms));
      work(random, mine);
    });
  return members;
}
int semaphores(uint32_t seed, int members) {
  const auto permits = std::make_shared<semaphore>(members / 10 + 1);
  for (int i = 0; i < members; ++i)
    inhabit(seed + static_cast<uint32_t>(i), 8, [=](random_numbers& random, belongings& mine) {
      permits->acquire();
      weft::sleep_for(between(random, 100ms, 500ms));
      work(random, mine);
      permits->release();
    });
  return members;
}

/// An echo server, and clients that come and go.
int sockets(uint32_t seed) {
  const net::listener listener = must(net::listen("tcp", "127.0.0.1:0"), "listen");
  weft::go([listener] {
    for (;;)
      weft::go([c = must(listener.accept(), "accept")] {
        const defer close([&] { (void)c.close(); });
        char piece[256];
        for (;;) {
          const auto got = c.read(std::span<char>(piece));
          if (!got || *got == 0 || !c.write(std::string_view(piece, *got))) return;
        }
      });
  });
  const std::string address = listener.addr().string();
  for (int i = 0; i < socket_pairs; ++i)
    inhabit(seed + static_cast<uint32_t>(i), 4, [=](random_numbers& random, belongings& mine) {
      const trace::task visit(background(), "visit");
      const net::conn c = must(net::dial(visit.ctx(), "tcp", address), "dial");
      const defer close([&] { (void)c.close(); });
      for (uint64_t asked = 0, often = 1 + random() % 20; asked < often; ++asked) {
        const trace::region exchange(visit.ctx(), "exchange");
        trace::log(visit.ctx(), "asked", std::to_string(asked));
        char piece[256] = {};
        (void)must(c.write(std::string_view(piece, 1 + random() % 200)), "write");
        (void)must(c.read(std::span<char>(piece)), "read");
        weft::sleep_for(between(random, 100ms, 1s));
        work(random, mine);
      }
    });
  return 1 + 2 * socket_pairs;
}

/// Reads that hold a thread, announced.
int pipes(uint32_t seed) {
  for (int i = 0; i < pipe_pairs; ++i) {
    int ends[2];
    if (::pipe(ends) != 0) std::perror("observe: pipe"), std::_Exit(1);
    inhabit(seed++, 50, [from = ends[0]](random_numbers& random, belongings& mine) {
      char byte;
      if (weft::blocking([&] { return ::read(from, &byte, 1); }) != 1) std::_Exit(1);
      work(random, mine);
    });
    inhabit(seed++, 50, [to = ends[1]](random_numbers& random, belongings& mine) {
      weft::sleep_for(between(random, 1ms, 100ms));
      work(random, mine);
      if (::write(to, "x", 1) != 1) std::_Exit(1);
    });
  }
  return 2 * pipe_pairs;
}

int threads_that_block(uint32_t seed) {
  for (int i = 0; i < blockers; ++i)
    inhabit(seed++, 20, [](random_numbers& random, belongings& mine) {
      const auto us = static_cast<useconds_t>(random() % 5000);
      weft::blocking([&] { ::usleep(us); });  // a thread that sleeps is the subject
      weft::sleep_for(between(random, 1ms, 100ms));
      work(random, mine);
    });
  // What nobody has announced: the monitor takes the P.
  for (int i = 0; i < silent_blockers; ++i)
    inhabit(seed++, 20, [](random_numbers& random, belongings& mine) {
      ::usleep(static_cast<useconds_t>(random() % 30'000));  // so that the P is taken from it
      weft::sleep_for(between(random, 100ms, 500ms));
      work(random, mine);
    });
  return blockers + silent_blockers;
}

/// A thread that is not the runtime's, and its goroutines.
int foreign_thread() {
  const auto letters = make_chan<int>(4);
  std::thread([letters] {
    for (int i = 0;; ++i) {
      ::usleep(10'000);  // the pace of what it sends
      letters.send(i);
      weft::go([] { weft::yield(); });
    }
  }).detach();
  weft::go([letters] {
    for (const int letter : letters) (void)letter;
  });
  return 1;
}

void begin(int goroutines) {
  uint32_t seed = 1;
  int begun = sockets(seed) + pipes(seed + 10'000) + threads_that_block(seed + 20'000);
  begun += foreign_thread();
  const auto share = [&](int thousandths, int members, auto start) {
    const int until = begun + static_cast<int>(int64_t{goroutines} * thousandths / 1000);
    while (begun + members <= until) begun += start(seed += 1'000'000, members);
  };
  share(in_rings, ring_members, ring);
  share(in_selects, select_members, selects);
  share(at_locks, lock_members, locks);
  share(at_semaphores, lock_members, semaphores);
  share(in_timers, 1, [](uint32_t s, int) { return waits_for_timer(s), 1; });
  while (begun < goroutines) sleeper(seed += 1000), ++begun;
}

// --- the looks -----------------------------------------------------------------------------------

/// A file, and how long it took to fill it.
class output {
 public:
  explicit output(const std::filesystem::path& path)
      : file_(std::fopen(path.c_str(), "wb")), name_(path.filename()) {
    if (file_ == nullptr) std::perror(path.c_str()), std::_Exit(1);
  }
  void operator()(std::string_view bytes) {
    if (std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size())
      std::perror(name_.c_str()), std::_Exit(1);
  }
  /// Says so on standard output: a field of the cycle's line.
  void done(time_point since) {
    std::fclose(file_);
    const auto took = std::chrono::duration<double, std::milli>(weft::now() - since);
    std::printf(" %s=%.0f", name_.c_str(), took.count());
  }

 private:
  std::FILE* file_;
  std::string name_;
};

void write_profile(const std::filesystem::path& folder, const char* name) {
  output file(folder / (std::string(name) + ".pb.gz"));
  const auto since = weft::now();
  must(prof::write(name, file), name);
  file.done(since);
}

void over_time(const std::filesystem::path& folder) {
  must(prof::start_cpu(), "start_cpu");
  must(prof::start_wall(), "start_wall");
  weft::sleep_for(profile_time);
  for (const bool cpu : {true, false}) {
    output file(folder / (cpu ? "cpu.pb.gz" : "wall.pb.gz"));
    const auto since = weft::now();
    (void)must(cpu ? prof::stop_cpu(file) : prof::stop_wall(file), "stop");
    file.done(since);
  }
}

/// How long stop() takes is what is told.
void trace_for(const std::filesystem::path& folder, bool procs_change) {
  output file(folder / "all.trace");
  must(trace::start(file), "trace start");
  weft::sleep_for(trace_time / 2);
  const int before = procs_change ? weft::maxprocs(3) : 0;
  weft::sleep_for(trace_time / 2);
  if (procs_change) weft::maxprocs(before);
  const auto since = weft::now();
  must(trace::stop(), "trace stop");
  file.done(since);
}

void look(const std::filesystem::path& folder, int cycle) {
  std::filesystem::create_directories(folder);
  // MiB: where it is that memory grows, if it does.
  const auto heap = weft::heap_stats();
  std::printf("cycle %d goroutines=%lld in_use=%zu span=%zu idle=%zu metadata=%zu", cycle,
              static_cast<long long>(weft::num_goroutine()), heap.in_use_bytes >> 20,
              heap.span_bytes >> 20, heap.idle_bytes >> 20, heap.metadata_bytes >> 20);
  const bool remembering = cycle % 3 == 1;
  if (remembering) must(trace::start_flight_recorder(), "start_flight_recorder");
  // Every other time at once, so that the trace has CPU samples, too.
  if (cycle % 2 == 0) {
    over_time(folder);
    trace_for(folder, cycle % 4 == 2);
  } else {
    auto profiles = weft::spawn([&] { over_time(folder); });
    weft::sleep_for(1s);
    trace_for(folder, cycle % 4 == 3);
    profiles.join();
  }
  for (const char* name :
       {"heap", "allocs", "block", "mutex", "sched", "goroutine", "threadcreate"})
    write_profile(folder, name);
  if (remembering) {
    output file(folder / "flight.trace");
    const auto since = weft::now();
    must(trace::write_flight_recorder(file), "write_flight_recorder");
    file.done(since);
    must(trace::stop_flight_recorder(), "stop_flight_recorder");
  }
  std::printf("\n");
}

/// As many threads as will ever be blocked at once: they stay.
void make_threads() {
  constexpr int count = pipe_pairs + blockers + silent_blockers + 8;
  std::latch there(count);
  wait_group all;
  for (int i = 0; i < count; ++i) all.go([&] { weft::blocking([&] { there.arrive_and_wait(); }); });
  all.wait();
}

int observe(const std::filesystem::path& folder, duration time, duration cycle, int goroutines) {
  prof::set_block_rate(10'000);
  prof::set_mutex_fraction(10);
  prof::set_sched_fraction(100);
  make_threads();
  const auto began = weft::now();
  begin(goroutines);
  for (int i = 0;; ++i) {
    weft::sleep_for(began + (i + 1) * cycle - profile_time - trace_time - weft::now());
    look(folder / std::to_string(i), i);
    if (weft::now() - began + cycle / 2 > time) return 0;
  }
}

}  // namespace

int main(int count, char** words) {
  const auto number = [&](int i) { return i < count ? std::atoi(words[i]) : 0; };
  if (count != 5 || number(2) < 1 || number(3) < 10 || number(4) < 1000) {
    std::fprintf(stderr,
                 "usage: weft_observe_soak FOLDER SECONDS CYCLE_SECONDS GOROUTINES\n"
                 "       (cycles of 10 s at least, 1000 goroutines at least)\n");
    return 2;
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  return weft::run([&] { return observe(words[1], number(2) * 1s, number(3) * 1s, number(4)); });
}
