// SPDX-License-Identifier: Apache-2.0
// The two reports.
#include "report.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "text.hpp"

namespace load {

namespace {

struct quantile {
  const char* name;
  double part;
};
inline constexpr quantile quantiles[] = {{"p50", 0.5},  {"p75", 0.75},    {"p90", 0.9},
                                         {"p99", 0.99}, {"p99.9", 0.999}, {"p99.99", 0.9999}};

std::string padded(std::string text, size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text;
}
std::string right(std::string text, size_t width) {
  if (text.size() < width) text.insert(0, width - text.size(), ' ');
  return text;
}
std::string time_of(uint64_t ns) { return time_text(static_cast<double>(ns)); }

/// 1, 1.5, 2, 3, 5, 7 times powers of ten.
uint64_t next_edge(uint64_t edge) {
  static constexpr double steps[] = {1, 1.5, 2, 3, 5, 7, 10};
  const double power = std::pow(10, std::floor(std::log10(static_cast<double>(edge)) + 1e-9));
  for (const double step : steps)
    if (const auto next = static_cast<uint64_t>(std::llround(step * power)); next > edge)
      return next;
  return edge * 2;
}

std::string bar(double part, size_t width, bool ascii) {
  const auto eighths = static_cast<size_t>(std::lround(part * static_cast<double>(width) * 8));
  std::string out;
  if (ascii) return out.append(std::max<size_t>(eighths / 8, part > 0 ? 1 : 0), '#');
  for (size_t i = 0; i < eighths / 8; ++i) out.append("\xe2\x96\x88");
  // U+2588 is a full block, U+258f an eighth.
  if (const size_t rest = eighths % 8; rest != 0 || eighths == 0)
    if (part > 0) out.append("\xe2\x96").append(1, static_cast<char>(0x90 - std::max(rest, 1UL)));
  return out;
}

std::string histogram_text(const histogram& of, bool ascii) {
  std::string out;
  struct row {
    uint64_t low;
    uint64_t high;
    uint64_t count;
  };
  std::vector<row> rows;
  uint64_t low = 100;
  while (next_edge(low) <= of.min()) low = next_edge(low);
  if (low > of.min()) low = 0;
  for (uint64_t high = low; low <= of.max(); low = high) {
    high = low == 0 ? 100 : next_edge(low);
    rows.push_back({low, high, of.count_between(low, high)});
  }
  uint64_t most = 1;
  for (const row& r : rows) most = std::max(most, r.count);
  for (const row& r : rows) {
    const double part = static_cast<double>(r.count) / static_cast<double>(most);
    out.append("  ")
        .append(right(time_of(r.low), 8))
        .append(" ")
        .append(right(with_commas(r.count), 12));
    out.append("  ").append(bar(part, 40, ascii)).append("\n");
  }
  return out;
}

std::string status_text(const tally& t) {
  std::string out;
  for (size_t status = 0; status < t.statuses.size(); ++status) {
    if (t.statuses[status] == 0) continue;
    if (!out.empty()) out.append("   ");
    out.append(std::to_string(status)).append(": ").append(with_commas(t.statuses[status]));
  }
  return out.empty() ? "none" : out;
}

std::string number(double value) {
  char out[64];
  std::snprintf(out, sizeof(out), "%.6g", value);
  return out;
}

std::string json_times(const histogram& of) {
  std::string out = "{\"count\": " + std::to_string(of.count()) +
                    ", \"min\": " + std::to_string(of.min()) + ", \"mean\": " + number(of.mean());
  for (const quantile& q : quantiles)
    out += ", \"" + std::string(q.name) + "\": " + std::to_string(of.quantile(q.part));
  return out + ", \"max\": " + std::to_string(of.max()) + "}";
}

}  // namespace

std::string describe_load(const options& how) {
  std::string out = std::to_string(how.connections) + " connections, ";
  if (how.rate > 0)
    out += "open loop at " + short_count(how.rate) + "/s";
  else if (how.pipeline > 1)
    out += "closed loop, " + std::to_string(how.pipeline) + " in flight on each";
  else
    out += "closed loop";
  out += how.requests != 0 ? ", " + with_commas(how.requests) + " requests"
                           : ", " + time_text(static_cast<double>(how.duration.count()));
  return out;
}

std::string text_report(const options& how, const outcome& what, bool color, bool ascii) {
  const tally& t = what.totals;
  const char* bold = color ? "\x1b[1m" : "";
  const char* off = color ? "\x1b[0m" : "";
  std::string out;
  const auto line = [&](const char* name, const std::string& text) {
    out.append(bold).append(padded(name, 12)).append(off).append(text).append("\n");
  };
  for (const weighted_url& u : how.urls)
    line("url", (u.weight != 1 ? std::to_string(u.weight) + ":" : "") + u.url);
  line("load", describe_load(how) + (what.interrupted ? " (interrupted)" : ""));
  line("responses", with_commas(t.responses) + " in " + time_text(what.window_s * 1e9) + "   " +
                        with_commas(static_cast<uint64_t>(std::llround(what.per_second()))) + "/s");
  line("received", bytes_text(static_cast<double>(t.bytes_in)) + "   " +
                       bytes_text(static_cast<double>(t.bytes_in) / std::max(what.window_s, 1e-9)) +
                       "/s   sent " + bytes_text(static_cast<double>(t.bytes_out)));
  line("status", status_text(t));
  if (t.failed() == 0) line("errors", "none");
  for (size_t i = 0; i < failure_count; ++i)
    if (t.failures[i] != 0)
      line("errors", std::string(failure_name(static_cast<failure>(i))) + ": " +
                         with_commas(t.failures[i]) + "   " + t.samples[i]);
  if (t.connecting.count() != 0)
    line("connects",
         with_commas(t.connecting.count()) + "   p50 " + time_of(t.connecting.quantile(0.5)) +
             "   max " + time_of(t.connecting.max()) +
             (t.reconnects != 0 ? "   kept ones closed by the server: " + with_commas(t.reconnects)
                                : ""));
  if (t.lag.count() != 0)
    line("sent late", "by this program: p50 " + time_of(t.lag.quantile(0.5)) + "   p99 " +
                          time_of(t.lag.quantile(0.99)) + "   max " + time_of(t.lag.max()));
  if (t.latency.count() == 0) return out;
  std::string times = "mean " + time_text(t.latency.mean());
  for (const quantile& q : quantiles)
    times += "   " + std::string(q.name) + " " + time_of(t.latency.quantile(q.part));
  line("latency", times + "   max " + time_of(t.latency.max()));
  out.append("\n  ").append(right("from", 8)).append(" ").append(right("responses", 12));
  return out.append("\n").append(histogram_text(t.latency, ascii));
}

std::string json_report(const options& how, const outcome& what) {
  const tally& t = what.totals;
  std::string out = "{\n  \"urls\": [";
  for (size_t i = 0; i < how.urls.size(); ++i)
    out += std::string(i == 0 ? "" : ", ") + "{\"url\": " + json_string(how.urls[i].url) +
           ", \"weight\": " + std::to_string(how.urls[i].weight) + "}";
  out += "],\n  \"method\": " + json_string(how.method);
  out += ",\n  \"loop\": " + std::string(how.rate > 0 ? "\"open\"" : "\"closed\"");
  out += ",\n  \"rate\": " + (how.rate > 0 ? number(how.rate) : std::string("null"));
  out += ",\n  \"connections\": " + std::to_string(how.connections);
  out += ",\n  \"pipeline\": " + std::to_string(how.pipeline);
  out += ",\n  \"interrupted\": " + std::string(what.interrupted ? "true" : "false");
  out += ",\n  \"seconds\": " + number(what.window_s);
  out += ",\n  \"responses\": " + std::to_string(t.responses);
  out += ",\n  \"responses_after_end\": " + std::to_string(t.late);
  out += ",\n  \"per_second\": " + number(what.per_second());
  out += ",\n  \"bytes_received\": " + std::to_string(t.bytes_in);
  out += ",\n  \"bytes_sent\": " + std::to_string(t.bytes_out);
  out += ",\n  \"reconnects\": " + std::to_string(t.reconnects);
  out += ",\n  \"status\": {";
  const char* comma = "";
  for (size_t status = 0; status < t.statuses.size(); ++status) {
    if (t.statuses[status] == 0) continue;
    out += comma + ("\"" + std::to_string(status)) + "\": " + std::to_string(t.statuses[status]);
    comma = ", ";
  }
  out += "},\n  \"errors\": {";
  comma = "";
  for (size_t i = 0; i < failure_count; ++i) {
    if (t.failures[i] == 0) continue;
    out += comma + ("\"" + std::string(failure_name(static_cast<failure>(i)))) +
           "\": {\"count\": " + std::to_string(t.failures[i]) +
           ", \"sample\": " + json_string(t.samples[i]) + "}";
    comma = ", ";
  }
  out += "},\n  \"latency_ns\": " + json_times(t.latency);
  out += ",\n  \"connect_ns\": " + json_times(t.connecting);
  out += ",\n  \"sent_late_ns\": " + json_times(t.lag);
  out += ",\n  \"samples\": [";
  for (size_t i = 0; i < what.samples.size(); ++i) {
    const sample& s = what.samples[i];
    out += std::string(i == 0 ? "\n    " : ",\n    ") + "{\"at_s\": " + number(s.at_s) +
           ", \"per_second\": " + number(s.per_second) + ", \"p50_ns\": " + number(s.p50_ns) +
           ", \"p99_ns\": " + number(s.p99_ns) + ", \"errors\": " + std::to_string(s.failed) + "}";
  }
  return out + "\n  ]\n}\n";
}

}  // namespace load
