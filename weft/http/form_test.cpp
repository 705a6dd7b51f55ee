// SPDX-License-Identifier: Apache-2.0
// Forms: good ones however they are cut, bad ones refused, limits.
#include "weft/http/form.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "weft/http/media_type.hpp"
#include "weft/http/recorder_testing.hpp"

namespace {

using namespace weft::http;

/// A body that comes in pieces.
class pieces final : public body_source {
 public:
  pieces(std::string text, size_t step) : text_(std::move(text)), step_(step) {}
  weft::result<size_t> read(std::span<char> to) override {
    const size_t count = std::min({to.size(), step_, text_.size() - at_});
    std::memcpy(to.data(), text_.data() + at_, count);
    at_ += count;
    return count;
  }

 private:
  std::string text_;
  size_t step_;
  size_t at_ = 0;
};

std::string shown(std::string_view text) {
  const auto m = media_type::parse(text);
  if (!m) return "refused";
  std::string out = m->type;
  for (const auto& [name, value] : m->parameters) out += "|" + name + "=" + value;
  return out;
}

TEST(http_media_type, parsed) {
  EXPECT_EQ(shown("text/HTML; Charset=\"utf-8\""), "text/html|charset=utf-8");
  EXPECT_EQ(shown(" multipart/form-data;boundary=abc ; x=y;"),
            "multipart/form-data|boundary=abc|x=y");
  EXPECT_EQ(shown("form-data; name=\"a b\"; filename=\"C:\\dir\\f.txt\""),
            "form-data|name=a b|filename=C:\\dir\\f.txt");
  EXPECT_EQ(shown("form-data; name=\"q\\\"q\\\\\""), "form-data|name=q\"q\\");
  EXPECT_EQ(shown("form-data; filename=x; filename*=UTF-8''%C3%A9"), "form-data|filename=\xc3\xa9");
  for (const char* bad :
       {"", "/", "text/", "te xt/html", "text/html; a", "text/html; =b", "text/html; a=\"b",
        "text/html; a=b; A=c", "text/html x", "a/b; c=d e", "a/b; c*=latin1''x",
        "a/b; c*=UTF-8''%zz", "a/b; c*=UTF-8''%0a", "a/b; c=\"\x01\""})
    EXPECT_EQ(shown(bad), "refused") << bad;
}

TEST(http_form, urlencoded) {
  const auto values = parse_form("a=1&b=x+y%21&&c&=d&a=2");
  ASSERT_TRUE(values);
  EXPECT_EQ(values->encode(), "a=1&b=x+y%21&c=&=d&a=2");
  EXPECT_FALSE(parse_form("a=%zz"));
  EXPECT_TRUE(parse_form("a=%z").error().is(bad_form));
  EXPECT_TRUE(parse_form("a=1&b=2&c=3", 2).error().is(body_too_large));
  request r =
      make_request("POST", "/", {{"Content-Type", "application/x-www-form-urlencoded"}}, "a=1&b=2");
  const auto f = read_form(r);
  ASSERT_TRUE(f);
  EXPECT_EQ(f->values.get("b"), "2");
}

const std::string two_parts =
    "--XX\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nvalue\r\n"
    "--XX\r\nContent-Disposition: form-data; name=\"up\"; filename=\"../../etc/f.bin\"\r\n"
    "Content-Type: application/octet-stream\r\n\r\n\r\n--X\r\n--\r\nbytes\r\n\r\n"
    "--XX--\r\nepilogue";

request multipart_request(std::string content, size_t step = 1000,
                          std::string_view type = "multipart/form-data; boundary=XX") {
  return make_request("POST", "/", {{"Content-Type", type}},
                      body(std::make_unique<pieces>(std::move(content), step)));
}

std::string content_of(form_file& file) {
  std::string out(file.size() + 1, '\0');
  size_t used = 0;
  for (;;) {
    const auto got = file.read_at({out.data() + used, out.size() - used}, used);
    EXPECT_TRUE(got);
    if (!got || *got == 0) break;
    used += *got;
  }
  out.resize(used);
  return out;
}

TEST(http_form, multipart_however_it_is_cut) {
  for (size_t step = 1; step < 400; ++step) {
    request r = multipart_request("pre\r\n" + two_parts, step);
    const auto f = read_form(r);
    ASSERT_TRUE(f) << f.error().message() << " by " << step;
    EXPECT_EQ(f->values.encode(), "text=value");
    ASSERT_EQ(f->files.size(), 1U);
    form_file& file = *f->file("up");
    EXPECT_EQ(file.filename, "f.bin");
    EXPECT_EQ(file.content_type, "application/octet-stream");
    EXPECT_EQ(content_of(file), "\r\n--X\r\n--\r\nbytes\r\n");
  }
}

TEST(http_form, parts_one_by_one) {
  request r = multipart_request(two_parts);
  auto parts = multipart_reader::of(r);
  ASSERT_TRUE(parts);
  auto part = parts->next();
  ASSERT_TRUE(part && *part != nullptr);
  EXPECT_EQ((*part)->name(), "text");
  EXPECT_FALSE((*part)->has_filename());
  part = parts->next();  // the first was not read
  ASSERT_TRUE(part && *part != nullptr);
  char two[2];
  EXPECT_EQ((*part)->read(two).value(), 2U);
  part = parts->next();
  ASSERT_TRUE(part);
  EXPECT_EQ(*part, nullptr);
  EXPECT_EQ(parts->next().value(), nullptr);
}

TEST(http_form, empty_ones) {
  const std::string head = "--XX\r\nContent-Disposition: form-data; name=a\r\n\r\n";
  for (const std::string& text :
       {head + "\r\n--XX--", head + "--XX--", head + "\r\n" + head + "\r\n--XX--"}) {
    request r = multipart_request(text);
    const auto f = read_form(r);
    ASSERT_TRUE(f) << f.error().message();
    EXPECT_EQ(f->values.get("a"), "");
    EXPECT_TRUE(f->values.has("a"));
  }
  request r = multipart_request("--XX--");
  EXPECT_TRUE(read_form(r)->values.empty());
}

TEST(http_form, bad_ones) {
  const std::string disposition = "Content-Disposition: form-data; name=a\r\n";
  const std::string good = "--XX\r\n" + disposition + "\r\nv\r\n--XX--\r\n";
  for (const std::string& text :
       {std::string(), std::string("--XX"), std::string("--XX\r\n"),
        std::string("--XX\n" + disposition + "\r\nv\r\n--XX--"),
        std::string("--XX \r\n" + disposition + "\r\nv\r\n--XX--"),
        std::string("--XXY\r\n" + disposition + "\r\nv\r\n--XX--"),
        std::string("--XX\r\n\r\nv\r\n--XX--"),
        std::string("--XX\r\nContent-Disposition: form-data\r\n\r\nv\r\n--XX--"),
        std::string("--XX\r\nContent-Disposition: attachment; name=a\r\n\r\nv\r\n--XX--"),
        std::string("--XX\r\n" + disposition + disposition + "\r\nv\r\n--XX--"),
        std::string("--XX\r\n" + disposition + " folded: x\r\n\r\nv\r\n--XX--"),
        std::string("--XX\r\n" + disposition + "Bad Name: x\r\n\r\nv\r\n--XX--"),
        std::string("--XX\r\n" + disposition + "X: a\nb\r\n\r\nv\r\n--XX--"),
        std::string("--XX\r\n" + disposition +
                    "Content-Transfer-Encoding: base64\r\n\r\ndg==\r\n--XX--"),
        good.substr(0, good.size() - 4), good.substr(0, good.size() - 8), good.substr(0, 30)}) {
    request r = multipart_request(text, 7);
    const auto f = read_form(r);
    ASSERT_FALSE(f) << text;
    EXPECT_TRUE(f.error().is(bad_form)) << text << f.error().message();
  }
  for (const char* type :
       {"multipart/form-data", "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"a\\b\"", "multipart/form-data; boundary=\"a \""}) {
    request r = multipart_request(good, 100, type);
    EXPECT_FALSE(read_form(r)) << type;
  }
  for (const char* type : {"", "text/plain", "multipart/mixed; boundary=XX"}) {
    request r = multipart_request(good, 100, type);
    EXPECT_TRUE(read_form(r).error().is(not_a_form)) << type;
  }
}

TEST(http_form, limits_are_named) {
  const auto refused = [](const std::string& text, const form_limits& limits) {
    request r = multipart_request(text);
    const auto f = read_form(r, limits);
    if (f) return std::string("accepted");
    EXPECT_TRUE(f.error().is(body_too_large)) << f.error().message();
    return f.error().message();
  };
  EXPECT_EQ(refused(two_parts, {}), "accepted");
  EXPECT_NE(refused(two_parts, {.multipart = {.parts_max = 1}}).find("parts_max is 1"),
            std::string::npos);
  EXPECT_NE(refused(two_parts, {.multipart = {.header_bytes_max = 20}}).find("header_bytes_max"),
            std::string::npos);
  EXPECT_NE(refused(two_parts, {.multipart = {.header_fields_max = 1}}).find("header_fields_max"),
            std::string::npos);
  EXPECT_NE(refused(two_parts, {.multipart = {.part_bytes_max = 5}}).find("part_bytes_max is 5"),
            std::string::npos);
  EXPECT_NE(refused(two_parts, {.file_bytes_max = 5}).find("file_bytes_max is 5"),
            std::string::npos);
  EXPECT_NE(refused(two_parts, {.values_bytes_max = 8}).find("bytes"), std::string::npos);
  EXPECT_NE(refused(two_parts, {.values_max = 0}).find("values_max"), std::string::npos);
  EXPECT_NE(refused(two_parts, {.files_max = 0}).find("files_max"), std::string::npos);
  EXPECT_NE(refused(std::string(10000, 'x') + two_parts, {}).find("before the first boundary"),
            std::string::npos);
  EXPECT_NE(refused("--XX\r\n" + std::string(100000, 'x'), {}).find("header_bytes_max"),
            std::string::npos);
}

TEST(http_form, large_files_go_to_disk) {
  std::string large(100000, '\0');
  for (size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 7);
  const std::string head = "--XX\r\nContent-Disposition: form-data; name=a; filename=f\r\n\r\n";
  request r = multipart_request(head + "small\r\n" + head + large + "\r\n--XX--");
  const auto f = read_form(r, {.memory_bytes_max = 50000});
  ASSERT_TRUE(f) << f.error().message();
  ASSERT_EQ(f->files.size(), 2U);
  EXPECT_FALSE(f->files[0]->on_disk());
  EXPECT_TRUE(f->files[1]->on_disk());
  EXPECT_EQ(content_of(*f->files[0]), "small");
  EXPECT_EQ(content_of(*f->files[1]), large);
  request again = multipart_request(head + large + "\r\n--XX--");
  const auto none = read_form(again, {.memory_bytes_max = 10, .temp_dir = "/nowhere"});
  ASSERT_FALSE(none);
  recorder w;
  reply_form_error(w, none.error());
  EXPECT_EQ(w.status(), 500);
}

TEST(http_form, answers_to_errors) {
  const auto status = [](const weft::error& why) {
    recorder w;
    reply_form_error(w, why);
    return w.status();
  };
  EXPECT_EQ(status(bad_form), 400);
  EXPECT_EQ(status(not_a_form), 415);
  EXPECT_EQ(status(weft::error::wrap("x", body_too_large)), 413);
}

}  // namespace
