// SPDX-License-Identifier: Apache-2.0
// Formatting.
#include "text.hpp"

#include <array>
#include <cmath>
#include <cstdio>

namespace weft_command {

namespace {

template <class... Values>
std::string print(const char* format, Values... values) {
  std::array<char, 64> out{};
  std::snprintf(out.data(), out.size(), format, values...);
  return out.data();
}

struct unit {
  double from;
  const char* name;
};

/// At most two digits behind the point, and none that say nothing: "1.50s" but "10ms".
std::string scaled(double value, const unit* units, size_t count) {
  size_t i = 0;
  while (i + 1 < count && std::fabs(value) < units[i].from) ++i;
  std::string out = print("%.2f", value / units[i].from);
  if (out.ends_with(".00")) out.resize(out.size() - 3);
  return out + units[i].name;
}

/// Without the parameters at the end and what follows them.
std::string_view without_parameters(std::string_view name) {
  const size_t end = name.rfind(')');
  if (end == std::string_view::npos) return name;
  const std::string_view rest = name.substr(end + 1);
  if (!rest.empty() && !rest.starts_with(" const") && !rest.starts_with(" noexcept") &&
      !rest.starts_with(" &") && !rest.starts_with(" volatile") && !rest.starts_with(" [clone"))
    return name;
  int level = 0;
  for (size_t i = end; i > 0; --i) {
    if (name[i] == ')') ++level;
    if (name[i] == '(' && --level == 0)
      return name.substr(0, i).ends_with("operator") ? name : name.substr(0, i);
  }
  return name;
}

std::string without_templates(std::string_view name) {
  std::string out;
  int level = 0;
  for (size_t i = 0; i < name.size(); ++i) {
    const bool arrow = i > 0 && name[i - 1] == '-';
    if (name[i] == '<' && !std::string_view(out).ends_with("operator")) {
      if (level++ == 0) out += "<>";
    } else if (name[i] == '>' && !arrow && level > 0) {
      --level;
    } else if (level == 0) {
      out += name[i];
    }
  }
  return level == 0 ? out : std::string(name);
}

/// Bytes of the UTF-8 character that `text` begins with; 0: it is none.
size_t utf8_bytes(std::string_view text) {
  const auto first = static_cast<unsigned char>(text.front());
  const size_t bytes = first < 0x80   ? 1
                       : first < 0xc2 ? 0
                       : first < 0xe0 ? 2
                       : first < 0xf0 ? 3
                       : first < 0xf5 ? 4
                                      : 0;
  if (bytes == 0 || bytes > text.size()) return 0;
  for (size_t i = 1; i < bytes; ++i)
    if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) return 0;
  const auto second = static_cast<unsigned char>(bytes > 2 ? text[1] : 0);
  const bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
  const bool beyond = (first == 0xed && second > 0x9f) || (first == 0xf4 && second > 0x8f);
  // U+FFFE and U+FFFF are no characters of XML.
  const bool none = first == 0xef && second == 0xbf && static_cast<unsigned char>(text[2]) >= 0xbe;
  return overlong || beyond || none ? 0 : bytes;
}

}  // namespace

std::string value_text(int64_t value, std::string_view of) {
  static constexpr unit times[] = {{3600e9, "hrs"}, {60e9, "mins"}, {1e9, "s"},
                                   {1e6, "ms"},     {1e3, "us"},    {1, "ns"}};
  static constexpr unit sizes[] = {
      {1ULL << 40, "TB"}, {1 << 30, "GB"}, {1 << 20, "MB"}, {1 << 10, "kB"}, {1, "B"}};
  const auto number = static_cast<double>(value);
  if (value == 0) return "0";
  if (of == "nanoseconds") return scaled(number, times, std::size(times));
  if (of == "bytes") return scaled(number, sizes, std::size(sizes));
  return std::to_string(value);
}

std::string percent_text(int64_t part, int64_t whole) {
  if (part == 0 || whole == 0) return "0%";
  const double percent = 100 * static_cast<double>(part) / static_cast<double>(whole);
  return std::fabs(percent) >= 99.995 && std::fabs(percent) < 100.005 ? print("%.0f%%", percent)
                                                                      : print("%.2f%%", percent);
}

std::string age_text(double seconds) {
  if (seconds < 0.9995e-3) return print("%.0fus", seconds * 1e6);
  if (seconds < 0.9995) return print("%.0fms", seconds * 1e3);
  if (seconds < 9.95) return print("%.1fs", seconds);
  const auto whole = static_cast<long long>(seconds);
  if (whole < 60) return print("%llds", whole);
  if (whole < 3600) return print("%lldm%llds", whole / 60, whole % 60);
  if (whole < 86400) return print("%lldh%lldm", whole / 3600, whole % 3600 / 60);
  return print("%lldd%lldh", whole / 86400, whole % 86400 / 3600);
}

std::string with_commas(int64_t number) {
  std::string digits = std::to_string(number);
  const size_t sign = number < 0 ? 1 : 0;
  for (size_t at = digits.size(); at > 3 + sign; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

std::string shorten_name(std::string_view name, size_t room) {
  if (name.size() <= room) return std::string(name);
  std::string text(without_parameters(name));
  if (text.size() > room) text = without_templates(text);
  if (const size_t slash = text.rfind('/'); text.size() > room && slash != std::string::npos)
    text.erase(0, slash + 1);
  while (text.size() > room) {
    const size_t colons = text.find("::");
    if (colons == std::string::npos) break;
    text.erase(0, colons + 2);
  }
  if (text.size() <= room) return text;
  if (room < 4) return {};
  text.resize(room - 2);
  return text + "..";
}

std::string xml_text(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t bytes = utf8_bytes(text);
    const char c = text.front();
    if (bytes == 0 || (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t'))
      out += "\xef\xbf\xbd";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '&')
      out += "&amp;";
    else if (c == '"')
      out += "&quot;";
    else
      out += text.substr(0, bytes);
    text.remove_prefix(bytes == 0 ? 1 : bytes);
  }
  return out;
}

}  // namespace weft_command
