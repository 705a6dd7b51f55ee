// SPDX-License-Identifier: Apache-2.0
// weft trace: an execution trace of a running process.
#include <array>
#include <cstdio>
#include <optional>

#include "commands.hpp"
#include "files.hpp"
#include "interrupt.hpp"
#include "progress.hpp"
#include "target.hpp"
#include "text.hpp"

namespace weft_command {

namespace {

constexpr option options[] = {
    {"--seconds", "-s", "TIME", "how long (default 1s)"},
    {"--last", "-l", nullptr, "what its flight recorder remembers: the seconds before now"},
    {"--output", "-o", "FILE", "where to write it (default: trace-TARGET.out)"},
    {"--json", nullptr, nullptr, "what was written, as JSON"},
    token_option,
    ca_option,
    cert_option,
    key_option};

struct written_trace {
  std::string file;
  int64_t bytes = 0;
  std::optional<double> seconds;
};

int run(const invocation& given) {
  const weft::result<double> seconds = given.seconds("--seconds", 1, 0.001, 86400);
  if (!seconds) return report(seconds.error());
  const weft::result<target> at = target::find(given, given.arguments[0]);
  if (!at) return report(at.error());
  const bool last = given.has("--last");
  if (last && given.has("--seconds"))
    return report(usage_error("--seconds is how long to trace from now on; --last looks back"));
  const weft::result<std::string> bytes = [&] {
    std::array<char, 64> path{};
    if (last) {
      const interrupt stop;
      progress shown("the last seconds of " + at->name(), 0);
      return at->get(stop.ctx(), "/debug/pprof/flight", 0, [&](size_t n) { shown.got(n); });
    }
    std::snprintf(path.data(), path.size(), "/debug/pprof/trace?seconds=%g", *seconds);
    const interrupt stop;
    progress shown("trace of " + at->name(), *seconds);
    return at->get(stop.ctx(), path.data(), *seconds, [&](size_t n) { shown.got(n); });
  }();
  if (!bytes) return report(bytes.error());
  if (!bytes->starts_with("go 1."))
    return report(weft::error(at->name() + " answers with what is no trace"));
  const std::string output(given.value("--output", "trace-" + at->file_name() + ".out"));
  if (const weft::result<void> written = write_file(output, *bytes); !written)
    return report(written.error());
  if (given.has("--json")) {
    const written_trace out{
        .file = output,
        .bytes = static_cast<int64_t>(bytes->size()),
        .seconds = last ? std::nullopt : std::optional<double>(*seconds)};
    return print_out(weft::json::encode(out).value_or("null") + "\n") ? exit_good : exit_failed;
  }
  if (output != "-")
    std::fprintf(stderr, "weft: wrote %s: %s; go tool trace %s shows it\n", output.c_str(),
                 value_text(static_cast<int64_t>(bytes->size()), "bytes").c_str(), output.c_str());
  return exit_good;
}

}  // namespace

const command trace_command{.name = "trace",
                            .arguments = "TARGET",
                            .summary = "An execution trace of a running process, for go tool trace",
                            .details = "Ctrl-C gives up and writes nothing.\n",
                            .options = options,
                            .arguments_min = 1,
                            .arguments_max = 1,
                            .on_runtime = true,
                            .run = run};

}  // namespace weft_command
