// SPDX-License-Identifier: Apache-2.0
// The command line.
#include "options.hpp"

#include <charconv>
#include <cmath>
#include <fstream>
#include <iterator>
#include <string_view>

namespace load {

namespace {

template <class T>
bool number(std::string_view text, T& out) {
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), out);
  return bad == std::errc{} && end == text.data() + text.size();
}

/// "500ms", "10s", "1.5m": a number and a unit, up to 1000 hours.
bool duration(std::string_view text, ns& out) {
  struct unit {
    std::string_view name;
    double ns;
  };
  static constexpr unit units[] = {{"ns", 1},  {"us", 1e3}, {"ms", 1e6},
                                   {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
  const size_t digits = text.find_first_not_of("0123456789.");
  if (digits == std::string_view::npos || digits == 0) return false;
  double count = 0;
  if (!number(text.substr(0, digits), count)) return false;
  for (const unit& u : units) {
    if (text.substr(digits) != u.name) continue;
    const double all = count * u.ns;
    if (!(all <= 3600e9 * 1000)) return false;
    out = ns(static_cast<int64_t>(all));
    return true;
  }
  return false;
}

bool is_token(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text)
    if (c <= ' ' || c >= 127 || std::string_view("\"(),/:;<=>?@[\\]{}").contains(c)) return false;
  return true;
}

bool is_header(std::string_view text) {
  const size_t colon = text.find(':');
  return colon != std::string_view::npos && is_token(text.substr(0, colon)) &&
         text.find_first_of("\r\n") == std::string_view::npos && !text.contains('\0');
}

bool read_file(const std::string& path, std::string& out) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return false;
  out.assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  return !file.bad();
}

/// Sets one option that has a value; false with what is allowed in `must`.
bool set_value(std::string_view name, std::string_view text, options& out, std::string& must) {
  if (name == "-c" || name == "--connections") {
    must = "a whole number from 1 to 100000";
    return number(text, out.connections) && out.connections >= 1 && out.connections <= 100000;
  }
  if (name == "-d" || name == "--duration") {
    must = "a time with a unit, such as 10s or 500ms";
    return duration(text, out.duration) && out.duration > ns(0);
  }
  if (name == "-n" || name == "--requests") {
    must = "a whole number from 1";
    return number(text, out.requests) && out.requests >= 1;
  }
  if (name == "--rate") {
    must = "requests per second, more than 0 and at most 10000000";
    return number(text, out.rate) && out.rate > 0 && out.rate <= 1e7;
  }
  if (name == "--pipeline") {
    must = "a whole number from 1 to 1000";
    return number(text, out.pipeline) && out.pipeline >= 1 && out.pipeline <= 1000;
  }
  if (name == "--warmup") {
    must = "a time with a unit, such as 2s";
    return duration(text, out.warmup);
  }
  if (name == "--timeout") {
    must = "a time with a unit, such as 2s";
    return duration(text, out.timeout) && out.timeout > ns(0);
  }
  if (name == "-X" || name == "--method") {
    must = "a method, such as PUT";
    out.method = text;
    return is_token(text);
  }
  if (name == "-H" || name == "--header") {
    must = "\"Name: value\"";
    out.headers.emplace_back(text);
    return is_header(text);
  }
  if (name == "--body") {
    out.body = text;
    return true;
  }
  if (name == "--body-file") {
    must = "a file that can be read";
    return read_file(std::string(text), out.body);
  }
  must = "a whole number from 0 to 1024";  // --procs
  return number(text, out.procs) && out.procs >= 0 && out.procs <= 1024;
}

bool takes_value(std::string_view name) {
  static constexpr std::string_view names[] = {
      "-c",     "--connections", "-d",       "--duration",  "-n",     "--requests",
      "--rate", "--pipeline",    "--warmup", "--timeout",   "-X",     "--method",
      "-H",     "--header",      "--body",   "--body-file", "--procs"};
  for (const std::string_view known : names)
    if (known == name) return true;
  return false;
}

bool set_flag(std::string_view name, options& out) {
  if (name == "--json") return out.json = true;
  if (name == "-q" || name == "--quiet") return out.quiet = true;
  if (name == "--ascii") return out.ascii = true;
  if (name == "-k" || name == "--insecure") return out.insecure = true;
  return false;
}

bool add_url(std::string_view text, options& out, std::string& message) {
  weighted_url to;
  const std::string_view all = text;
  if (const size_t digits = text.find_first_not_of("0123456789");
      digits != 0 && digits != std::string_view::npos && text[digits] == ':') {
    if (!number(text.substr(0, digits), to.weight) || to.weight < 1 || to.weight > 1000) {
      message = "\"" + std::string(all) + "\": a weight is a whole number from 1 to 1000";
      return false;
    }
    text.remove_prefix(digits + 1);
  }
  to.url = text;
  out.urls.push_back(std::move(to));
  return true;
}

bool check_together(const options& out, bool timed, std::string& message) {
  if (out.urls.empty()) {
    message = "a URL is missing";
  } else if (out.rate > 0 && out.pipeline > 1) {
    message = "--pipeline: not together with --rate: a request is sent when it is due";
  } else if (out.requests != 0 && timed) {
    message = "--requests: not together with --duration: which of them ends the run?";
  } else {
    return true;
  }
  return false;
}

}  // namespace

const char* usage() noexcept {
  return "usage: weft-load [OPTION]... [WEIGHT:]URL...\n"
         "\n"
         "Asks an HTTP/1.1 server for the URLs, in turn or by weight, and says how it answered.\n"
         "\n"
         "  -c, --connections N   connections, 1..100000 (default 64)\n"
         "  -d, --duration TIME   how long, after the warm-up (default 10s)\n"
         "  -n, --requests N      how many, instead of how long\n"
         "      --rate N          open loop: N requests a second whatever the server does; "
         "latency\n"
         "                        counts from when a request was due. Else a closed loop: each\n"
         "                        connection asks again once it is answered\n"
         "      --pipeline N      requests in flight on a connection, 1..1000 (default 1)\n"
         "      --warmup TIME     runs before, not counted (default 0s)\n"
         "      --timeout TIME    of a request, and of connecting (default 10s)\n"
         "  -X, --method NAME     default GET; POST with a body\n"
         "  -H, --header TEXT     \"Name: value\"; as often as you like\n"
         "      --body TEXT       what is sent with each request\n"
         "      --body-file PATH  the same from a file\n"
         "  -k, --insecure        https: certificates are not verified\n"
         "      --json            the report as JSON\n"
         "  -q, --quiet           nothing while it runs\n"
         "      --ascii           draw without braille characters\n"
         "      --procs N         processors to use (default: as many as there are)\n"
         "      --help            this text\n"
         "\n"
         "A TIME has a unit: 500ms, 10s, 2m. Ctrl-C ends the run and still reports; a second one\n"
         "kills. The report goes to standard output, what is shown meanwhile to standard error.\n"
         "Exit status: 0; 1 if no request was answered; 2 for a wrong command line.\n";
}

bool parse_options(std::span<char* const> arguments, options& out, bool& help,
                   std::string& message) {
  help = false;
  bool timed = false;
  for (size_t i = 0; i < arguments.size(); ++i) {
    std::string_view name = arguments[i];
    if (name == "--help" || name == "-h") {
      help = true;
      return true;
    }
    if (!name.starts_with('-')) {
      if (!add_url(name, out, message)) return false;
      continue;
    }
    if (set_flag(name, out)) continue;
    std::string_view text;
    bool given = false;
    if (const size_t equals = name.find('=');
        name.starts_with("--") && equals != std::string_view::npos) {
      text = name.substr(equals + 1);
      name = name.substr(0, equals);
      given = true;
    }
    if (!takes_value(name)) {
      message = std::string(name) + ": unknown option";
      return false;
    }
    if (!given) {
      if (i + 1 == arguments.size()) {
        message = std::string(name) + ": a value is missing";
        return false;
      }
      text = arguments[++i];
    }
    timed = timed || name == "-d" || name == "--duration";
    std::string must;
    if (!set_value(name, text, out, must)) {
      message = std::string(name) + " \"" + std::string(text) + "\": must be " + must;
      return false;
    }
  }
  if (!check_together(out, timed, message)) return false;
  if (out.requests != 0) out.duration = ns(0);
  if (out.method.empty()) out.method = out.body.empty() ? "GET" : "POST";
  return true;
}

}  // namespace load
