// SPDX-License-Identifier: Apache-2.0
// weft trace: an execution trace of a running process.
#include <array>
#include <cstdio>

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
    {"--output", "-o", "FILE", "where to write it (default: trace-TARGET.out)"},
    {"--json", nullptr, nullptr, "what was written, as JSON"},
    token_option,
    ca_option,
    cert_option,
    key_option};

struct written_trace {
  std::string file;
  int64_t bytes = 0;
  double seconds = 0;
};

int run(const invocation& given) {
  const weft::result<double> seconds = given.seconds("--seconds", 1, 0.001, 86400);
  if (!seconds) return report(seconds.error());
  const weft::result<target> at = target::find(given, given.arguments[0]);
  if (!at) return report(at.error());
  const weft::result<std::string> bytes = [&] {
    std::array<char, 64> path{};
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
        .file = output, .bytes = static_cast<int64_t>(bytes->size()), .seconds = *seconds};
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
