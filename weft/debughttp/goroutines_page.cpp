// SPDX-License-Identifier: Apache-2.0
// /debug/goroutines: all goroutines by what they do, the largest groups first; filters.
#include <algorithm>
#include <charconv>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "weft/debughttp/internal/answer.hpp"
#include "weft/debughttp/internal/pages.hpp"
#include "weft/observe/goroutine_list.hpp"
#include "weft/observe/internal/symbols.hpp"

namespace weft::debughttp {

namespace {

using rt::goroutine_group;

// A page for people; tools that want more say so.
constexpr uint64_t limit_default = 100;
constexpr uint64_t limit_max = 100'000;

struct filter {
  std::string state{};
  std::string reason{};
  int64_t min_age_ns = 0;
  std::vector<std::pair<std::string, std::string>> labels{};
  uint64_t limit = limit_default;
  bool system = false;

  [[nodiscard]] bool lets(const goroutine_group& g) const {
    if (!state.empty() && g.state != state) return false;
    if (!reason.empty() && g.reason.find(reason) == std::string_view::npos) return false;
    if (g.oldest_ns < min_age_ns) return false;
    return std::ranges::all_of(labels, [&](const auto& wanted) {
      return std::ranges::find(g.labels, wanted) != g.labels.end();
    });
  }
};

/// "90", "90s", "1.5s", "250ms", "5m", "2h" in nanoseconds.
std::optional<int64_t> parse_age(std::string_view text) {
  double n = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (failed != std::errc{} || n < 0 || n > 1e9) return std::nullopt;
  const std::string_view unit = text.substr(static_cast<size_t>(end - text.data()));
  constexpr std::pair<std::string_view, double> units[] = {{"", 1},      {"s", 1},  {"ms", 1e-3},
                                                           {"us", 1e-6}, {"m", 60}, {"h", 3600}};
  for (const auto& [name, seconds] : units)
    if (unit == name) return static_cast<int64_t>(n * seconds * 1e9);
  return std::nullopt;
}

/// Why the query is none that is known, or an empty text.
std::string parse_one(filter& f, const std::string& name, const std::string& value) {
  if (name == "state") {
    if (value != "running" && value != "runnable" && value != "waiting")
      return "state is \"" + value + "\": must be running, runnable or waiting";
    f.state = value;
  } else if (name == "reason") {
    f.reason = value;
  } else if (name == "min_age") {
    const auto age = parse_age(value);
    if (!age) return "min_age is \"" + value + "\": must be a time like 90s, 250ms, 5m";
    f.min_age_ns = *age;
  } else if (name == "label") {
    const size_t colon = value.find(':');
    if (colon == std::string::npos) return "label is \"" + value + "\": must be KEY:VALUE";
    f.labels.emplace_back(value.substr(0, colon), value.substr(colon + 1));
  } else if (name == "limit") {
    const auto [end, failed] = std::from_chars(value.data(), value.data() + value.size(), f.limit);
    if (failed != std::errc{} || end != value.data() + value.size() || f.limit < 1 ||
        f.limit > limit_max)
      return "limit is \"" + value + "\": must be 1 to " + std::to_string(limit_max);
  } else if (name == "system") {
    f.system = value != "0" && value != "false";
  } else if (name != "format") {
    return "unknown parameter \"" + name + "\"; known are state, reason, min_age, label, limit, " +
           "system, format";
  }
  return {};
}

/// What is to be shown: groups by number, and how many there are in all.
struct listing {
  uint64_t goroutines = 0;  // that pass the filter
  size_t groups_found = 0;
  std::vector<goroutine_group> groups;  // the first `limit` of them
  rt::symbol_table names;
};

/// The address inside of the instruction that frame `n` stands at.
uintptr_t address_of(const goroutine_group& g, size_t n) {
  return n == 0 || g.pcs[n] == 0 ? g.pcs[n] : g.pcs[n] - 1;
}

listing list(const filter& f) {
  listing out;
  for (goroutine_group& g : rt::goroutine_groups({.system = f.system, .ids_max = 8})) {
    if (!f.lets(g)) continue;
    out.goroutines += g.count;
    out.groups.push_back(std::move(g));
  }
  out.groups_found = out.groups.size();
  std::ranges::sort(out.groups, std::greater<>(), [](const goroutine_group& g) {
    return std::tuple(g.count, g.oldest_ns, g.ids.empty() ? 0 : g.ids.front());
  });
  if (out.groups.size() > f.limit) out.groups.resize(f.limit);
  std::vector<uintptr_t> addresses;
  for (const goroutine_group& g : out.groups) {
    for (size_t n = 0; n < g.pcs.size(); ++n) addresses.push_back(address_of(g, n));
    if (g.creation_pc != 0) addresses.push_back(g.creation_pc - 1);
  }
  out.names.look_up(addresses);
  return out;
}

struct frame {
  std::string_view function;
  std::string_view file;
  int line = 0;
  bool runtime = false;
};

/// By name, or by file: inlined functions often have no namespace in their name.
bool is_runtime(const rt::symbol_line& line) {
  if (rt::is_runtime_line(line)) return true;
  constexpr std::string_view folders[] = {"/weft/base/", "/weft/heap/", "/weft/sched/",
                                          "/weft/sync/internal/"};
  return std::ranges::any_of(folders, [&](std::string_view folder) {
    return line.file.find(folder) != std::string::npos;
  });
}

/// The frames that a user knows: without the runtime's own on top and below (if all of them are,
/// as for a goroutine of the runtime, they stay), and none of what every goroutine begins with.
std::vector<frame> frames_of(const listing& l, const goroutine_group& g) {
  std::vector<frame> all;
  for (size_t n = 0; n < g.pcs.size(); ++n) {
    for (const rt::symbol_line& line : l.names.at(address_of(g, n)).lines) {
      if (rt::is_goroutine_entry(line)) continue;
      const std::string_view name = line.function;
      all.push_back({name.empty() ? "?" : name, line.file, line.line, is_runtime(line)});
    }
  }
  const auto is_users = [](const frame& f) { return !f.runtime; };
  const auto first = std::ranges::find_if(all, is_users);
  const auto last = std::find_if(all.rbegin(), all.rend(), is_users).base();
  if (first == all.end()) return all;
  return {first, last};
}

std::optional<frame> creator_of(const listing& l, const goroutine_group& g) {
  if (g.creation_pc == 0) return std::nullopt;
  for (const rt::symbol_line& line : l.names.at(g.creation_pc - 1).lines)
    if (!is_runtime(line) && line.file.find("/weft/sync/") == std::string::npos)
      return frame{line.function, line.file, line.line, false};
  return std::nullopt;
}

std::string header_of(const goroutine_group& g) {
  std::string out;
  append_format(out, "%llu goroutine%s [", static_cast<unsigned long long>(g.count),
                g.count == 1 ? "" : "s");
  out += g.reason.empty() ? g.state : g.reason;
  if (g.oldest_ns > 0) out += ", oldest " + duration_text(g.oldest_ns);
  out += ']';
  if (!g.name.empty()) out += ' ' + g.name;
  for (size_t i = 0; i < g.labels.size(); ++i)
    out += (i == 0 ? " labels:{\"" : ", \"") + g.labels[i].first + "\": \"" + g.labels[i].second +
           (i + 1 == g.labels.size() ? "\"}" : "\"");
  out += g.ids.size() == 1 ? " id" : " ids";
  for (const uint64_t id : g.ids) out += ' ' + std::to_string(id);
  if (g.ids.size() < g.count) out += " ...";
  return out;
}

std::string body_of(const listing& l, const goroutine_group& g) {
  std::string out;
  if (g.pcs.empty()) out += "\t(it ran, and did not answer)\n";
  for (const frame& f : frames_of(l, g)) {
    out += std::string(f.function) + "()\n";
    if (!f.file.empty()) out += '\t' + std::string(f.file) + ':' + std::to_string(f.line) + '\n';
  }
  if (const auto by = creator_of(l, g)) {
    out += "created by " + std::string(by->function) + "()\n";
    if (!by->file.empty())
      out += '\t' + std::string(by->file) + ':' + std::to_string(by->line) + '\n';
  }
  return out;
}

std::string summary_of(const listing& l) {
  std::string out;
  append_format(out, "%llu goroutine%s in %zu group%s",
                static_cast<unsigned long long>(l.goroutines), l.goroutines == 1 ? "" : "s",
                l.groups_found, l.groups_found == 1 ? "" : "s");
  if (l.groups.size() < l.groups_found) append_format(out, ", the largest %zu", l.groups.size());
  return out;
}

std::string as_text(const listing& l) {
  std::string out = summary_of(l) + '\n';
  for (const goroutine_group& g : l.groups) out += '\n' + header_of(g) + ":\n" + body_of(l, g);
  return out;
}

std::string as_html(const listing& l) {
  std::string out =
      "<html>\n<head>\n<title>/debug/goroutines</title>\n<style>summary { cursor: pointer; } pre { "
      "margin: 0 0 1em 2em; }</style>\n</head>\n<body>\n<p>" +
      html_escape(summary_of(l)) +
      "</p>\n<form>state <select name=state><option></option><option>running</option><option>"
      "runnable</option><option>waiting</option></select> reason <input name=reason> min_age "
      "<input name=min_age placeholder=90s> <input type=submit value=filter></form>\n";
  for (const goroutine_group& g : l.groups)
    out += "<details open><summary>" + html_escape(header_of(g)) + "</summary><pre>" +
           html_escape(body_of(l, g)) + "</pre></details>\n";
  return out + "</body>\n</html>\n";
}

json::value as_json(const frame& f) {
  return json::object{{"function", f.function}, {"file", f.file}, {"line", f.line}};
}

json::value as_json(const listing& l) {
  json::array groups;
  for (const goroutine_group& g : l.groups) {
    json::array frames;
    for (const frame& f : frames_of(l, g)) frames.emplace_back(as_json(f));
    json::object labels;
    for (const auto& [key, value] : g.labels) labels[key] = value;
    json::array ids;
    for (const uint64_t id : g.ids) ids.emplace_back(id);
    const auto by = creator_of(l, g);
    groups.emplace_back(json::object{{"count", g.count},
                                     {"state", g.state},
                                     {"reason", g.reason},
                                     {"oldest_seconds", static_cast<double>(g.oldest_ns) / 1e9},
                                     {"name", g.name},
                                     {"labels", std::move(labels)},
                                     {"ids", std::move(ids)},
                                     {"frames", std::move(frames)},
                                     {"created_by", by ? as_json(*by) : json::value(nullptr)}});
  }
  return json::object{{"goroutines", l.goroutines},
                      {"groups_found", l.groups_found},
                      {"groups", std::move(groups)}};
}

void serve(http::response_writer& w, http::request& r) {
  filter f;
  const http::query_values query = r.url.values();
  for (const auto& [name, value] : query.pairs()) {
    if (value.empty()) continue;  // a form's field that was left alone
    if (const std::string why = parse_one(f, name, value); !why.empty())
      return http::reply_error(w, 400, why);
  }
  const listing l = list(f);
  switch (wanted_form(r, true)) {
    case form::json:
      return reply_json(w, as_json(l));
    case form::html:
      return reply_html(w, as_html(l));
    case form::text:
      break;
  }
  reply_text(w, as_text(l));
}

}  // namespace

void add_goroutines_page(http::mux& to) { to.handle("GET /debug/goroutines", serve); }

}  // namespace weft::debughttp
