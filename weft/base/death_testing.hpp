// SPDX-License-Identifier: Apache-2.0
// For tests: how a child process died, and exactly what it wrote to stderr.
#pragma once

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

namespace weft::rt::testing {

struct death {
  int exit_code = -1;  // -1: killed by a signal
  int signal = 0;
  std::string text;
};

/// Runs `f` in a forked child. A child that survives it exits with 99.
template <class F>
death die_in_child(F f) {
  int ends[2];
  if (::pipe(ends) != 0) return {};
  pid_t child = ::fork();
  if (child == 0) {
    rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
    ::dup2(ends[1], STDERR_FILENO);
    ::close(ends[0]);
    ::close(ends[1]);
    f();
    ::_exit(99);
  }
  ::close(ends[1]);
  death result;
  char chunk[4096];
  ssize_t got;
  while ((got = ::read(ends[0], chunk, sizeof(chunk))) > 0)
    result.text.append(chunk, static_cast<size_t>(got));
  ::close(ends[0]);
  // Under QEMU's user mode the emulator adds a line of its own about a fatal signal.
  size_t emulator = result.text.find("qemu: uncaught target signal");
  if (emulator != std::string::npos) result.text.resize(emulator);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
  return result;
}

}  // namespace weft::rt::testing
