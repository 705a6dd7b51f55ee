// SPDX-License-Identifier: Apache-2.0
// Signals in thousands while goroutines switch, and a process that is stopped and goes on.
#include <dirent.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "weft/base/sanitizer.hpp"
#include "weft/weft.hpp"

extern "C" char** environ;

namespace {

using namespace std::chrono_literals;

std::atomic<long> handled{0};

// Without SA_RESTART: every system call of the runtime must live with EINTR.
void count_signal(int) { handled.fetch_add(1, std::memory_order_relaxed); }

std::vector<pid_t> threads_of_process() {
  std::vector<pid_t> found;
  DIR* folder = ::opendir("/proc/self/task");
  if (folder == nullptr) return found;
  while (const dirent* entry = ::readdir(folder))
    if (const long number = std::strtol(entry->d_name, nullptr, 10); number > 0)
      found.push_back(static_cast<pid_t>(number));
  ::closedir(folder);
  return found;
}

/// Sends queued signals to every other thread in turn, 10,000 a second, until told to stop. A
/// queued signal is not merged with another: each one that was sent must be handled.
class storm {
 public:
  explicit storm(int number) : number_(number), thread_([this] { blow(); }) {}
  long end() {
    ended_ = true;
    thread_.join();
    return sent_;
  }

 private:
  void blow() {
    const pid_t self = static_cast<pid_t>(::syscall(SYS_gettid));
    auto next = std::chrono::steady_clock::now();
    while (!ended_) {
      for (const pid_t thread : threads_of_process()) {
        if (thread == self) continue;
        siginfo_t info{};
        info.si_signo = number_;
        info.si_code = SI_QUEUE;
        // EAGAIN: the queue of the user is full; ESRCH: the thread is gone.
        if (::syscall(SYS_rt_tgsigqueueinfo, ::getpid(), thread, number_, &info) == 0) ++sent_;
        next += 100us;
        while (std::chrono::steady_clock::now() < next) {
        }
      }
    }
  }

  int number_;
  std::atomic<bool> ended_{false};
  long sent_ = 0;
  std::thread thread_;
};

/// Channels, spawns, timers and a socket pair's worth of netpoll, each with its sum.
void work_for(std::chrono::milliseconds time) {
  const auto end = weft::now() + time;
  auto heard = weft::net::listen("tcp", "127.0.0.1:0");
  ASSERT_TRUE(heard);
  weft::go([server = *heard] {
    while (auto peer = server.accept())
      weft::go([peer = *peer] {
        char text[64];
        for (;;) {
          const auto got = peer.read(std::span<char>(text));
          if (!got || *got == 0) break;
          (void)peer.write(std::string_view(text, *got));
        }
        (void)peer.close();
      });
  });
  long rounds = 0;
  auto link = weft::make_chan<long>();
  auto back = weft::make_chan<long>(1);
  auto doubler = weft::spawn([link, back] {
    while (const auto value = link.recv()) back.send(*value * 2);
  });
  auto client = weft::net::dial("tcp", heard->addr().string());
  ASSERT_TRUE(client);
  while (weft::now() < end) {
    ++rounds;
    link.send(rounds);
    ASSERT_EQ(*back.recv(), rounds * 2);
    std::vector<weft::task<long>> tasks;
    for (long i = 0; i < 8; ++i)
      tasks.push_back(weft::spawn([i] {
        weft::yield();
        return i;
      }));
    long sum = 0;
    for (auto& t : tasks) sum += t.join();
    ASSERT_EQ(sum, 28);
    weft::sleep_for(20us);
    const std::string sent = std::to_string(rounds);
    ASSERT_TRUE(client->write(sent));
    std::string heard_back(sent.size(), '?');
    ASSERT_TRUE(client->read_full(std::span<char>(heard_back)));
    ASSERT_EQ(heard_back, sent);
  }
  link.close();
  doubler.join();
  (void)client->close();
  (void)heard->close();
  ::testing::Test::RecordProperty("rounds", static_cast<int>(rounds));
  EXPECT_GT(rounds, 10);
}

void storm_with(int flags) {
  const int number = SIGRTMIN + 3;
  struct sigaction ours{};
  struct sigaction before{};
  ours.sa_handler = count_signal;
  ours.sa_flags = flags;
  ASSERT_EQ(::sigaction(number, &ours, &before), 0);
  handled = 0;
  weft::run({.procs = 4}, [&] {
    storm signals(number);
    work_for(1000ms);
    const long sent = signals.end();
    EXPECT_GT(sent, 500);
#if !WEFT_TSAN  // it hands signals over at its own time
    while (handled != sent) weft::yield();
#endif
  });
  ASSERT_EQ(::sigaction(number, &before, nullptr), 0);
}

TEST(Signals, AStormOnTheAlternateStack) { storm_with(SA_ONSTACK); }
TEST(Signals, AStormOnTheGoroutinesStacks) { storm_with(0); }

// --- SIGSTOP -------------------------------------------------------------------------------------

/// Stops this process; a shell lets it go on after 300 ms.
void stop_for_a_while() {
  char shell[] = "sh";
  char option[] = "-c";
  char text[] = "kill -STOP $PPID; sleep 0.3; kill -CONT $PPID";
  char* arguments[] = {shell, option, text, nullptr};
  pid_t child = 0;
  ASSERT_EQ(::posix_spawn(&child, "/bin/sh", nullptr, nullptr, arguments, environ), 0);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) ASSERT_EQ(errno, EINTR);
  ASSERT_EQ(status, 0);
}

TEST(Stopped, TimersFireOnceAndNobodyIsTakenForDead) {
  weft::run({.procs = 2}, [] {
    const auto begin = weft::now();
    std::atomic<int> fired{0};
    std::vector<weft::task<void>> sleepers;
    for (int i = 0; i < 40; ++i)
      sleepers.push_back(weft::spawn([&, i] {
        const auto due = begin + i * 10ms;
        weft::sleep_until(due);
        EXPECT_GE(weft::now(), due);
        ++fired;
      }));
    std::atomic<int> called{0};
    const weft::timer once = weft::after_func(100ms, [&] { ++called; });
    weft::ticker ticks(20ms);
    int ticked = 0;
    const auto [ctx, cancel] = weft::with_timeout(weft::background(), 150ms);
    auto stopper = weft::spawn([] { stop_for_a_while(); });
    while (!stopper.done() || fired != 40)
      if (ticks.c().recv()) ++ticked;
    stopper.join();
    for (auto& t : sleepers) t.join();
    EXPECT_EQ(fired, 40);
    EXPECT_EQ(called, 1);
    EXPECT_TRUE(ctx.err().timeout());
    // As Go: ticks that nobody could take are dropped, and do not come in a burst.
    EXPECT_LE(ticked, (weft::now() - begin) / 20ms + 1);
    EXPECT_GE(weft::now() - begin, 300ms);
  });
}

}  // namespace
