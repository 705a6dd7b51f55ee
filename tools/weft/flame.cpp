// SPDX-License-Identifier: Apache-2.0
// weft flame: a profile as an interactive flame graph, or as a table.
#include <cstdio>
#include <optional>

#include "commands.hpp"
#include "files.hpp"
#include "flame_page.hpp"
#include "show_profile.hpp"
#include "text.hpp"
#include "top_table.hpp"
#include "weft/json/json.hpp"

namespace weft_command {

namespace {

constexpr option options[] = {
    {"--output", "-o", "FILE", "where to write: .html or .svg (default: the profile's name.html)"},
    {"--diff", nullptr, "FILE", "an earlier profile to compare with: what is more is red"},
    {"--sample", nullptr, "TYPE", "which value, such as alloc_space (default: the profile's own)"},
    {"--title", nullptr, "TEXT", "what stands above the graph"},
    {"--text", nullptr, nullptr, "a table of functions instead"},
    {"--cum", nullptr, nullptr, "the table by what functions call as well, largest first"},
    {"--limit", nullptr, "N", "rows of the table (default 40)"},
    {"--json", nullptr, nullptr, "the table as JSON"}};

struct json_row {
  int64_t flat = 0;
  int64_t cum = 0;
  std::string name;
};
struct json_table {
  std::string type;
  std::string unit;
  int64_t total = 0;
  std::vector<json_row> rows;
};

std::string table_json(const top_table& of, size_t limit) {
  json_table out{.type = of.measure.type, .unit = of.measure.unit, .total = of.total, .rows = {}};
  for (const top_row& r : of.rows) {
    if (out.rows.size() == limit) break;
    out.rows.push_back({.flat = r.flat, .cum = r.cum, .name = r.name});
  }
  return weft::json::encode(out, {.indent = 2, .replace_invalid_utf8 = true}).value_or("null") +
         "\n";
}

/// "dir/cpu.pb.gz" as "cpu".
std::string stem(const std::string& path) {
  std::string out = path.substr(path.rfind('/') + 1);
  for (const std::string_view end : {".gz", ".pb", ".pprof", ".prof"})
    if (out.size() > end.size() && out.ends_with(end)) out.resize(out.size() - end.size());
  return out == "-" ? "flame" : out;
}

int run(const invocation& given) {
  show_options how{.output = std::string(given.value("--output")),
                   .sample = std::string(given.value("--sample")),
                   .title = std::string(given.value("--title")),
                   .text = given.has("--text"),
                   .json = given.has("--json"),
                   .by_cum = given.has("--cum")};
  if (how.by_cum && !how.text && !how.json) return report(usage_error(cum_alone));
  const weft::result<int64_t> limit = given.number("--limit", 40, 1, 1'000'000'000);
  if (!limit) return report(limit.error());
  how.limit = static_cast<size_t>(*limit);
  const std::string& path = given.arguments[0];
  if (how.output.empty()) how.output = stem(path) + ".html";
  if (how.title.empty()) how.title = stem(path);
  const weft::result<profile> now = read_profile(path);
  if (!now) return report(now.error());
  std::optional<profile> before;
  if (given.has("--diff")) {
    weft::result<profile> other = read_profile(std::string(given.value("--diff")));
    if (!other) return report(other.error());
    before = std::move(*other);
  }
  return show_profile(*now, before ? &*before : nullptr, how);
}

}  // namespace

int show_profile(const profile& now, const profile* before, const show_options& how) {
  const weft::result<size_t> type = now.find_sample_type(how.sample);
  if (!type) return report(type.error());
  if (how.text || how.json) {
    weft::result<top_table> table = make_top_table(now, *type, before);
    if (!table) return report(table.error());
    if (how.by_cum) sort_by_cum(*table);
    const std::string out =
        how.json ? table_json(*table, how.limit) : top_text(*table, now, how.limit);
    return print_out(out) ? exit_good : exit_failed;
  }
  const bool svg = how.output.ends_with(".svg");
  if (!svg && !how.output.ends_with(".html") && !how.output.ends_with(".htm") && how.output != "-")
    return report(usage_error("--output \"" + how.output + "\": must end in .html or .svg"));
  weft::result<flame_graph> graph = make_flame_graph(now, *type, before);
  if (!graph) return report(graph.error());
  prune(*graph, flame_frames_max);
  flame_text text{.title = how.title, .about = about_profile(now, *type)};
  if (graph->pruned_below != 0)
    text.about += ", without what is below " + value_text(graph->pruned_below, graph->measure.unit);
  const weft::result<void> written =
      write_file(how.output, svg ? flame_svg(*graph, text) : flame_html(*graph, text));
  if (!written) return report(written.error());
  if (how.output == "-") return exit_good;
  std::fprintf(stderr, "weft: wrote %s: %s, %zu stacks\n", how.output.c_str(),
               value_text(graph->total, graph->measure.unit).c_str(), now.samples.size());
  return exit_good;
}

const command flame_command{
    .name = "flame",
    .arguments = "FILE",
    .summary = "A profile as an interactive flame graph in one file, or as a table",
    .details =
        "FILE is a profile as Weft's and Go's programs write it (profile.proto, gzipped or "
        "not); -\nis standard input. The page needs no network and no other file. In it: "
        "click or Enter zooms,\n/ searches, Escape goes back, arrows move, i turns it over, "
        "c begins with what runs.\n",
    .options = options,
    .arguments_min = 1,
    .arguments_max = 1,
    .on_runtime = false,
    .run = run};

}  // namespace weft_command
