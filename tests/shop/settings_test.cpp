// SPDX-License-Identifier: Apache-2.0
// The shop's settings: what is refused, and a file that changes while the program runs.
#include "settings.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "weft/sched/run.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sync/timer.hpp"

namespace {

using namespace std::chrono_literals;

std::string wrong(std::string_view text) {
  auto got = shop::parse_settings(text);
  return got ? "good" : got.error().message();
}

TEST(Settings, DefaultsAreGood) {
  EXPECT_EQ(wrong("{}"), "good");
  EXPECT_EQ(shop::parse_settings(R"({"risk":{"think_us":5}})")->risk.think_us, 5);
  EXPECT_EQ(shop::parse_settings(R"({"risk":{"think_us":5}})")->gateway.deadline_ms, 1000);
}

TEST(Settings, WhatIsWrongIsRefusedWithItsPlace) {
  EXPECT_EQ(wrong(R"({"gateway":{"dedline_ms":5}})"),
            R"(json: at $.gateway (byte 12): unknown key "dedline_ms")");
  EXPECT_EQ(wrong(R"({"gateway":{"deadline_ms":"5"}})"),
            "json: at $.gateway.deadline_ms (byte 26): expected an integer, got a string");
  EXPECT_EQ(wrong(R"({"gateway":{"deadline_ms":0}})"),
            "settings: at $.gateway.deadline_ms: must be from 1 to 600000, got 0");
  EXPECT_EQ(wrong(R"({"gateway":{"deadline_ms":1,"deadline_ms":2}})"),
            R"(json: at $.gateway (byte 28): the key "deadline_ms" comes twice)");
  EXPECT_EQ(wrong(R"({"risk":{"listen":"here"}})"),
            R"(settings: at $.risk.listen: must be HOST:PORT, got "here")");
  EXPECT_EQ(wrong(R"({"risk":{"listen":"[::1]:0"}})"), "good");
  EXPECT_EQ(wrong(R"({"risk":{"listen":"a:65536"}})"),
            R"(settings: at $.risk.listen: must be HOST:PORT, got "a:65536")");
  EXPECT_EQ(
      wrong(R"({"gateway":{"risk_url":"ftp://x"}})"),
      "settings: at $.gateway.risk_url: must begin with http:// or https://, got \"ftp://x\"");
  EXPECT_EQ(wrong(R"({"risk":{"review_above_cents":5,"deny_above_cents":4}})"),
            "settings: at $.risk.review_above_cents: must be from 0 to 4, got 5");
  EXPECT_EQ(wrong(R"({"tls":{"key_file":"k"}})"),
            "settings: at $.tls: certificate_file and key_file come together");
  EXPECT_EQ(wrong("[]"), "json: at $ (byte 0): expected an object, got an array");
}

class LiveSettings : public testing::Test {
 protected:
  LiveSettings() {
    std::string pattern = (std::filesystem::temp_directory_path() / "weft-set-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~LiveSettings() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] std::string path() const { return folder_ + "/shop.json"; }
  void write(const std::string& text) const { std::ofstream(path()) << text; }
  /// As editors and deployments do: another file in its place.
  void replace(const std::string& text) const {
    std::ofstream(path() + ".new") << text;
    ASSERT_EQ(std::rename((path() + ".new").c_str(), path().c_str()), 0);
  }
  template <class F>
  static void until(F condition) {
    // The kernel's event has no other sign; a test that waits for ever is ended by its time limit.
    while (!condition()) weft::sleep_for(1ms);
  }

  std::string folder_;
};

TEST_F(LiveSettings, ChangesCountAndBadOnesChangeNothing) {
  weft::run([&] {
    write(R"({"risk":{"think_us":1}})");
    auto live = shop::live_settings::open(path());
    ASSERT_TRUE(live.has_value()) << live.error().message();
    EXPECT_EQ(live->get()->risk.think_us, 1);
    EXPECT_EQ(live->reloads(), 0U);
    const auto before = live->get();

    write(R"({"risk":{"think_us":2}})");
    until([&] { return live->get()->risk.think_us == 2; });
    EXPECT_EQ(before->risk.think_us, 1) << "who has the old ones keeps them";
    replace(R"({"risk":{"think_us":3}})");
    until([&] { return live->get()->risk.think_us == 3; });

    replace(R"({"risk":{"think_us":-1}})");
    until([&] { return live->refused() >= 1; });
    EXPECT_EQ(live->get()->risk.think_us, 3);
    const uint64_t refused = live->refused();
    std::filesystem::remove(path());
    until([&] { return live->refused() > refused; });
    EXPECT_EQ(live->get()->risk.think_us, 3);
    write(R"({"risk":{"think_us":4}})");
    until([&] { return live->get()->risk.think_us == 4; });
    EXPECT_GE(live->reloads(), 3U);
  });
}

TEST_F(LiveSettings, TheWatcherEndsWithTheLastHandle) {
  weft::run([&] {
    write("{}");
    until([] { return weft::num_goroutine() == 1; });  // none of another test
    {
      auto live = shop::live_settings::open(path());
      ASSERT_TRUE(live.has_value());
      const shop::live_settings copy = *live;
      until([] { return weft::num_goroutine() == 2; });
    }
    until([] { return weft::num_goroutine() == 1; });
  });
}

TEST_F(LiveSettings, WithoutAFileThereAreDefaults) {
  weft::run([&] {
    EXPECT_EQ(shop::live_settings::open("")->get()->gateway.deadline_ms, 1000);
    auto missing = shop::live_settings::open(path());
    ASSERT_FALSE(missing.has_value());
    EXPECT_NE(missing.error().message().find("shop.json: cannot be read: No such file"),
              std::string::npos)
        << missing.error().message();
    write("{");
    EXPECT_FALSE(shop::live_settings::open(path()).has_value());
  });
}

}  // namespace
