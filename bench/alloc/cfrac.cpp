// SPDX-License-Identifier: Apache-2.0
// cfrac, a factoring program of our own: the expansion of a number's square root as a continued
// fraction, each remainder divided by small primes as the method wants it. Numbers are immutable
// objects of malloc(): some 40 short-lived objects of 8 to 64 bytes for each step.
#include <cstdio>
#include <utility>

#include "rows.hpp"

namespace bench {

namespace {

/// A natural number: digits of 32 bits, the lowest first, no leading zero.
class natural {
 public:
  natural() : natural(uint64_t{0}) {}
  natural(uint64_t value) : natural(nullptr, value == 0 ? 0 : value >> 32 == 0 ? 1 : 2) {
    for (uint32_t i = 0; i < of_->count; ++i) digits()[i] = static_cast<uint32_t>(value >> 32 * i);
  }
  natural(const natural& from) : natural(nullptr, from.of_->count) {
    for (uint32_t i = 0; i < of_->count; ++i) digits()[i] = from.digits()[i];
  }
  natural(natural&& from) noexcept : of_{std::exchange(from.of_, nullptr)} {}
  natural& operator=(natural from) noexcept {
    std::swap(of_, from.of_);
    return *this;
  }
  ~natural() { std::free(of_); }

  [[nodiscard]] bool zero() const { return of_->count == 0; }
  [[nodiscard]] uint32_t count() const { return of_->count; }
  [[nodiscard]] uint32_t digit(uint32_t i) const { return i < count() ? digits()[i] : 0; }

  friend int compare(const natural& a, const natural& b) {
    if (a.count() != b.count()) return a.count() < b.count() ? -1 : 1;
    for (uint32_t i = a.count(); i-- > 0;)
      if (a.digit(i) != b.digit(i)) return a.digit(i) < b.digit(i) ? -1 : 1;
    return 0;
  }
  friend natural operator+(const natural& a, const natural& b) {
    natural sum(nullptr, std::max(a.count(), b.count()) + 1);
    uint64_t carry = 0;
    for (uint32_t i = 0; i < sum.count(); ++i) {
      carry += uint64_t{a.digit(i)} + b.digit(i);
      sum.digits()[i] = static_cast<uint32_t>(carry);
      carry >>= 32;
    }
    return sum.trimmed();
  }
  /// a is not below b.
  friend natural operator-(const natural& a, const natural& b) {
    natural rest(nullptr, a.count());
    int64_t carry = 0;
    for (uint32_t i = 0; i < rest.count(); ++i) {
      carry += int64_t{a.digit(i)} - b.digit(i);
      rest.digits()[i] = static_cast<uint32_t>(carry);
      carry >>= 32;
    }
    return rest.trimmed();
  }
  friend natural operator*(const natural& a, const natural& b) {
    natural product(nullptr, a.count() + b.count());
    for (uint32_t i = 0; i < product.count(); ++i) product.digits()[i] = 0;
    for (uint32_t i = 0; i < a.count(); ++i) {
      uint64_t carry = 0;
      for (uint32_t j = 0; j < b.count() || carry != 0; ++j) {
        carry += product.digits()[i + j] + uint64_t{a.digit(i)} * b.digit(j);
        product.digits()[i + j] = static_cast<uint32_t>(carry);
        carry >>= 32;
      }
    }
    return product.trimmed();
  }
  /// Quotient and remainder, a bit at a time above one digit: small numbers are what this is about.
  friend std::pair<natural, natural> divide(const natural& a, const natural& b) {
    if (b.count() == 1) return divide_by_digit(a, b.digit(0));
    natural quotient(nullptr, a.count());
    natural rest;
    for (uint32_t i = a.count(); i-- > 0;) {
      rest = natural(a.digit(i)) + rest * natural(uint64_t{1} << 32);
      uint64_t low = 0;
      uint64_t high = uint64_t{1} << 32;
      // The leading digits say what the digit is, nearly; few steps are left.
      if (const uint32_t top = b.count() - 1; rest.count() > top) {
        const uint64_t above = uint64_t{rest.digit(top + 1)} << 32 | rest.digit(top);
        low = above / (uint64_t{b.digit(top)} + 1);
        high = std::min(high, above / b.digit(top) + 1);
      } else {
        high = 1;
      }
      while (high - low > 1) {
        const uint64_t middle = low + (high - low) / 2;
        (compare(b * natural(middle), rest) <= 0 ? low : high) = middle;
      }
      rest = rest - b * natural(low);
      quotient.digits()[i] = static_cast<uint32_t>(low);
    }
    return {quotient.trimmed(), std::move(rest)};
  }

 private:
  /// The digits follow it.
  struct body {
    uint32_t count;
  };

  [[nodiscard]] uint32_t* digits() const { return reinterpret_cast<uint32_t*>(of_ + 1); }

  natural(std::nullptr_t, uint32_t count)
      : of_{static_cast<body*>(allocate(sizeof(body) + count * sizeof(uint32_t)))} {
    of_->count = count;
  }
  natural&& trimmed() {
    while (of_->count != 0 && digits()[of_->count - 1] == 0) --of_->count;
    return std::move(*this);
  }
  static std::pair<natural, natural> divide_by_digit(const natural& a, uint32_t b) {
    natural quotient(nullptr, a.count());
    uint64_t rest = 0;
    for (uint32_t i = a.count(); i-- > 0;) {
      rest = rest << 32 | a.digit(i);
      quotient.digits()[i] = static_cast<uint32_t>(rest / b);
      rest %= b;
    }
    return {quotient.trimmed(), natural(rest)};
  }

  body* of_;
};

natural square_root(const natural& n) {
  natural root(1);
  while (compare(root * root, n) < 0) root = root + root;
  for (;;) {  // Newton's, from above
    natural next = divide(root + divide(n, root).first, natural(2)).first;
    if (compare(next, root) >= 0) return root;
    root = std::move(next);
  }
}

constexpr uint32_t primes[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53};

/// What is left of `n` when the small primes are taken out.
bool smooth(natural n) {
  for (const uint32_t prime : primes)
    for (;;) {
      auto [quotient, rest] = divide(n, natural(prime));
      if (!rest.zero()) break;
      n = std::move(quotient);
    }
  return n.count() == 1 && n.digit(0) == 1;
}

/// `steps` of the expansion; returns how many remainders were smooth.
int64_t expand(const natural& n, int64_t steps) {
  const natural root = square_root(n);
  natural p;
  natural q(1);
  natural before(1);
  natural now = root;
  natural whole = root;
  int64_t found = 0;
  for (int64_t i = 0; i < steps; ++i) {
    p = whole * q - p;
    q = divide(n - p * p, q).first;
    if (q.zero()) break;
    whole = divide(root + p, q).first;
    natural next = divide(whole * now + before, n).second;
    before = std::move(now);
    now = std::move(next);
    if (smooth(q)) ++found;
  }
  return found;
}

}  // namespace

void cfrac(const call& how) {
  // A product of two primes of 53 and 59 bits: 34 decimal digits.
  const natural n = natural(9007199254740881u) * natural(576460752303423433u);
  const int64_t steps = how.count(15'000);
  keep(expand(n, steps / 10));
  result out(how);
  out.start();
  const int64_t found = expand(n, steps);
  out.stop(steps);
  out.value("smooth", static_cast<double>(found));
  print_with_peak(out);
}

}  // namespace bench
