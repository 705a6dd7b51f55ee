// SPDX-License-Identifier: Apache-2.0
// weft profile: a profile of a running process, into a file or shown at once.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string_view>

#include "commands.hpp"
#include "files.hpp"
#include "interrupt.hpp"
#include "progress.hpp"
#include "show_profile.hpp"
#include "target.hpp"
#include "text.hpp"
#include "top_table.hpp"

namespace weft_command {

namespace {

constexpr option options[] = {
    {"--seconds", "-s", "TIME", "how long (cpu and wall: 10s); others: what happens meanwhile"},
    {"--output", "-o", "FILE", "where to write it (default: KIND-TARGET.pb.gz)"},
    {"--flame", nullptr, nullptr, "a flame graph as well: FILE.html"},
    {"--text", nullptr, nullptr, "a table of functions on standard output; no file without -o"},
    {"--sample", nullptr, "TYPE", "which value to show, such as alloc_space"},
    {"--cum", nullptr, nullptr, "the table by what functions call as well, largest first"},
    {"--limit", nullptr, "N", "rows of the table (default 40)"},
    {"--json", nullptr, nullptr, "the table as JSON"},
    token_option,
    ca_option,
    cert_option,
    key_option};

constexpr std::string_view kinds[] = {"cpu",   "wall",  "heap",      "allocs",      "block",
                                      "mutex", "sched", "goroutine", "threadcreate"};

bool over_a_time(std::string_view kind) { return kind == "cpu" || kind == "wall"; }

std::string path_of(std::string_view kind, int64_t seconds) {
  std::string out = "/debug/pprof/";
  out += kind == "cpu" ? "profile" : kind;
  return seconds == 0 ? out : out + "?seconds=" + std::to_string(seconds);
}

/// "cpu-4711.pb.gz" as "cpu-4711.html".
std::string page_name(std::string path) {
  for (const std::string_view end : {".gz", ".pb"})
    if (path.ends_with(end)) path.resize(path.size() - end.size());
  return path + ".html";
}

int run(const invocation& given) {
  const std::string& kind = given.arguments[0];
  if (std::ranges::find(kinds, kind) == std::end(kinds)) {
    std::string there_is;
    for (const std::string_view k : kinds)
      there_is += (there_is.empty() ? "" : ", ") + std::string(k);
    return report(usage_error("profile: there is no kind \"" + kind + "\"; there is " + there_is));
  }
  const weft::result<double> asked =
      given.seconds("--seconds", over_a_time(kind) ? 10 : 0, 0.001, 86400);
  const weft::result<int64_t> limit = given.number("--limit", 40, 1, 1'000'000'000);
  if (!asked) return report(asked.error());
  if (!limit) return report(limit.error());
  if (given.has("--cum") && !given.has("--text") && !given.has("--json"))
    return report(usage_error(cum_alone));
  const auto seconds = static_cast<int64_t>(std::ceil(*asked));
  const weft::result<target> at = target::find(given, given.arguments[1]);
  if (!at) return report(at.error());

  const weft::result<std::string> bytes = [&] {
    const interrupt stop;
    progress shown(kind + " profile of " + at->name(), static_cast<double>(seconds));
    return at->get(stop.ctx(), path_of(kind, seconds), static_cast<double>(seconds),
                   [&](size_t n) { shown.got(n); });
  }();
  if (!bytes) return report(bytes.error());
  const weft::result<profile> got = parse_profile(*bytes);
  if (!got) return report(weft::error::wrap(at->name() + " answers with what is", got.error()));

  const bool shown = given.has("--text") || given.has("--json");
  std::string output(given.value("--output"));
  if (output.empty() && !shown) output = kind + "-" + at->file_name() + ".pb.gz";
  if (!output.empty()) {
    if (const weft::result<void> written = write_file(output, *bytes); !written)
      return report(written.error());
    if (output != "-")
      std::fprintf(stderr, "weft: wrote %s: %zu stacks, %s\n", output.c_str(), got->samples.size(),
                   value_text(static_cast<int64_t>(bytes->size()), "bytes").c_str());
  }
  show_options how{.output = {},
                   .sample = std::string(given.value("--sample")),
                   .title = kind + " of " + at->name(),
                   .text = given.has("--text"),
                   .json = given.has("--json"),
                   .by_cum = given.has("--cum"),
                   .limit = static_cast<size_t>(*limit)};
  if (shown)
    if (const int status = show_profile(*got, nullptr, how); status != exit_good) return status;
  if (!given.has("--flame")) return exit_good;
  how.output = page_name(output.empty() || output == "-" ? kind + "-" + at->file_name() : output);
  how.text = how.json = false;
  return show_profile(*got, nullptr, how);
}

}  // namespace

const command profile_command{
    .name = "profile",
    .arguments = "KIND TARGET",
    .summary = "A profile of a running process, for go tool pprof and weft flame",
    .details =
        "KIND is one of\n"
        "  cpu           where CPU time goes\n"
        "  wall          where goroutines are, running and parked alike\n"
        "  heap, allocs  memory in use; memory allocated since the start\n"
        "  block, mutex  what goroutines waited for; who held them up (need a rate in the "
        "program)\n"
        "  sched         time from ready to running (needs a rate in the program)\n"
        "  goroutine     stacks of all goroutines\n"
        "  threadcreate  threads that the runtime has started\n"
        "\nWith --seconds those that are no time span are the difference of two. Ctrl-C gives up "
        "and\nwrites nothing.\n",
    .options = options,
    .arguments_min = 2,
    .arguments_max = 2,
    .on_runtime = true,
    .run = run};

}  // namespace weft_command
