// SPDX-License-Identifier: Apache-2.0
// The table of models in tests/model/README.md. WEFT_MODEL_TABLE=check runs no search: it fails if
// the table there is not the one that the models make, or if a component or a scenario has fewer
// than three mutants. WEFT_MODEL_TABLE=write writes it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "engine.hpp"

namespace model {
namespace {

constexpr const char* path = WEFT_SOURCE_DIR "/tests/model/README.md";
constexpr const char* head =
    "| component | scenario | mutants | bounded exhaustive search | random |\n"
    "| --- | --- | ---: | --- | ---: |\n";
constexpr size_t mutants_min = 3;

const char* name_of(part which) {
  static constexpr const char* names[] = {
      "-",
      "run queue",
      "`runnext`: hand-off and steal",
      "park and ready",
      "spinning and wake-up",
      "idle-P list",
      "P retake against runtime entry",
      "syscall exit",
      "`chan`",
      "`select`, its lock order",
      "the runtime's lock",
      "`mutex`",
      "`rw_mutex`",
      "semaphore",
      "`pool`",
      "epoch reclamation",
      "`sync_map`",
      "timers' state",
      "netpoll's descriptor state",
      "guests' futex parking",
      "heap: caches, central",
  };
  static_assert(sizeof names / sizeof *names == static_cast<size_t>(part::count_));
  return names[static_cast<size_t>(which)];
}

struct row {
  part of;
  std::string name;
  size_t mutants;
  std::string exhaustive;
  uint64_t random;
};

std::vector<row>& rows() {
  static std::vector<row> all;
  return all;
}

/// Rows by component; those of one stand in the order in which the tests ran.
std::string make_table() {
  std::ostringstream out;
  out << head;
  size_t mutants = 0;
  for (size_t i = 0; i < static_cast<size_t>(part::count_); ++i) {
    const char* component = name_of(static_cast<part>(i));
    for (const row& r : rows()) {
      if (r.of != static_cast<part>(i)) continue;
      out << "| " << component << " | " << r.name << " | " << r.mutants << " | " << r.exhaustive
          << " | " << r.random << " |\n";
      component = "";
      mutants += r.mutants;
    }
  }
  out << "| all | " << rows().size() << " | " << mutants << " | | |\n";
  return out.str();
}

void check_counts() {
  size_t of_part[static_cast<size_t>(part::count_)] = {};
  for (const row& r : rows()) {
    of_part[static_cast<size_t>(r.of)] += r.mutants;
    EXPECT_NE(r.of, part::none) << r.name << ": which component is it of?";
    EXPECT_GE(r.mutants, mutants_min) << r.name;
  }
  for (size_t i = 1; i < static_cast<size_t>(part::count_); ++i)
    EXPECT_GE(of_part[i], mutants_min) << name_of(static_cast<part>(i));
}

/// The file with the table in it replaced; empty: there is none.
std::string with_table(const std::string& file, const std::string& table) {
  const size_t from = file.find(head);
  if (from == std::string::npos) return {};
  size_t to = from;
  while (to < file.size() && file[to] == '|') to = file.find('\n', to) + 1;
  return file.substr(0, from) + table + file.substr(to);
}

class at_end : public ::testing::Environment {
 public:
  void TearDown() override {
    if (!catalogue_only()) return;
    check_counts();
    std::stringstream file;
    file << std::ifstream(path).rdbuf();
    const std::string wanted = with_table(file.str(), make_table());
    ASSERT_FALSE(wanted.empty()) << path << " has no table";
    if (std::strcmp(std::getenv("WEFT_MODEL_TABLE"), "write") == 0)
      std::ofstream(path) << wanted;
    else
      EXPECT_TRUE(wanted == file.str())
          << path << " is stale: WEFT_MODEL_TABLE=write weft_model_test";
  }
};
const auto* const registered = ::testing::AddGlobalTestEnvironment(new at_end);

}  // namespace

bool catalogue_only() { return std::getenv("WEFT_MODEL_TABLE") != nullptr; }

void catalogue(const scenario& of, size_t mutants) {
  std::string exhaustive = "its first " + std::to_string(of.exhaustive);
  if (of.all_seen) {
    exhaustive = "all: " + std::to_string(of.preemptions) + " preemptions, " +
                 std::to_string(of.stale_loads) + " old values";
  }
  rows().push_back({of.of, of.name, mutants, exhaustive, of.random});
}

}  // namespace model
