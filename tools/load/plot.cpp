// SPDX-License-Identifier: Apache-2.0
// Drawing.
#include "plot.hpp"

#include <algorithm>
#include <cmath>

namespace load {

namespace {

inline constexpr size_t label_width = 8;

/// Dots in cells; a cell has the color of the curve that drew there last.
class canvas {
 public:
  canvas(size_t width, size_t height, bool ascii)
      : ascii_(ascii), width_(width), height_(height), cells_(width * height) {}
  [[nodiscard]] size_t dots_x() const { return ascii_ ? width_ : width_ * 2; }
  [[nodiscard]] size_t dots_y() const { return ascii_ ? height_ : height_ * 4; }

  /// y counts from below.
  void set(size_t x, size_t y, const curve& with) {
    const size_t down = dots_y() - 1 - y;
    cell& c = cells_[(ascii_ ? down : down / 4) * width_ + (ascii_ ? x : x / 2)];
    // Braille's bits: the left column is 1 2 4 64, the right one 8 16 32 128.
    static constexpr uint8_t bits[2][4] = {{1, 2, 4, 64}, {8, 16, 32, 128}};
    c.bits = static_cast<uint8_t>(c.bits | bits[x % 2][down % 4]);
    c.by = &with;
  }
  void append_row(size_t row, bool color, std::string& out) const {
    const curve* current = nullptr;
    for (size_t x = 0; x < width_; ++x) {
      const cell& c = cells_[row * width_ + x];
      if (color && c.by != current) {
        if (current != nullptr) out.append("\x1b[0m");
        if (c.by != nullptr) out.append(c.by->color);
        current = c.by;
      }
      if (c.by == nullptr)
        out.append(" ");
      else if (ascii_)
        out.append(1, c.by->ascii);
      else
        out.append("\xe2")
            .append(1, static_cast<char>(0xa0 | (c.bits >> 6)))
            .append(1, static_cast<char>(0x80 | (c.bits & 0x3f)));
    }
    if (current != nullptr) out.append("\x1b[0m");
  }

 private:
  struct cell {
    uint8_t bits = 0;
    const curve* by = nullptr;
  };
  bool ascii_;
  size_t width_;
  size_t height_;
  std::vector<cell> cells_;
};

/// At most `count` values of what there are.
std::vector<double> joined(const std::vector<double>& values, size_t count, bool mean) {
  if (values.size() <= count) return values;
  const size_t each = (values.size() + count - 1) / count;
  std::vector<double> out;
  for (size_t at = 0; at < values.size(); at += each) {
    const size_t end = std::min(at + each, values.size());
    double sum = 0;
    double most = 0;
    for (size_t i = at; i < end; ++i) {
      sum += values[i];
      most = std::max(most, values[i]);
    }
    out.push_back(mean ? sum / static_cast<double>(end - at) : most);
  }
  return out;
}

double round_up(double value) {
  const double power = std::pow(10, std::floor(std::log10(value)));
  for (const double step : {1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0})
    if (value <= step * power * 1.0001) return step * power;
  return 10 * power;
}

struct scale {
  double low = 0;
  double high = 1;
  bool logarithmic = false;
  [[nodiscard]] double place(double value) const {
    if (!logarithmic) return value / high;
    if (value <= low) return 0;
    return std::log(value / low) / std::log(high / low);
  }
  [[nodiscard]] double at(double place) const {
    return logarithmic ? low * std::pow(high / low, place) : high * place;
  }
};

scale make_scale(const std::vector<curve>& curves, bool logarithmic) {
  double least = 0;
  double most = 0;
  for (const curve& c : curves)
    for (const double value : c.values) {
      most = std::max(most, value);
      if (value > 0 && (least == 0 || value < least)) least = value;
    }
  scale out;
  out.logarithmic = logarithmic && least > 0;
  if (most > 0) out.high = round_up(most);
  if (out.logarithmic) {
    out.low = std::pow(10, std::floor(std::log10(least)));
    out.high = std::max(out.high, 10 * out.low);
  }
  return out;
}

/// A line from each value to the next, spread over the width.
void draw_curve(const curve& c, const scale& axis, size_t expected, bool mean, canvas& to) {
  const std::vector<double> values = joined(c.values, to.dots_x(), mean);
  const size_t each = values.empty() ? 1 : (c.values.size() + values.size() - 1) / values.size();
  const size_t all = std::max(values.size(), (expected + each - 1) / each);
  const double top = static_cast<double>(to.dots_y() - 1);
  const double step =
      all > 1 ? static_cast<double>(to.dots_x() - 1) / static_cast<double>(all - 1) : 0;
  size_t y_before = 0;
  size_t x_before = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const auto y =
        static_cast<size_t>(std::lround(std::clamp(axis.place(values[i]), 0.0, 1.0) * top));
    const auto x = static_cast<size_t>(std::lround(static_cast<double>(i) * step));
    if (i == 0) {
      to.set(x, y, c);
    } else {
      const double rise = static_cast<double>(y) - static_cast<double>(y_before);
      const size_t dots =
          std::max({x - x_before, static_cast<size_t>(std::lround(std::abs(rise))), size_t{1}});
      for (size_t dot = 1; dot <= dots; ++dot) {
        const double part = static_cast<double>(dot) / static_cast<double>(dots);
        to.set(
            x_before + static_cast<size_t>(std::lround(part * static_cast<double>(x - x_before))),
            static_cast<size_t>(std::lround(static_cast<double>(y_before) + part * rise)), c);
      }
    }
    x_before = x;
    y_before = y;
  }
}

}  // namespace

std::vector<std::string> draw_plot(const std::vector<curve>& curves, const plot_options& how,
                                   bool mean) {
  const size_t width = how.width > label_width + 4 ? how.width - label_width - 1 : 4;
  const size_t height = std::max<size_t>(how.height, 2);
  canvas to(width, height, how.ascii);
  const scale axis = make_scale(curves, how.logarithmic);
  for (const curve& c : curves) draw_curve(c, axis, how.expected, mean, to);
  std::vector<std::string> out;
  for (size_t row = 0; row < height; ++row) {
    std::string label;
    if (how.label != nullptr && (row == 0 || row + 1 == height || row == height / 2))
      label = how.label(axis.at(1.0 - static_cast<double>(row) / static_cast<double>(height - 1)));
    if (label.size() < label_width) label.insert(0, label_width - label.size(), ' ');
    std::string line = label + (how.ascii ? "|" : "\xe2\x94\x82");
    to.append_row(row, how.color, line);
    out.push_back(std::move(line));
  }
  return out;
}

}  // namespace load
