// SPDX-License-Identifier: Apache-2.0
// weft ps: the Weft processes of this user that have a control socket.
#include <algorithm>
#include <string>
#include <vector>

#include "commands.hpp"
#include "sockets.hpp"
#include "target.hpp"
#include "text.hpp"
#include "weft/sched/go.hpp"
#include "weft/sync/wait_group.hpp"

namespace weft_command {

namespace {

constexpr option options[] = {
    {"--pids", nullptr, nullptr, "only the process ids"}, json_option, token_option};

struct process_row {
  int64_t pid = 0;
  std::string program;
  double uptime_seconds = 0;
  int64_t goroutines = 0;
  int64_t threads = 0;
  std::string address;
  std::string problem;  // empty: it has answered
};

/// False: nobody is there any more.
bool ask(const control_socket& socket, const std::string& token, process_row& to) {
  using namespace std::chrono_literals;
  to.pid = socket.pid;
  to.address = "unix:" + socket.path;
  to.program = program_of(socket.pid);
  const target at = target::at_socket(socket.path, token);
  const auto [ctx, cancel] = weft::with_timeout(weft::background(), 2s);
  const weft::result<weft::json::value> sched = at.get_json(ctx, "/debug/sched?format=json");
  if (!sched) {
    to.problem = sched.error().message();
    if (to.problem.starts_with(to.address)) to.problem.erase(0, to.address.size() + 1);
    return !sched.error().message().starts_with("nobody") &&
           !sched.error().message().starts_with("there is no socket");
  }
  to.uptime_seconds = (*sched)["uptime_seconds"].number().value_or(0);
  to.goroutines = (*sched)["goroutines"].integer().value_or(0);
  to.threads = (*sched)["threads"].integer().value_or(0);
  return true;
}

std::vector<process_row> all_processes(const std::string& token) {
  const std::vector<control_socket> sockets = control_sockets();
  std::vector<process_row> rows(sockets.size());
  std::vector<char> alive(sockets.size());
  weft::wait_group asked;
  for (size_t i = 0; i < sockets.size(); ++i)
    asked.go([&, i] { alive[i] = ask(sockets[i], token, rows[i]) ? 1 : 0; });
  asked.wait();
  std::vector<process_row> out;
  for (size_t i = 0; i < rows.size(); ++i)
    if (alive[i] != 0) out.push_back(std::move(rows[i]));
  return out;
}

std::string cell(std::string text, size_t width, bool right) {
  if (text.size() < width) text.insert(right ? 0 : text.size(), width - text.size(), ' ');
  return text;
}

std::string table(const std::vector<process_row>& rows) {
  size_t program = 7;
  for (const process_row& r : rows) program = std::max(program, r.program.size());
  std::string out =
      "    PID  " + cell("PROGRAM", program, false) + "      UP  GOROUTINES  THREADS  ADDRESS\n";
  for (const process_row& r : rows) {
    out += cell(std::to_string(r.pid), 7, true) + "  " + cell(r.program, program, false);
    if (r.problem.empty())
      out += cell(age_text(r.uptime_seconds), 8, true) + cell(with_commas(r.goroutines), 12, true) +
             cell(with_commas(r.threads), 9, true);
    else
      out += cell("?", 8, true) + cell("?", 12, true) + cell("?", 9, true);
    out += "  " + r.address + (r.problem.empty() ? "" : "  (" + r.problem + ")") + "\n";
  }
  return out;
}

int run(const invocation& given) {
  const std::vector<process_row> rows = all_processes(token_of(given));
  std::string out;
  if (given.has("--pids")) {
    for (const process_row& r : rows) out += std::to_string(r.pid) + "\n";
  } else if (given.has("--json")) {
    out =
        weft::json::encode(rows, {.indent = 2, .replace_invalid_utf8 = true}).value_or("[]") + "\n";
  } else if (rows.empty()) {
    return print_out("no Weft process of this user has a control socket\n") ? exit_good
                                                                            : exit_failed;
  } else {
    out = table(rows);
  }
  return print_out(out) ? exit_good : exit_failed;
}

}  // namespace

const command ps_command{
    .name = "ps",
    .arguments = "",
    .summary = "The Weft processes of this user that run now",
    .details =
        "They are found by their control sockets, in $XDG_RUNTIME_DIR/weft and "
        "/tmp/weft-UID. A program\nhas one when it links weft::debughttp, unless "
        "WEFT_DEBUG_ADDR puts its door elsewhere.\n",
    .options = options,
    .arguments_min = 0,
    .arguments_max = 0,
    .on_runtime = true,
    .run = run};

}  // namespace weft_command
