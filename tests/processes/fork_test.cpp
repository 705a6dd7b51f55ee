// SPDX-License-Identifier: Apache-2.0
// fork() in a goroutine: with exec and _exit in the child everything works; a child that goes on
// with Weft dies and says why.
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "weft/weft.hpp"

extern "C" char** environ;

namespace {

/// The exit status of a child, or -1 if it did not exit.
int status_of(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return -1;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

struct outcome {
  int status = -1;
  std::string said;
};

/// Forks; the child runs `body` and then exits with 7. What it came to.
outcome in_child(void (*body)()) {
  int ends[2];
  if (::pipe(ends) != 0) return {};
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], STDERR_FILENO);
    ::alarm(20);  // a hang is what must not be
    body();
    ::_exit(7);
  }
  ::close(ends[1]);
  outcome found;
  std::array<char, 512> text;
  for (ssize_t got; (got = ::read(ends[0], text.data(), text.size())) > 0;)
    found.said.append(text.data(), static_cast<size_t>(got));
  ::close(ends[0]);
  found.status = status_of(child);
  return found;
}

/// Goroutines that use the runtime while the test does.
class busy {
 public:
  busy() {
    for (int i = 0; i < 4; ++i)
      tasks_.push_back(weft::spawn([this] {
        while (!ended_.load(std::memory_order_relaxed)) {
          (void)weft::after(std::chrono::microseconds(50)).recv();
          weft::yield();
        }
      }));
  }
  ~busy() {
    ended_ = true;
    for (auto& t : tasks_) t.join();
  }
  busy(const busy&) = delete;
  busy& operator=(const busy&) = delete;

 private:
  std::atomic<bool> ended_{false};
  std::vector<weft::task<void>> tasks_;
};

constexpr int rounds = 10;

TEST(Fork, ThenExec) {
  weft::run({.procs = 2}, [] {
    const busy others;
    for (int i = 0; i < rounds; ++i) {
      const pid_t child = ::fork();
      if (child == 0) {
        ::execl("/bin/sh", "sh", "-c", "exit 3", nullptr);
        ::_exit(127);
      }
      weft::yield();
      EXPECT_EQ(status_of(child), 3);
    }
  });
}

TEST(Fork, ThenUnderscoreExit) {
  weft::run({.procs = 2}, [] {
    const busy others;
    for (int i = 0; i < rounds; ++i) EXPECT_EQ(in_child([] {}).status, 7);
  });
}

TEST(Fork, ByTheCLibrary) {
  weft::run({.procs = 2}, [] {
    const busy others;
    for (int i = 0; i < rounds; ++i) {
      const int status = std::system("exit 4");
      EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 4);
      FILE* pipe = ::popen("echo from a shell", "r");
      ASSERT_NE(pipe, nullptr);
      std::array<char, 64> line{};
      EXPECT_NE(std::fgets(line.data(), line.size(), pipe), nullptr);
      EXPECT_STREQ(line.data(), "from a shell\n");
      EXPECT_EQ(::pclose(pipe), 0);
      char shell[] = "sh";
      char option[] = "-c";
      char text[] = "exit 5";
      char* arguments[] = {shell, option, text, nullptr};
      pid_t child = 0;
      ASSERT_EQ(::posix_spawn(&child, "/bin/sh", nullptr, nullptr, arguments, environ), 0);
      EXPECT_EQ(status_of(child), 5);
    }
  });
}

void expect_refusal(const outcome& found) {
  EXPECT_EQ(found.status, 2);
  EXPECT_NE(found.said.find("fatal error: weft used in the child of a fork()"), std::string::npos)
      << found.said;
}

TEST(Fork, AChildThatGoesOnWithWeftDiesWithAReport) {
  weft::run({.procs = 2}, [] {
    static const auto full = weft::make_chan<int>(1);
    (void)full.try_send(1);
    expect_refusal(in_child([] { weft::yield(); }));
    expect_refusal(in_child([] { weft::go([] {}); }));
    expect_refusal(in_child([] { full.send(2); }));
    expect_refusal(in_child([] { weft::sleep_for(std::chrono::milliseconds(1)); }));
    // What is left of an old life does not run there either.
    weft::spawn([] {
      expect_refusal([] {
        int ends[2];
        if (::pipe(ends) != 0) return outcome{};
        // A goroutine that just returns in the child.
        auto parted = weft::make_chan<pid_t>(1);
        weft::go([parted, write_end = ends[1]] {
          const pid_t child = ::fork();
          if (child != 0) {
            parted.send(child);
            return;
          }
          ::dup2(write_end, STDERR_FILENO);
          ::alarm(20);
        });
        const pid_t child = *parted.recv();
        ::close(ends[1]);
        outcome found;
        std::array<char, 512> text;
        for (ssize_t got; (got = ::read(ends[0], text.data(), text.size())) > 0;)
          found.said.append(text.data(), static_cast<size_t>(got));
        ::close(ends[0]);
        found.status = status_of(child);
        return found;
      }());
    }).join();
  });
}

TEST(Fork, TheSameFromAForeignThread) {
  weft::run({.procs = 2}, [] {
    std::thread([] {
      expect_refusal(in_child([] { weft::go([] {}); }));  // the runtime has not seen this thread
      weft::task<int> task = weft::spawn([] { return 1; });
      EXPECT_EQ(task.join(), 1);
      expect_refusal(in_child([] { weft::go([] {}); }));
      EXPECT_EQ(in_child([] {}).status, 7);
    }).join();
  });
}

TEST(Fork, BetweenRuns) {
  weft::run([] {});
  expect_refusal(in_child([] { weft::run([] {}); }));
  EXPECT_EQ(in_child([] {}).status, 7);
}

}  // namespace
