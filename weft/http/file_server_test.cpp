// SPDX-License-Identifier: Apache-2.0
// Files: ranges, conditions, types, and paths that must not lead out.
#include "weft/http/file_server.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "weft/base/panic.hpp"
#include "weft/http/content.hpp"
#include "weft/http/internal/conditions.hpp"
#include "weft/http/internal/file_tree.hpp"
#include "weft/http/recorder_testing.hpp"

namespace {

using namespace weft::http;
namespace fs = std::filesystem;
using weft::rt::byte_range;
using weft::rt::range_verdict;

TEST(http_conditions, ranges) {
  struct row {
    const char* text;
    range_verdict verdict;
    std::vector<byte_range> parts;
  };
  constexpr auto parts = range_verdict::parts;
  constexpr auto whole = range_verdict::whole;
  constexpr auto bad = range_verdict::unsatisfiable;
  const row rows[] = {
      {"bytes=0-4", parts, {{0, 5}}},
      {"bytes=2-", parts, {{2, 8}}},
      {"bytes=-3", parts, {{7, 3}}},
      {"bytes=-30", parts, {{0, 10}}},
      {"bytes=5-99999999999999999999", parts, {{5, 5}}},
      {"bytes=0-0,9-9", parts, {{0, 1}, {9, 1}}},
      {"bytes= 0-0 , , 2-2 ,", parts, {{0, 1}, {2, 1}}},
      {"bytes=0-0,20-30", parts, {{0, 1}}},
      {"bytes=0-9,0-9", whole, {}},  // more than there is
      {"lines=1-2", whole, {}},
      {"bytes=10-", bad, {}},
      {"bytes=-0", bad, {}},
      {"bytes=", bad, {}},
      {"bytes=,", bad, {}},
      {"bytes=x-1", bad, {}},
      {"bytes=1-x", bad, {}},
      {"bytes=4-2", bad, {}},
      {"bytes=1", bad, {}},
      {"bytes=-", bad, {}},
      {"bytes=--1", bad, {}},
      {"bytes=+1-2", bad, {}},
  };
  for (const row& r : rows) {
    std::vector<byte_range> out;
    EXPECT_EQ(weft::rt::parse_ranges(r.text, 10, out), r.verdict) << r.text;
    if (r.verdict == parts) {
      EXPECT_EQ(out, r.parts) << r.text;
    }
  }
  std::vector<byte_range> out;
  EXPECT_EQ(weft::rt::parse_ranges("bytes=0-", 0, out), whole);
  std::string many = "bytes=0-0";
  for (int i = 0; i < 64; ++i) many += ",1-1";
  EXPECT_EQ(weft::rt::parse_ranges(many, 1000, out), whole);
}

int served(std::initializer_list<header::field> fields, std::string_view method = "GET") {
  request r = make_request(method, "/", fields);
  recorder w;
  w.headers().set("Etag", "\"v1\"");
  text_content what("0123456789");
  serve_content(w, r, {.name = "a.txt", .modified_s = 784111777}, what);
  return w.status();
}

TEST(http_content, conditions) {
  const char* const then = "Sun, 06 Nov 1994 08:49:37 GMT";
  const char* const before = "Sun, 06 Nov 1994 08:49:36 GMT";
  EXPECT_EQ(served({}), 200);
  EXPECT_EQ(served({{"If-None-Match", "\"v1\""}}), 304);
  EXPECT_EQ(served({{"If-None-Match", "W/\"v1\""}}), 304);
  EXPECT_EQ(served({{"If-None-Match", "\"v0\" , W/\"v1\""}}), 304);
  EXPECT_EQ(served({{"If-None-Match", "\"v0\""}, {"If-None-Match", "\"v1\""}}), 304);
  EXPECT_EQ(served({{"If-None-Match", "*"}}), 304);
  EXPECT_EQ(served({{"If-None-Match", "\"v2\""}}), 200);
  EXPECT_EQ(served({{"If-None-Match", "v1"}}), 200);
  EXPECT_EQ(served({{"If-None-Match", "\"v1"}}), 200);
  EXPECT_EQ(served({{"If-Modified-Since", then}}), 304);
  EXPECT_EQ(served({{"If-Modified-Since", before}}), 200);
  EXPECT_EQ(served({{"If-Modified-Since", "yesterday"}}), 200);
  // A tag is the better witness.
  EXPECT_EQ(served({{"If-None-Match", "\"v2\""}, {"If-Modified-Since", then}}), 200);
  EXPECT_EQ(served({{"If-Match", "\"v1\""}}), 200);
  EXPECT_EQ(served({{"If-Match", "*"}}), 200);
  EXPECT_EQ(served({{"If-Match", "W/\"v1\""}}), 412);
  EXPECT_EQ(served({{"If-Match", "\"v2\""}}), 412);
  EXPECT_EQ(served({{"If-Unmodified-Since", then}}), 200);
  EXPECT_EQ(served({{"If-Unmodified-Since", before}}), 412);
  EXPECT_EQ(served({{"If-Match", "\"v1\""}, {"If-Unmodified-Since", before}}), 200);
  EXPECT_EQ(served({{"Range", "bytes=0-1"}}), 206);
  EXPECT_EQ(served({{"Range", "bytes=0-1"}}, "HEAD"), 200);
  EXPECT_EQ(served({{"Range", "bytes=0-1"}, {"If-Range", "\"v1\""}}), 206);
  EXPECT_EQ(served({{"Range", "bytes=0-1"}, {"If-Range", "\"v2\""}}), 200);
  EXPECT_EQ(served({{"Range", "bytes=0-1"}, {"If-Range", "W/\"v1\""}}), 200);
  EXPECT_EQ(served({{"Range", "bytes=0-1"}, {"If-Range", then}}), 206);
  EXPECT_EQ(served({{"Range", "bytes=0-1"}, {"If-Range", before}}), 200);
  EXPECT_EQ(served({{"Range", "bytes=77-"}}), 416);
  EXPECT_EQ(served({}, "POST"), 405);
}

TEST(http_content, one_range) {
  request r = make_request("GET", "/", {{"Range", "bytes=2-4"}});
  recorder w;
  text_content what("0123456789");
  serve_content(w, r, {.name = "a.txt"}, what);
  EXPECT_EQ(w.status(), 206);
  EXPECT_EQ(w.body, "234");
  EXPECT_EQ(w.sent.get("Content-Range"), "bytes 2-4/10");
  EXPECT_EQ(w.sent.get("Content-Length"), "3");
  EXPECT_EQ(w.sent.get("Content-Type"), "text/plain; charset=utf-8");
  EXPECT_FALSE(w.sent.has("Last-Modified"));
}

TEST(http_content, several_ranges_are_a_multipart_of_the_length_it_says) {
  request r = make_request("GET", "/", {{"Range", "bytes=0-1,-2"}});
  recorder w;
  text_content what("0123456789");
  serve_content(w, r, {.name = "a.png"}, what);
  EXPECT_EQ(w.status(), 206);
  const std::string type(w.sent.get("Content-Type"));
  ASSERT_TRUE(type.starts_with("multipart/byteranges; boundary="));
  const std::string boundary = type.substr(type.find('=') + 1);
  EXPECT_EQ(w.body,
            "--" + boundary +
                "\r\nContent-Range: bytes 0-1/10\r\nContent-Type: image/png\r\n\r\n01\r\n--" +
                boundary +
                "\r\nContent-Range: bytes 8-9/10\r\nContent-Type: image/png\r\n\r\n89\r\n--" +
                boundary + "--\r\n");
  EXPECT_EQ(w.sent.get("Content-Length"), std::to_string(w.body.size()));
}

TEST(http_content, not_satisfiable_says_the_size) {
  request r = make_request("GET", "/", {{"Range", "bytes=10-"}});
  recorder w;
  text_content what("0123456789");
  serve_content(w, r, {}, what);
  EXPECT_EQ(w.status(), 416);
  EXPECT_EQ(w.sent.get("Content-Range"), "bytes */10");
}

TEST(http_content, head_has_the_length_and_nothing_else) {
  request r = make_request("HEAD", "/");
  recorder w;
  text_content what("0123456789");
  serve_content(w, r, {}, what);
  EXPECT_EQ(w.sent.get("Content-Length"), "10");
  EXPECT_EQ(w.body, "");
}

class shrinking final : public content {
 public:
  uint64_t size() const noexcept override { return 10; }
  weft::result<size_t> read_at(std::span<char>, uint64_t offset) override {
    return offset == 0 ? size_t{4} : size_t{0};
  }
};

TEST(http_content, what_shrinks_meanwhile_is_cut) {
  request r = make_request("GET", "/");
  recorder w;
  shrinking what;
  EXPECT_THROW(serve_content(w, r, {}, what), abort_handler);
}

TEST(http_content, types) {
  EXPECT_EQ(content_type_of("a/b.CSS"), "text/css; charset=utf-8");
  EXPECT_EQ(content_type_of("x.tar.gz"), "application/gzip");
  EXPECT_EQ(content_type_of("x.7z"), "application/x-7z-compressed");
  EXPECT_EQ(content_type_of("x.zst"), "application/zstd");
  EXPECT_EQ(content_type_of("a.html/b"), "application/octet-stream");
  EXPECT_EQ(content_type_of("noext"), "application/octet-stream");
  EXPECT_EQ(content_type_of("a."), "application/octet-stream");
  EXPECT_EQ(content_type_of("a.averyveryverylongone"), "application/octet-stream");
}

/// A web site in a temporary folder, and a secret beside it.
class http_files : public ::testing::Test {
 protected:
  http_files() {
    std::string name = fs::temp_directory_path() / "weft-files-XXXXXX";
    base_ = ::mkdtemp(name.data());
    root_ = base_ / "www";
    fs::create_directories(root_ / "dir" / "sub");
    fs::create_directories(root_ / "plain");
    fs::create_directories(root_ / ".well-known");
    write(base_ / "secret.txt", "secret");
    write(root_ / "a.txt", "hello");
    write(root_ / "sp ace.txt", "space");
    write(root_ / "dir" / "index.html", "<p>index");
    write(root_ / "plain" / "x<y>.txt", "x");
    write(root_ / "plain" / "c:d", "x");
    write(root_ / ".env", "PASSWORD=1");
    write(root_ / ".well-known" / "security.txt", "mail us");
    fs::create_symlink("a.txt", root_ / "inside");
    fs::create_symlink("../secret.txt", root_ / "outside");
    fs::create_symlink(base_ / "secret.txt", root_ / "absolute");
    fs::create_directory_symlink("..", root_ / "up");
    fs::create_symlink("loop", root_ / "loop");
    EXPECT_EQ(::mkfifo((root_ / "fifo").c_str(), 0600), 0);
  }
  ~http_files() override { fs::remove_all(base_); }

  static void write(const fs::path& where, std::string_view what) {
    std::ofstream(where) << what;
    fs::last_write_time(where, fs::file_time_type::clock::now() - std::chrono::hours(1));
  }
  /// "STATUS BODY", or "STATUS LOCATION" for redirects.
  std::string get(std::string_view target, file_server_options options = {}) {
    const handler files = file_server(root_.string(), std::move(options));
    request r = make_request("GET", target);
    recorder w;
    files(w, r);
    last = w.sent;
    return std::to_string(w.status()) + " " +
           (w.status() / 100 == 3 ? std::string(w.sent.get("Location")) : w.body);
  }

  fs::path base_;
  fs::path root_;
  header last;
};

TEST_F(http_files, served) {
  EXPECT_EQ(get("/a.txt"), "200 hello");
  EXPECT_EQ(last.get("Content-Type"), "text/plain; charset=utf-8");
  EXPECT_EQ(last.get("Content-Length"), "5");
  EXPECT_EQ(last.get("Accept-Ranges"), "bytes");
  EXPECT_TRUE(last.has("Last-Modified"));
  EXPECT_TRUE(last.get("Etag").starts_with("\""));
  EXPECT_EQ(get("/sp%20ace.txt"), "200 space");
  EXPECT_EQ(get("/dir/"), "200 <p>index");
  EXPECT_EQ(get("/inside"), "200 hello");
  EXPECT_EQ(get("/.well-known/security.txt"), "200 mail us");
  EXPECT_EQ(get("/a.txt", {.cache_control = "max-age=60"}), "200 hello");
  EXPECT_EQ(last.get("Cache-Control"), "max-age=60");
}

TEST_F(http_files, redirects_keep_the_query) {
  EXPECT_EQ(get("/dir"), "301 dir/");
  EXPECT_EQ(get("/dir?a=b"), "301 dir/?a=b");
  EXPECT_EQ(get("/dir/index.html"), "301 ./");
  fs::create_directories(root_ / "c:d");
  EXPECT_EQ(get("/c:d"), "301 ./c:d/");
  EXPECT_EQ(get("/a.txt/"), "301 ../a.txt");
}

TEST_F(http_files, nothing_outside_of_the_root) {
  const std::string no = "404 404 page not found\n";
  for (const char* target :
       {"/../secret.txt", "/%2e%2e/secret.txt", "/dir/../../secret.txt", "/..%2fsecret.txt",
        "/dir/%2e%2e%2f..%2fsecret.txt", "/outside", "/absolute", "/up/secret.txt", "/up/www/a.txt",
        "//etc/passwd", "/etc/passwd", "/..%5csecret.txt", "/loop", "/dir/loop", "/a.txt/b",
        "/none"})
    EXPECT_EQ(get(target), no) << target;
  // A URL refuses it already.
  request r = make_request("GET", "/");
  r.url.path = std::string("/a.txt\0.html", 12);
  recorder w;
  file_server(root_.string())(w, r);
  EXPECT_EQ(w.status(), 400);
}

TEST_F(http_files, the_walk_without_the_kernels_help_is_as_strict) {
  const weft::rt::open_file root = std::move(*weft::rt::open_anywhere(root_.string()));
  const auto reads = [&](const char* path) {
    return weft::rt::open_beneath(root.fd(), path, weft::rt::beneath::by_walking).has_value();
  };
  EXPECT_TRUE(reads("a.txt"));
  EXPECT_TRUE(reads("dir/index.html"));
  EXPECT_TRUE(reads("dir/sub"));
  EXPECT_TRUE(reads("."));
  for (const char* path : {"../secret.txt", "dir/../../secret.txt", "outside", "absolute",
                           "up/secret.txt", "inside", "..", "none", "a.txt/b"})
    EXPECT_FALSE(reads(path)) << path;
}

TEST_F(http_files, hidden_unless_wanted) {
  EXPECT_EQ(get("/.env").substr(0, 3), "404");
  EXPECT_EQ(get("/.env", {.hidden_files = true}), "200 PASSWORD=1");
}

TEST_F(http_files, only_regular_files_and_without_waiting) {
  EXPECT_EQ(get("/fifo").substr(0, 3), "404");
}

TEST_F(http_files, listing_is_off_and_escapes) {
  EXPECT_EQ(get("/plain/").substr(0, 3), "404");
  const std::string page = get("/plain/", {.list_directories = true});
  EXPECT_NE(page.find("<a href=\"./c:d\">c:d</a>\n"
                      "<a href=\"./x%3Cy%3E.txt\">x&lt;y&gt;.txt</a>\n"),
            std::string::npos)
      << page;
}

TEST_F(http_files, methods_head_and_conditions) {
  const handler files = file_server(root_.string());
  request r = make_request("POST", "/a.txt");
  recorder posted;
  files(posted, r);
  EXPECT_EQ(posted.status(), 405);
  EXPECT_EQ(posted.sent.get("Allow"), "GET, HEAD");

  r = make_request("HEAD", "/a.txt");
  recorder head;
  files(head, r);
  EXPECT_EQ(head.body, "");
  EXPECT_EQ(head.sent.get("Content-Length"), "5");

  r = make_request("GET", "/a.txt", {{"If-None-Match", head.sent.get("Etag")}});
  recorder again;
  files(again, r);
  EXPECT_EQ(again.status(), 304);
  EXPECT_EQ(again.body, "");
}

TEST_F(http_files, a_fresh_file_has_a_weak_tag) {
  std::ofstream(root_ / "new.txt") << "x";
  EXPECT_EQ(get("/new.txt"), "200 x");
  EXPECT_TRUE(last.get("Etag").starts_with("W/\""));
}

TEST_F(http_files, a_root_that_is_none_panics_at_once) {
  for (const char* name : {"none", "secret.txt"}) {
    try {
      (void)file_server((base_ / name).string());
      ADD_FAILURE() << name;
    } catch (const weft::panic_error& e) {
      EXPECT_NE(std::string(e.what()).find("http: file_server: "), std::string::npos) << e.what();
    }
  }
}

TEST_F(http_files, by_name) {
  request r = make_request("GET", "/whatever");
  recorder w;
  serve_file(w, r, (base_ / "secret.txt").string());
  EXPECT_EQ(w.body, "secret");
  recorder none;
  serve_file(none, r, (base_ / "none").string());
  EXPECT_EQ(none.status(), 404);
}

}  // namespace
