// SPDX-License-Identifier: Apache-2.0
// Frames, in the chapters of the Autobahn test suite: each case however it is cut.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "weft/http/internal/utf8.hpp"
#include "weft/http/internal/ws_deflate.hpp"
#include "weft/http/internal/ws_frames.hpp"

namespace {

using weft::rt::utf8_checker;
using weft::rt::ws_opcode;
using weft::rt::ws_receiver;
using weft::rt::ws_rules;

/// One frame as a client sends it. `first` is the head's first byte: FIN, reserved bits, opcode.
std::string frame(unsigned first, std::string payload, int length_bytes = 0, bool masked = true) {
  std::string out(1, static_cast<char>(first));
  const size_t n = payload.size();
  if (length_bytes == 0) length_bytes = n < 126 ? 1 : n <= 65535 ? 2 : 8;
  const unsigned mask_bit = masked ? 0x80 : 0;
  if (length_bytes == 1) out += static_cast<char>(mask_bit | n);
  if (length_bytes == 2) out += static_cast<char>(mask_bit | 126U);
  if (length_bytes == 8) out += static_cast<char>(mask_bit | 127U);
  for (int i = length_bytes; length_bytes > 1 && i-- > 0;)
    out += static_cast<char>(static_cast<uint64_t>(n) >> (8 * i));
  if (masked) {
    const std::array<char, 4> mask = {'\x12', '\x9a', '\x00', '\xff'};
    out.append(mask.data(), 4);
    weft::rt::ws_mask(payload.data(), payload.size(), mask, 0);
  }
  return out + payload;
}

std::string close_payload(int code, std::string_view reason = {}) {
  std::string out{static_cast<char>(code >> 8), static_cast<char>(code & 0xFF)};
  return out.append(reason);
}

/// What the receiver says to the bytes that come in pieces of `step`.
std::string told(const std::string& bytes, size_t step, ws_rules rules) {
  ws_receiver receiver(rules);
  std::string out;
  std::string buffer;
  size_t at = 0;
  for (;;) {
    size_t used = 0;
    const ws_receiver::event e = receiver.next(buffer.data(), buffer.size(), used);
    buffer.erase(0, used);
    switch (e) {
      case ws_receiver::event::need_more:
        if (at == bytes.size()) return out;
        buffer.append(bytes.substr(at, step));
        at = std::min(at + step, bytes.size());
        break;
      case ws_receiver::event::message:
        out += receiver.text() ? "T(" : "B(";
        if (std::string m = receiver.take_message(); m.size() <= 40)
          out += m + ")";
        else
          out += std::to_string(m.size()) + " bytes)";
        break;
      case ws_receiver::event::ping:
        out += "ping(" + receiver.payload() + ")";
        break;
      case ws_receiver::event::pong:
        out += "pong(" + receiver.payload() + ")";
        break;
      case ws_receiver::event::close:
        return out + "close " + std::to_string(receiver.code()) + "(" + receiver.payload() + ")";
      case ws_receiver::event::error:
        return out + "fail " + std::to_string(receiver.code());
    }
  }
}

struct example {
  const char* what;
  std::string bytes;
  std::string expected;
};

void check(const std::vector<example>& examples, ws_rules rules = {.message_bytes_max = 1 << 20}) {
  for (const example& e : examples) {
    const size_t few = e.bytes.size() < 400 ? 1 : e.bytes.size() / 7;
    for (size_t step = few; step <= e.bytes.size(); step += step)
      EXPECT_EQ(told(e.bytes, step, rules), e.expected) << e.what << " by " << step;
    EXPECT_EQ(told(e.bytes, e.bytes.size(), rules), e.expected) << e.what;
  }
}

inline constexpr unsigned fin = 0x80;

TEST(http_websocket_frames, framing) {  // 1.*
  check({
      {"an empty text", frame(fin | 1, ""), "T()"},
      {"125", frame(fin | 1, std::string(125, '*')), "T(125 bytes)"},
      {"126", frame(fin | 1, std::string(126, '*')), "T(126 bytes)"},
      {"65535", frame(fin | 1, std::string(65535, '*')), "T(65535 bytes)"},
      {"65536", frame(fin | 2, std::string(65536, '\xfe')), "B(65536 bytes)"},
      {"an empty binary", frame(fin | 2, ""), "B()"},
      {"two at once", frame(fin | 1, "a") + frame(fin | 2, "b"), "T(a)B(b)"},
      {"126 where 125 would do", frame(fin | 1, "a", 2), "fail 1002"},
      {"127 where 126 would do", frame(fin | 1, std::string(300, 'a'), 8), "fail 1002"},
      {"a length with the first bit",
       std::string("\x82\xff\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", 14), "fail 1002"},
      {"without a mask", frame(fin | 1, "a", 0, false), "fail 1002"},
  });
  check({{"a server's without a mask", frame(fin | 1, "a", 0, false), "T(a)"},
         {"a server's with a mask", frame(fin | 1, "a"), "fail 1002"}},
        {.server = false, .message_bytes_max = 100});
}

TEST(http_websocket_frames, pings_and_pongs) {  // 2.*
  check({
      {"without content", frame(fin | 9, ""), "ping()"},
      {"with content", frame(fin | 9, "Hello"), "ping(Hello)"},
      {"125 bytes", frame(fin | 9, std::string(125, 'x')), "ping(" + std::string(125, 'x') + ")"},
      {"126 bytes", frame(fin | 9, std::string(126, 'x')), "fail 1002"},
      {"a pong that nobody asked for", frame(fin | 10, "p") + frame(fin | 1, "a"), "pong(p)T(a)"},
      {"ten", frame(fin | 9, "1") + frame(fin | 9, "2") + frame(fin | 9, "3"),
       "ping(1)ping(2)ping(3)"},
  });
}

TEST(http_websocket_frames, reserved_bits) {  // 3.*
  for (const unsigned bits : {0x10U, 0x20U, 0x30U, 0x40U, 0x50U, 0x60U, 0x70U})
    for (const unsigned opcode : {1U, 2U, 8U, 9U, 10U})
      check({{"bits", frame(fin | 1, "a") + frame(fin | bits | opcode, "x"), "T(a)fail 1002"}});
}

TEST(http_websocket_frames, opcodes) {  // 4.*
  for (const unsigned opcode : {3U, 4U, 5U, 6U, 7U, 11U, 12U, 13U, 14U, 15U})
    check({{"opcode", frame(fin | 1, "a") + frame(fin | opcode, ""), "T(a)fail 1002"}});
}

TEST(http_websocket_frames, fragments) {  // 5.*
  check({
      {"a ping in fragments", frame(9, "a") + frame(fin | 0, "b"), "fail 1002"},
      {"a close in fragments", frame(8, ""), "fail 1002"},
      {"two", frame(1, "a") + frame(fin | 0, "b"), "T(ab)"},
      {"two binary", frame(2, "a") + frame(fin | 0, "b"), "B(ab)"},
      {"with a ping between", frame(1, "a") + frame(fin | 9, "p") + frame(fin | 0, "b"),
       "ping(p)T(ab)"},
      {"empty ones", frame(1, "") + frame(0, "") + frame(fin | 0, ""), "T()"},
      {"the last is empty", frame(1, "a") + frame(fin | 0, ""), "T(a)"},
      {"a continuation of nothing", frame(fin | 0, "a"), "fail 1002"},
      {"and one that goes on", frame(0, "a"), "fail 1002"},
      {"after a whole message", frame(fin | 1, "a") + frame(fin | 0, "b"), "T(a)fail 1002"},
      {"a message in a message", frame(1, "a") + frame(fin | 1, "b"), "fail 1002"},
      {"a close in a message", frame(1, "a") + frame(fin | 8, ""), "close 1005()"},
  });
  check({{"too many", frame(1, "") + frame(0, "") + frame(0, "") + frame(0, ""), "fail 1009"}},
        {.message_bytes_max = 100, .frames_max = 3});
}

TEST(http_websocket_frames, utf8) {  // 6.*
  const std::string kosme = "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5";
  check({
      {"whole", frame(fin | 1, kosme), "T(" + kosme + ")"},
      {"a fragment per byte",
       [&] {
         std::string out;
         for (size_t i = 0; i < kosme.size(); ++i)
           out +=
               frame((i == 0 ? 1U : 0U) | (i + 1 == kosme.size() ? fin : 0U), kosme.substr(i, 1));
         return out;
       }(),
       "T(" + kosme + ")"},
      {"cut at the end", frame(fin | 1, kosme.substr(0, 1)), "fail 1007"},
      {"wrong in the first fragment: at once", frame(1, kosme + "\xed\xa0\x80"), "fail 1007"},
      {"in binary it may be anything", frame(fin | 2, "\xff\xfe"), "B(\xff\xfe)"},
  });
  const auto good = [](std::string_view text) {
    bool same = true;
    for (size_t cut = 0; cut <= text.size(); ++cut) {
      utf8_checker one;
      utf8_checker two;
      const bool whole = one.feed(text) && one.whole();
      const bool parts = two.feed(text.substr(0, cut)) && two.feed(text.substr(cut)) && two.whole();
      same = same && whole == parts;
    }
    EXPECT_TRUE(same) << text;
    utf8_checker check;
    return check.feed(text) && check.whole();
  };
  for (const char* text : {"", "Hello-\xc2\xb5@\xc3\x9f\xc3\xb6", "\xc2\x80", "\xdf\xbf",
                           "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf",
                           "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "ascii that is long enough"})
    EXPECT_TRUE(good(text)) << text;
  for (const char* text :
       {"\x80", "\xbf", "\xc0\xaf", "\xc1\xbf", "\xc2", "\xc2\x41", "\xe0\x80\xaf", "\xe0\x9f\xbf",
        "\xed\xa0\x80", "\xed\xbf\xbf", "\xe1\x80", "\xf0\x80\x80\xaf", "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80", "\xfe", "\xff",
        "long enough for words\x80"
        "and more of them"})
    EXPECT_FALSE(good(text)) << text;
}

TEST(http_websocket_frames, closing) {  // 7.*
  check({
      {"nothing in it", frame(fin | 8, ""), "close 1005()"},
      {"what follows is not read", frame(fin | 8, "") + frame(fin | 1, "a"), "close 1005()"},
      {"half a code", frame(fin | 8, "\x03"), "fail 1002"},
      {"with a reason", frame(fin | 8, close_payload(1000, "bye")), "close 1000(bye)"},
      {"123 bytes", frame(fin | 8, close_payload(1000, std::string(123, 'r'))),
       "close 1000(" + std::string(123, 'r') + ")"},
      {"124 bytes", frame(fin | 8, close_payload(1000, std::string(124, 'r'))), "fail 1002"},
      {"a reason that is no UTF-8", frame(fin | 8, close_payload(1000, "\xce")), "fail 1007"},
  });
  for (const int code :
       {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999})
    check({{"good", frame(fin | 8, close_payload(code)), "close " + std::to_string(code) + "()"}});
  for (const int code : {0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535})
    check({{"bad", frame(fin | 8, close_payload(code)), "fail 1002"}});
}

TEST(http_websocket_frames, limits) {  // 9.*, 10.*
  const ws_rules rules{.message_bytes_max = 10};
  check({{"exactly", frame(fin | 2, std::string(10, 'x')), "B(xxxxxxxxxx)"},
         {"one more", frame(fin | 2, std::string(11, 'x')), "fail 1009"},
         {"in fragments", frame(2, std::string(6, 'x')) + frame(fin | 0, std::string(5, 'x')),
          "fail 1009"}},
        rules);
  // The head alone is enough: nothing is read or kept for it.
  check({{"announced", std::string("\x82\xff\x00\x00\x00\x7f\xff\xff\xff\xff\x01\x02\x03\x04", 14),
          "fail 1009"}},
        rules);
}

TEST(http_websocket_frames, compressed) {  // 12.*, 13.*
  const ws_rules rules{.deflate = true, .message_bytes_max = 1000};
  const auto squeezed = [](const std::string& text) {
    std::string out;
    weft::rt::ws_deflate(text, out);
    return out;
  };
  const std::string text(900, 'x');
  const std::string small = squeezed(text);
  check(
      {{"a message", frame(fin | 0x40 | 1, small), "T(900 bytes)"},
       {"in fragments: the bit is on the first",
        frame(0x40 | 1, small.substr(0, 3)) + frame(fin | 0, small.substr(3)), "T(900 bytes)"},
       {"the bit on a continuation",
        frame(0x40 | 1, small.substr(0, 3)) + frame(fin | 0x40 | 0, small.substr(3)), "fail 1002"},
       {"the bit on a ping", frame(fin | 0x40 | 9, ""), "fail 1002"},
       {"not compressed all the same", frame(fin | 1, "a"), "T(a)"},
       {"empty", frame(fin | 0x40 | 1, squeezed("")), "T()"},
       {"RFC 7692 7.2.3.1",
        frame(fin | 0x40 | 1, "\xf2\x48\xcd\xc9\xc9\x07" + std::string(1, '\0')), "T(Hello)"},
       {"RFC 7692 7.2.3.3, a block without compression",
        frame(fin | 0x40 | 1, std::string("\x00\x05\x00\xfa\xffHello\x00", 11)), "T(Hello)"},
       {"RFC 7692 7.2.3.4, a final block",
        frame(fin | 0x40 | 1, std::string("\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8)), "T(Hello)"},
       {"no UTF-8 within", frame(fin | 0x40 | 1, squeezed("\xff")), "fail 1007"},
       {"junk", frame(fin | 0x40 | 1, "\xff\xff\xff\xff"), "fail 1007"},
       {"a bomb", frame(fin | 0x40 | 2, squeezed(std::string(100000, 'x'))), "fail 1009"}},
      rules);
}

TEST(http_websocket_frames, heads_that_we_write) {
  const auto head = [](uint64_t length, const std::array<char, 4>* mask = nullptr) {
    std::string out;
    weft::rt::ws_append_head(out, ws_opcode::binary, true, false, length, mask);
    return out;
  };
  EXPECT_EQ(head(125), std::string("\x82\x7d"));
  EXPECT_EQ(head(126), std::string("\x82\x7e\x00\x7e", 4));
  EXPECT_EQ(head(65535), std::string("\x82\x7e\xff\xff", 4));
  EXPECT_EQ(head(65536), std::string("\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 10));
  const std::array<char, 4> mask = {'a', 'b', 'c', 'd'};
  EXPECT_EQ(head(1, &mask), std::string("\x82\x81") + "abcd");
}

}  // namespace
