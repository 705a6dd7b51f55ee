// SPDX-License-Identifier: Apache-2.0
// /debug/pprof/: the paths, parameters and answers of Go's net/http/pprof, which its tools know.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weft/base/atomic.hpp"
#include "weft/debughttp/debughttp.hpp"
#include "weft/debughttp/internal/answer.hpp"
#include "weft/debughttp/internal/pages.hpp"
#include "weft/observe/flight_recorder.hpp"
#include "weft/observe/internal/symbols.hpp"
#include "weft/observe/prof.hpp"
#include "weft/observe/trace.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sync/context.hpp"
#include "weft/sync/select.hpp"

namespace weft::debughttp {

namespace {

using http::request;
using http::response_writer;
using std::chrono::nanoseconds;

rt::atomic<int64_t> seconds_max{profile_seconds_max};

// As Go's.
constexpr int64_t cpu_seconds = 30;
constexpr double trace_seconds = 1;

void serve_error(response_writer& w, int status, std::string_view text) {
  w.headers().erase("Content-Disposition");
  w.headers().set("Content-Type", "text/plain; charset=utf-8");
  w.headers().set("X-Content-Type-Options", "nosniff");
  w.headers().set("X-Go-Pprof", "1");
  w.write_head(status);
  (void)w.write(std::string(text) + "\n");
}

void serve_failure(response_writer& w, int status, std::string_view what, const error& why) {
  if (w.status() != 0) throw http::abort_handler();  // a part is out: the client must notice
  serve_error(w, status, std::string(what) + std::string(why.message()));
}

void say_binary(response_writer& w, std::string_view name) {
  w.headers().set("Content-Type", "application/octet-stream");
  w.headers().set("Content-Disposition", "attachment; filename=\"" + std::string(name) + "\"");
  w.headers().set("X-Content-Type-Options", "nosniff");
}

/// As strconv.ParseInt: all of it is a number.
std::optional<int64_t> whole(std::string_view text) {
  int64_t n = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (failed != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return n;
}

/// Within the limit; else it is answered. The answer may take that long from now on.
bool allow_seconds(response_writer& w, double seconds) {
  const int64_t most = seconds_max.load(rt::relaxed);
  if (seconds > static_cast<double>(most)) {
    std::string text;
    append_format(text, "seconds is %g: at most %lld (weft::debughttp::limit_profile_seconds)",
                  seconds, static_cast<long long>(most));
    serve_error(w, 400, text);
    return false;
  }
  // To symbolize and to send.
  constexpr auto afterwards = std::chrono::minutes(2);
  const auto end = std::chrono::steady_clock::now() + afterwards +
                   nanoseconds(static_cast<int64_t>(seconds * 1e9));
  (void)w.set_write_deadline(end);
  (void)w.set_read_deadline(end);
  return true;
}

/// False: the client has left.
bool wait(const context& ctx, nanoseconds time) {
  bool left = false;
  select(on_done(ctx, [&] { left = true; }), after(time, [] {}));
  return !left;
}

/// Straight to the client.
auto to_client(response_writer& w) {
  return [&w](std::string_view bytes) -> result<void> {
    if (const auto sent = w.write(bytes); !sent) return fail(sent.error());
    return {};
  };
}
constexpr auto to_nobody = [](std::string_view) {};

int64_t seconds_of(const request& r, int64_t otherwise) {
  const int64_t asked = whole(r.query_value("seconds")).value_or(0);
  return asked > 0 ? asked : otherwise;
}

void serve_cpu(response_writer& w, request& r) {
  const int64_t seconds = seconds_of(r, cpu_seconds);
  if (!allow_seconds(w, static_cast<double>(seconds))) return;
  const context& ctx = r.ctx();
  if (const auto begun = prof::start_cpu(); !begun)
    return serve_failure(w, 500, "Could not enable CPU profiling: ", begun.error());
  if (!wait(ctx, std::chrono::seconds(seconds))) {
    (void)prof::stop_cpu(to_nobody);
    return;
  }
  say_binary(w, "profile");
  auto out = to_client(w);
  if (const auto done = prof::stop_cpu(out); !done)
    serve_failure(w, 500, "Could not write the profile: ", done.error());
}

/// Not Go's: where goroutines are, running and parked alike.
void serve_wall(response_writer& w, request& r) {
  const int64_t seconds = seconds_of(r, cpu_seconds);
  if (!allow_seconds(w, static_cast<double>(seconds))) return;
  const context& ctx = r.ctx();
  if (const auto begun = prof::start_wall(); !begun)
    return serve_failure(w, 500, "Could not enable wall profiling: ", begun.error());
  if (!wait(ctx, std::chrono::seconds(seconds))) {
    (void)prof::stop_wall(to_nobody);
    return;
  }
  say_binary(w, "wall");
  auto out = to_client(w);
  if (const auto done = prof::stop_wall(out); !done)
    serve_failure(w, 500, "Could not write the profile: ", done.error());
}

/// As strconv.ParseFloat, but for what is no number of seconds.
double fraction(std::string_view text) {
  double n = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), n);
  const bool fits = failed == std::errc{} && end == text.data() + text.size() && n > 0 && n < 1e9;
  return fits ? n : 0;
}

void serve_trace(response_writer& w, request& r) {
  const double asked = fraction(r.query_value("seconds"));
  const double seconds = asked > 0 ? asked : trace_seconds;
  if (!allow_seconds(w, seconds)) return;
  const context& ctx = r.ctx();
  // Called on a goroutine of the tracer, while this one waits.
  auto out = to_client(w);
  say_binary(w, "trace");
  if (const auto begun = trace::start(out); !begun)
    return serve_failure(w, 500, "Could not enable tracing: ", begun.error());
  (void)wait(ctx, nanoseconds(static_cast<int64_t>(seconds * 1e9)));
  if (const auto done = trace::stop(); !done)
    serve_failure(w, 500, "Could not write the trace: ", done.error());
}

std::vector<prof::info> all_profiles() {
  std::vector<prof::info> all;
  prof::list(
      [](void* to, const prof::info& p) {
        if (p.name != "cpu" && p.name != "wall")
          static_cast<std::vector<prof::info>*>(to)->push_back(p);
      },
      &all);
  return all;
}

bool is_known(std::string_view name) {
  constexpr std::string_view names[] = {"allocs", "block", "goroutine",   "heap",
                                        "mutex",  "sched", "threadcreate"};
  for (const std::string_view known : names)
    if (known == name) return true;
  return false;
}

void serve_delta(response_writer& w, request& r, std::string_view name) {
  const std::optional<int64_t> seconds = whole(r.query_value("seconds"));
  if (!seconds || *seconds <= 0)
    return serve_error(w, 400, "invalid value for \"seconds\" - must be a positive integer");
  if (!allow_seconds(w, static_cast<double>(*seconds))) return;
  if (whole(r.query_value("debug")).value_or(0) != 0)
    return serve_error(w, 400, "seconds and debug params are incompatible");
  say_binary(w, std::string(name) + "-delta");
  auto out = to_client(w);
  const context& ctx = r.ctx();
  const auto done = prof::write_delta(ctx, name, std::chrono::seconds(*seconds), out);
  if (done) return;
  const int status = done.error().is(deadline_exceeded) ? 408 : 500;
  serve_failure(w, status, "", done.error());
}

void serve_profile(response_writer& w, request& r) {
  const std::string name(r.path_value("name"));
  if (!is_known(name)) return serve_error(w, 404, "Unknown profile");
  if (!r.query_value("seconds").empty()) return serve_delta(w, r, name);
  const int64_t debug = whole(r.query_value("debug")).value_or(0);
  prof::form how = prof::form::proto;
  if (debug != 0) {
    how = debug > 1 ? prof::form::full : prof::form::text;
    w.headers().set("Content-Type", "text/plain; charset=utf-8");
    w.headers().set("X-Content-Type-Options", "nosniff");
  } else {
    say_binary(w, name);
  }
  auto out = to_client(w);
  if (const auto done = prof::write(name, out, how); !done)
    serve_failure(w, 500, "Could not write the profile: ", done.error());
}

/// What the flight recorder remembers; as large as it is, so it takes no seconds.
void serve_flight(response_writer& w, request&) {
  say_binary(w, "flight");
  auto out = to_client(w);
  const auto done = trace::write_flight_recorder(out);
  if (!done && done.error() == trace::not_recording)
    return serve_error(w, 404, done.error().message());
  if (!done) serve_failure(w, 500, "Could not write the trace: ", done.error());
}

/// The arguments, with NUL between them.
void serve_cmdline(response_writer& w, request&) {
  std::string text;
  const int fd = ::open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
  char piece[4096];
  for (ssize_t n = 0; fd >= 0 && (n = ::read(fd, piece, sizeof piece)) > 0;)
    text.append(piece, static_cast<size_t>(n));
  if (fd >= 0) (void)::close(fd);
  if (text.ends_with('\0')) text.pop_back();
  reply_text(w, text);
}

/// "0x1+0x2+...": those that are numbers.
std::vector<uintptr_t> addresses_in(std::string_view text) {
  std::vector<uintptr_t> all;
  while (!text.empty()) {
    const size_t end = std::min(text.find('+'), text.size());
    std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const int base = word.starts_with("0x") || word.starts_with("0X") ? 16 : 10;
    if (base == 16) word.remove_prefix(2);
    uintptr_t pc = 0;
    const auto [stop, failed] = std::from_chars(word.data(), word.data() + word.size(), pc, base);
    if (failed == std::errc{} && stop == word.data() + word.size() && pc != 0) all.push_back(pc);
  }
  return all;
}

void serve_symbol(response_writer& w, request& r) {
  std::string question = r.url.query;
  if (r.method == "POST") {
    auto body = r.body.read_all();
    if (!body) return serve_failure(w, 400, "reading request: ", body.error());
    question = std::move(*body);
  }
  // Returns the number of symbols when asked for none: it is not 0, so tools know that it works.
  std::string text = "num_symbols: 1\n";
  const std::vector<uintptr_t> pcs = addresses_in(question);
  rt::symbol_table names;
  names.look_up(pcs);
  for (const uintptr_t pc : pcs) {
    const rt::symbol& s = names.at(pc);
    if (s.lines.empty() || s.lines.back().function.empty()) continue;
    append_format(text, "0x%llx ", static_cast<unsigned long long>(pc));
    text += s.lines.back().function + '\n';
  }
  reply_text(w, text);
}

struct entry {
  std::string_view name;
  std::string_view description;
  std::string link;
  int64_t count;
};

std::vector<entry> entries() {
  std::vector<entry> all;
  for (const prof::info& p : all_profiles())
    all.push_back({p.name, p.description, std::string(p.name) + "?debug=1",
                   p.name == "goroutine" ? num_goroutine() : p.count});
  all.push_back({"cmdline", "the command line of this process", "cmdline", 0});
  all.push_back({"flight", "an execution trace of the last seconds, if the flight recorder is on",
                 "flight", 0});
  all.push_back({"profile", "CPU: seconds=N, then for go tool pprof", "profile?seconds=30", 0});
  all.push_back({"symbol", "names of the addresses that are posted, 0x1+0x2", "symbol", 0});
  all.push_back(
      {"trace", "an execution trace: seconds=N, then for go tool trace", "trace?seconds=1", 0});
  all.push_back(
      {"wall", "where goroutines are, running and parked alike: seconds=N", "wall?seconds=10", 0});
  std::ranges::sort(all, {}, &entry::name);
  return all;
}

void serve_index(response_writer& w, request& r) {
  if (wanted_form(r, true) == form::json) {
    json::array list;
    for (const entry& e : entries())
      list.emplace_back(json::object{
          {"name", e.name}, {"count", e.count}, {"href", e.link}, {"description", e.description}});
    return reply_json(w, json::object{{"profiles", std::move(list)}});
  }
  std::string rows;
  std::string descriptions;
  for (const entry& e : entries()) {
    rows += "<tr><td>" + std::to_string(e.count) + "</td><td><a href='" + html_escape(e.link) +
            "'>" + html_escape(e.name) + "</a></td></tr>\n";
    descriptions +=
        "<li><b>" + html_escape(e.name) + "</b>: " + html_escape(e.description) + "</li>\n";
  }
  reply_html(w,
             "<html>\n<head>\n<title>/debug/pprof/</title>\n<style>\ntd { padding-right: 1em; }\n"
             "</style>\n</head>\n<body>\n/debug/pprof/\n<p>Profiles of this process; debug=1 shows "
             "text, seconds=N what happens from now on.</p>\n<table>\n<thead><td>Count</td>"
             "<td>Profile</td></thead>\n" +
                 rows +
                 "</table>\n<a href='goroutine?debug=2'>all goroutines, one by one</a>\n<ul>\n" +
                 descriptions + "</ul>\n</body>\n</html>\n");
}

}  // namespace

int64_t limit_profile_seconds(int64_t seconds) noexcept {
  return seconds > 0 ? seconds_max.exchange(seconds, rt::relaxed) : seconds_max.load(rt::relaxed);
}

void add_pprof_pages(http::mux& to) {
  to.handle("GET /debug/pprof/{$}", serve_index);
  to.handle("GET /debug/pprof/profile", serve_cpu);
  to.handle("GET /debug/pprof/trace", serve_trace);
  to.handle("GET /debug/pprof/flight", serve_flight);
  to.handle("GET /debug/pprof/wall", serve_wall);
  to.handle("GET /debug/pprof/cmdline", serve_cmdline);
  to.handle("GET /debug/pprof/symbol", serve_symbol);
  to.handle("POST /debug/pprof/symbol", serve_symbol);
  to.handle("GET /debug/pprof/{name}", serve_profile);
}

}  // namespace weft::debughttp
