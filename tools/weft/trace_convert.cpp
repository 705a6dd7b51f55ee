// SPDX-License-Identifier: Apache-2.0
// weft trace convert: an execution trace for Perfetto's and Chrome's viewers.
#include <cstdio>

#include "commands.hpp"
#include "files.hpp"
#include "progress.hpp"
#include "text.hpp"
#include "trace_timeline.hpp"
#include "weft/json/json.hpp"

namespace weft_command {

namespace {

constexpr option options[] = {
    {"--output", "-o", "FILE", ".json (Chrome) or .perfetto (default: the trace's name.perfetto)"},
    {"--json", nullptr, nullptr, "what was converted, as JSON"}};

struct converted {
  std::string file;
  int64_t bytes = 0;
  int64_t generations = 0;
  int64_t events = 0;
  int64_t goroutines = 0;
  double seconds = 0;
};

std::string stem(std::string path) {
  path.erase(0, path.rfind('/') + 1);
  for (const std::string_view end : {".out", ".trace"})
    if (path.size() > end.size() && path.ends_with(end)) path.resize(path.size() - end.size());
  return path == "-" ? "trace" : path;
}

int run(const invocation& given) {
  const std::string& path = given.arguments[0];
  const std::string output(given.value("--output", stem(path) + ".perfetto"));
  const bool json = output.ends_with(".json");
  if (!json && !output.ends_with(".perfetto") && !output.ends_with(".pftrace") && output != "-")
    return report(usage_error("--output \"" + output + "\": must end in .json or .perfetto"));
  const weft::result<std::string> bytes = read_file(path);
  if (!bytes) return report(bytes.error());
  const std::unique_ptr<timeline> to = json ? chrome_timeline() : perfetto_timeline();
  const weft::result<trace_summary> done = [&] {
    progress shown("converting " + path, 0);
    return convert_trace(*bytes, *to, [&](size_t n) { shown.got(n); });
  }();
  if (!done) return report(weft::error(path + ": " + done.error().message()));
  const std::string text = to->finish();
  if (const weft::result<void> written = write_file(output, text); !written)
    return report(written.error());
  if (done->cut_off)
    std::fprintf(stderr, "weft: %s: %s; what is before it was converted\n", path.c_str(),
                 done->cut_off.message().c_str());
  const converted said{.file = output,
                       .bytes = static_cast<int64_t>(text.size()),
                       .generations = done->generations,
                       .events = done->events,
                       .goroutines = done->goroutines,
                       .seconds = static_cast<double>(done->duration_ns) / 1e9};
  if (given.has("--json"))
    return print_out(weft::json::encode(said).value_or("null") + "\n") ? exit_good : exit_failed;
  if (output != "-")
    std::fprintf(stderr, "weft: wrote %s: %s events of %s goroutines in %s; %s\n", output.c_str(),
                 with_commas(said.events).c_str(), with_commas(said.goroutines).c_str(),
                 age_text(said.seconds).c_str(), "https://ui.perfetto.dev opens it");
  return exit_good;
}

}  // namespace

const command trace_convert_command{
    .name = "trace convert",
    .arguments = "FILE",
    .summary = "An execution trace (Go's format) for Perfetto or chrome://tracing",
    .details =
        "Tracks: what each P runs; what each goroutine does and waits for; regions, tasks, "
        "GC, heap.\nArrows lead from what woke a goroutine to where it ran.\n",
    .options = options,
    .arguments_min = 1,
    .arguments_max = 1,
    .on_runtime = true,
    .run = run};

}  // namespace weft_command
