// SPDX-License-Identifier: Apache-2.0
// weft goroutines: what the goroutines of a process do, grouped by stack.
#include <unistd.h>

#include "commands.hpp"
#include "files.hpp"
#include "interrupt.hpp"
#include "progress.hpp"
#include "target.hpp"
#include "weft/http/url.hpp"

namespace weft_command {

namespace {

constexpr option options[] = {
    {"--state", nullptr, "running|runnable|waiting", "only goroutines in that state"},
    {"--reason", nullptr, "TEXT", "only those that wait for it, such as \"chan receive\""},
    {"--min-age", nullptr, "TIME", "only those that have waited that long: 90s, 5m"},
    {"--label", nullptr, "KEY:VALUE", "only those with that label; as often as you like"},
    {"--limit", nullptr, "N", "groups to show, the largest first (default 100)"},
    {"--system", nullptr, nullptr, "the runtime's own as well"},
    json_option,
    token_option,
    ca_option,
    cert_option,
    key_option};

void add_parameter(std::string& to, std::string_view name, std::string_view value) {
  to += "&" + std::string(name) + "=" + weft::http::query_escape(value);
}

/// The query for the server, which says itself what is wrong with a value.
std::string query(const invocation& given) {
  std::string out = given.has("--json") ? "?format=json" : "?format=text";
  for (const auto& [name, parameter] :
       {std::pair{"--state", "state"}, std::pair{"--reason", "reason"},
        std::pair{"--min-age", "min_age"}, std::pair{"--limit", "limit"}})
    if (given.has(name)) add_parameter(out, parameter, given.value(name));
  for (const std::string& label : given.values("--label")) add_parameter(out, "label", label);
  if (given.has("--system")) out += "&system=1";
  return out;
}

int run(const invocation& given) {
  const weft::result<target> at = target::find(given, given.arguments[0]);
  if (!at) return report(at.error());
  const interrupt stop;
  weft::result<std::string> answer = [&] {
    progress shown("goroutines of " + at->name(), 0);
    return at->get(stop.ctx(), "/debug/goroutines" + query(given), 0,
                   [&](size_t bytes) { shown.got(bytes); });
  }();
  if (!answer) return report(answer.error());
  if (!answer->ends_with('\n')) *answer += '\n';
  return print_out(*answer) ? exit_good : exit_failed;
}

}  // namespace

const command goroutines_command{
    .name = "goroutines",
    .arguments = "TARGET",
    .summary = "What a process's goroutines do, grouped by stack",
    .details = "A million of them take about a second of the process's time.\n",
    .options = options,
    .arguments_min = 1,
    .arguments_max = 1,
    .on_runtime = true,
    .run = run};

}  // namespace weft_command
