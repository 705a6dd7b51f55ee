// SPDX-License-Identifier: Apache-2.0
// The graph's data as JSON, flame.js and flame.css around it, and the still picture of an SVG file.
#include "flame_page.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>
#include <string_view>
#include <vector>

#include "text.hpp"
#include "weft/json/json.hpp"

extern "C" {
extern const char weft_flame_script[];
extern const char weft_flame_script_end[];
extern const char weft_flame_style[];
extern const char weft_flame_style_end[];
}

namespace weft_command {

namespace {

// What flame.js reads; `frames` has six numbers of each: depth, function and bit 0 for inlined,
// value, self, other, other_self.
struct page_data {
  std::string title;
  std::string about;
  std::string type;
  std::string unit;
  std::optional<int64_t> other;  // total of the other profile, if there is one
  std::vector<std::string> names;
  std::vector<std::string> files;
  std::vector<int64_t> frames;
};

std::string_view script() {
  return {weft_flame_script, static_cast<size_t>(weft_flame_script_end - weft_flame_script)};
}
std::string_view style() {
  return {weft_flame_style, static_cast<size_t>(weft_flame_style_end - weft_flame_style)};
}

/// JSON without a character that means something to HTML or XML.
std::string data_json(const flame_graph& of, const flame_text& text) {
  page_data out{.title = text.title,
                .about = text.about,
                .type = of.measure.type,
                .unit = of.measure.unit,
                .other = {},
                .names = {},
                .files = {},
                .frames = {}};
  if (of.compared) out.other = of.other_total;
  for (const profile_function& f : of.functions) {
    out.names.push_back(f.name);
    out.files.push_back(f.file);
  }
  out.frames.reserve(of.frames.size() * 6);
  for (const flame_frame& f : of.frames)
    for (const int64_t number : {int64_t{f.depth}, int64_t{f.function} * 2 + (f.inlined ? 1 : 0),
                                 f.value, f.self, f.other, f.other_self})
      out.frames.push_back(number);
  return weft::json::encode(out, {.escape_html = true, .replace_invalid_utf8 = true})
      .value_or("null");
}

// The still picture: as wide as a page of documentation, rows as flame.js has them.
inline constexpr double still_width = 1200;
inline constexpr int row_height = 18;
inline constexpr int title_height = 30;
inline constexpr double letter_width = 7.3;

struct still_box {
  const flame_frame* frame;
  double x;
  double width;
};

/// The boxes of at least half a pixel, from the roots on.
std::vector<still_box> still_boxes(const flame_graph& of) {
  std::vector<still_box> out;
  if (of.total <= 0) return out;
  const double unit = still_width / static_cast<double>(of.total);
  std::vector<double> next{0};  // where the next child of each open frame begins
  for (const flame_frame& f : of.frames) {
    next.resize(f.depth + size_t{1});
    const double width = static_cast<double>(std::max<int64_t>(f.value, 0)) * unit;
    const double x = next[f.depth - 1];
    next[f.depth - 1] += width;
    next[f.depth] = x;
    if (width >= 0.5) out.push_back({&f, x, width});
  }
  return out;
}

std::string print(const char* format, double a, double b, double c) {
  std::array<char, 160> out{};
  std::snprintf(out.data(), out.size(), format, a, b, c);
  return out.data();
}

void add_still(std::string& out, const flame_graph& of, const std::vector<still_box>& boxes,
               uint32_t depth) {
  for (const still_box& box : boxes) {
    const profile_function& function = of.functions[box.frame->function];
    const double y = title_height + static_cast<double>((depth - box.frame->depth) * row_height);
    out += print("<g transform=\"translate(%.2f,%.0f)\">", box.x, y, 0);
    out += "<title>" + xml_text(function.name) + "\n" +
           xml_text(value_text(box.frame->value, of.measure.unit) + ", " +
                    percent_text(box.frame->value, of.total)) +
           "</title>";
    const unsigned hue = 12 + static_cast<unsigned>(std::hash<std::string>{}(function.name) % 42);
    out += "<rect rx=\"1.5\" fill=\"" + print("hsl(%.0f,72%%,64%%)", hue, 0, 0) +
           print("\" width=\"%.2f\" height=\"17\"/>", std::max(0.2, box.width - 0.6), 0, 0);
    const std::string name = shorten_name(
        function.name, static_cast<size_t>(std::max(0.0, box.width - 6) / letter_width));
    if (!name.empty()) out += "<text x=\"3\" y=\"13\">" + xml_text(name) + "</text>";
    out += "</g>\n";
  }
}

}  // namespace

std::string flame_html(const flame_graph& of, const flame_text& text) {
  std::string out =
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
      "script-src 'unsafe-inline'; style-src 'unsafe-inline'\">\n<title>";
  out += xml_text(text.title) + "</title>\n<style>";
  out += style();
  out +=
      "</style></head>\n<body><div id=\"host\"><noscript>This flame graph needs scripts, which "
      "are in this file.</noscript></div>\n<script type=\"application/json\" id=\"data\">";
  out += data_json(of, text);
  out += "</script>\n<script>";
  out += script();
  out += "</script></body></html>\n";
  return out;
}

std::string flame_svg(const flame_graph& of, const flame_text& text) {
  const std::vector<still_box> boxes = still_boxes(of);
  uint32_t depth = 0;
  for (const still_box& box : boxes) depth = std::max(depth, box.frame->depth);
  const double height = title_height + static_cast<double>(depth * row_height) + 8;
  std::string out =
      "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
      "<svg xmlns=\"http://www.w3.org/2000/svg\" ";
  out +=
      print("width=\"%.0f\" height=\"%.0f\" viewBox=\"0 0 %.0f", still_width, height, still_width);
  out += print(" %.0f\">\n<style>", height, 0, 0);
  out += style();
  out += "</style>\n<g id=\"still\"><text class=\"title\" x=\"4\" y=\"20\">" +
         xml_text(text.title + "  " + text.about) + "</text>\n";
  add_still(out, of, boxes, depth);
  out +=
      "</g>\n<foreignObject id=\"holder\" x=\"0\" y=\"0\" width=\"100%\" height=\"100%\">"
      "<div xmlns=\"http://www.w3.org/1999/xhtml\" id=\"host\"></div></foreignObject>\n"
      "<script type=\"application/json\" id=\"data\"><![CDATA[";
  out += data_json(of, text);
  out += "]]></script>\n<script><![CDATA[";
  out += script();
  out += "]]></script>\n</svg>\n";
  return out;
}

}  // namespace weft_command
