// SPDX-License-Identifier: Apache-2.0
// weft top: a live view of one process.
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <memory>

#include "commands.hpp"
#include "interrupt.hpp"
#include "progress.hpp"
#include "sockets.hpp"
#include "target.hpp"
#include "terminal.hpp"
#include "top_frame.hpp"
#include "weft/sched/go.hpp"
#include "weft/sync/chan.hpp"
#include "weft/sync/select.hpp"
#include "weft/sync/timer.hpp"

namespace weft_command {

namespace {

constexpr option options[] = {
    {"--interval", "-i", "TIME", "between two looks (default 1s)"},
    {"--once", nullptr, nullptr, "one frame on standard output, for scripts"},
    {"--no-cpu", nullptr, nullptr, "without profiling the CPU meanwhile (100 samples a second)"},
    {"--no-trace", nullptr, nullptr, "without tracing a tenth of a second each time"},
    {"--ascii", nullptr, nullptr, "draw without Unicode's blocks"},
    {"--json", nullptr, nullptr, "one frame's data as JSON"},
    token_option,
    ca_option,
    cert_option,
    key_option};

// Looks that the histories keep: more than a screen is wide.
constexpr size_t looks_max = 400;
// Stacks asked for: more than a screen is high.
constexpr const char* goroutines_path = "/debug/goroutines?format=json&limit=60";

bool wants_ascii() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* text = std::getenv(name);
    if (text == nullptr || *text == 0) continue;
    const std::string_view locale(text);
    return !locale.contains("UTF-8") && !locale.contains("utf8");
  }
  return true;
}

/// Looks at the process again and again, and keeps what it saw.
class watcher {
 public:
  watcher(const target& at, bool cpu, bool trace) : at_(&at), cpu_(cpu), trace_(trace) {
    state_.title = at.name();
    pid_t pid = 0;
    if (at.address().starts_with("unix:"))
      pid = static_cast<pid_t>(std::atol(at.address().substr(at.address().rfind('/') + 1).c_str()));
    if (const std::string program = pid > 0 ? program_of(pid) : ""; !program.empty())
      state_.title = program + " (" + std::to_string(pid) + ")";
  }

  /// One look, which lasts `seconds` when the CPU is profiled. Fails if nobody answers; pages that
  /// are not there are left out.
  weft::result<void> look(const weft::context& ctx, double seconds) {
    state_.problem.clear();
    state_.cpu.reset();
    const weft::chan<int> profiled = weft::make_chan<int>();
    if (cpu_)
      weft::go([&] {
        profile_cpu(ctx, seconds);
        profiled.close();
      });
    const weft::result<void> seen = look_at_pages(ctx);
    if (seen && trace_) trace(ctx);
    if (cpu_) (void)profiled.recv();
    // With the profile's second behind it: rates are of the time that the frame shows.
    if (!seen) return seen;
    if (weft::result<weft::json::value> sched = at_->get_json(ctx, "/debug/sched?format=json"))
      take_sched(std::move(*sched));
    else
      return weft::fail(sched.error());
    return {};
  }
  [[nodiscard]] const top_state& state() const noexcept { return state_; }

 private:
  weft::result<void> look_at_pages(const weft::context& ctx) {
    if (state_.sched.is_null()) {
      weft::result<weft::json::value> first = at_->get_json(ctx, "/debug/sched?format=json");
      if (!first) return weft::fail(first.error());
      take_sched(std::move(*first));
    }
    for (const auto& [path, to] : {std::pair{"/debug/heap?format=json", &state_.heap},
                                   std::pair{goroutines_path, &state_.goroutines}}) {
      weft::result<weft::json::value> got = at_->get_json(ctx, path);
      if (got)
        *to = std::move(*got);
      else if (ctx.err())
        return weft::fail(got.error());
      else
        state_.problem = got.error().message();
    }
    return {};
  }

  void profile_cpu(const weft::context& ctx, double seconds) {
    const auto whole = static_cast<int64_t>(std::ceil(seconds));
    const weft::result<std::string> bytes = at_->get(
        ctx, "/debug/pprof/profile?seconds=" + std::to_string(whole), static_cast<double>(whole));
    if (!bytes) {
      cpu_problem_ = bytes.error().message();
      return;
    }
    cpu_problem_.clear();
    weft::result<profile> got = parse_profile(*bytes);
    if (!got) return;
    if (weft::result<top_table> table = make_top_table(*got, got->sample_types.size() - 1, nullptr))
      state_.cpu = std::move(*table);
    state_.cpu_seconds = static_cast<double>(whole);
  }

  void trace(const weft::context& ctx) {
    state_.latency.reset();
    const weft::result<std::string> bytes = at_->get(ctx, "/debug/pprof/trace?seconds=0.1", 0.1);
    if (!bytes) {
      state_.problem = bytes.error().message();
      return;
    }
    if (weft::result<run_latency> found = find_run_latency(*bytes)) state_.latency = *found;
  }

  void take_sched(weft::json::value sched) {
    state_.before = std::move(state_.sched);
    state_.sched = std::move(sched);
    if (!cpu_problem_.empty()) state_.problem = cpu_problem_;
    const double procs = state_.sched["procs"].number().value_or(1);
    const double idle = state_.sched["idle_procs"].number().value_or(0);
    keep(state_.runnable, state_.sched["states"]["runnable"].number().value_or(0));
    keep(state_.busy, procs > 0 ? (procs - idle) / procs : 0);
  }
  static void keep(std::deque<double>& to, double value) {
    to.push_back(value);
    if (to.size() > looks_max) to.pop_front();
  }

  const target* at_;
  bool cpu_;
  bool trace_;
  top_state state_;
  std::string cpu_problem_;
};

struct json_frame {
  weft::json::value sched;
  weft::json::value heap;
  weft::json::value goroutines;
  weft::json::value metrics;
};

int show_json(const target& at) {
  const interrupt stop;
  json_frame all;
  for (const auto& [path, to] : {std::pair{"/debug/sched?format=json", &all.sched},
                                 std::pair{"/debug/heap?format=json", &all.heap},
                                 std::pair{goroutines_path, &all.goroutines},
                                 std::pair{"/metrics?format=json", &all.metrics}}) {
    weft::result<weft::json::value> got = at.get_json(stop.ctx(), path);
    if (!got) return report(got.error());
    *to = std::move(*got);
  }
  const std::string out = weft::json::encode(all, {.indent = 2}).value_or("null") + "\n";
  return print_out(out) ? exit_good : exit_failed;
}

int show_once(const target& at, const invocation& given, double interval) {
  const interrupt stop;
  watcher watching(at, !given.has("--no-cpu"), !given.has("--no-trace"));
  {
    const progress shown("looking at " + at.name(), interval);
    if (const weft::result<void> seen = watching.look(stop.ctx(), interval); !seen)
      return report(seen.error());
  }
  const std::string out =
      draw_top(watching.state(), {.columns = size_of_screen(STDOUT_FILENO).columns,
                                  .rows = 0,
                                  .color = wants_color(),
                                  .ascii = given.has("--ascii") || wants_ascii()});
  return print_out(out) ? exit_good : exit_failed;
}

/// Keys as a channel: closed when q was pressed, the input has ended, or the terminal has another
/// size than at the last frame (then `resized` gets a value).
struct keyboard {
  weft::chan<int> quit = weft::make_chan<int>();
  weft::chan<int> resized = weft::make_chan<int>(1);

  void watch() const {
    weft::go([quit = quit, resized = resized] {
      screen_size size = size_of_screen(STDOUT_FILENO);
      while (true) {
        int key = 0;
        weft::blocking([&] { key = full_screen::key(); });
        if (key == 'q' || key == 'Q' || key < 0) break;
        const screen_size now = size_of_screen(STDOUT_FILENO);
        if (now == size) continue;
        size = now;
        weft::select(weft::on_send(resized, 1, [] {}), weft::otherwise([] {}));
      }
      quit.close();
    });
  }
};

int show_live(const target& at, const invocation& given, double interval) {
  const interrupt stop;
  const auto [ctx, cancel] = weft::with_cancel(stop.ctx());
  watcher watching(at, !given.has("--no-cpu"), !given.has("--no-trace"));
  // Before the screen is taken, so that an error stays to be read.
  if (const weft::result<weft::json::value> there = at.get_json(ctx, "/debug/sched?format=json");
      !there)
    return report(there.error());
  weft::error why;
  {
    full_screen screen;
    const keyboard keys;
    keys.watch();
    frame_options how{.columns = 80,
                      .rows = 24,
                      .color = wants_color(),
                      .ascii = given.has("--ascii") || wants_ascii()};
    const auto draw = [&] {
      const screen_size size = size_of_screen(STDOUT_FILENO);
      how.columns = size.columns;
      how.rows = size.rows;
      screen.draw(watching.state().sched.is_null() ? "looking ...\n"
                                                   : draw_top(watching.state(), how));
    };
    draw();
    for (bool running = true; running;) {
      const auto next = weft::now() + std::chrono::duration_cast<std::chrono::nanoseconds>(
                                          std::chrono::duration<double>(interval));
      // The look writes to a copy of what is drawn: a resize may ask for it meanwhile.
      const weft::chan<int> looked = weft::make_chan<int>();
      watcher fresh = watching;
      weft::result<void> seen;
      weft::go([&] {
        seen = fresh.look(ctx, interval);
        looked.close();
      });
      bool looking = true;
      while (looking && running)
        weft::select(weft::on_recv(looked, [&] { looking = false; }),
                     weft::on_recv(keys.resized, [&] { draw(); }),
                     weft::on_recv(keys.quit, [&] { running = false; }),
                     weft::on_done(ctx, [&] { running = false; }));
      if (!running) cancel();
      if (looking) (void)looked.recv();
      if (!running) break;
      if (!seen) {
        why = seen.error();
        break;
      }
      watching = std::move(fresh);
      draw();
      weft::timer rest(std::max(next - weft::now(), std::chrono::nanoseconds(1)));
      bool waiting = true;
      while (waiting && running)
        weft::select(weft::on_recv(rest.c(), [&] { waiting = false; }),
                     weft::on_recv(keys.resized, [&] { draw(); }),
                     weft::on_recv(keys.quit, [&] { running = false; }),
                     weft::on_done(ctx, [&] { running = false; }));
    }
  }
  return why ? report(why) : exit_good;
}

int run(const invocation& given) {
  const weft::result<double> interval = given.seconds("--interval", 1, 0.1, 3600);
  if (!interval) return report(interval.error());
  const weft::result<target> at = target::find(given, given.arguments[0]);
  if (!at) return report(at.error());
  if (given.has("--json")) return show_json(*at);
  if (given.has("--once")) return show_once(*at, given, *interval);
  if (!is_terminal(STDOUT_FILENO) || !is_terminal(STDIN_FILENO))
    return report(usage_error("top: this is no terminal: --once prints one frame"));
  return show_live(*at, given, *interval);
}

}  // namespace

const command top_command{
    .name = "top",
    .arguments = "TARGET",
    .summary = "A live view: Ps and their queues, goroutines, heap, the busiest functions",
    .details =
        "q ends it. The process's CPU is profiled meanwhile; while somebody else does that "
        "the list of\nfunctions is missing.\n",
    .options = options,
    .arguments_min = 1,
    .arguments_max = 1,
    .on_runtime = true,
    .run = run};

}  // namespace weft_command
