// SPDX-License-Identifier: Apache-2.0
// The CPU quota of fake cgroup trees, and the affinity mask.
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "weft/base/os/os.hpp"

namespace weft::rt::os {
namespace {

/// A directory that stands for /sys/fs/cgroup.
class fake_cgroup : public ::testing::Test {
 protected:
  fake_cgroup() {
    char path[] = "/tmp/weft-cgroup-XXXXXX";
    root_ = ::mkdtemp(path);
  }
  ~fake_cgroup() override { std::filesystem::remove_all(root_); }
  void write(const std::string& file, const std::string& text) {
    std::filesystem::path path = root_ + file;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  void quota_v1(const std::string& group, const std::string& quota) {
    write(group + "/cpu.cfs_quota_us", quota + "\n");
    write(group + "/cpu.cfs_period_us", "100000\n");
  }
  int procs(const char* self) { return cgroup_procs(root_.c_str(), self); }

 private:
  std::string root_;
};

TEST_F(fake_cgroup, NoFilesNoLimit) {
  EXPECT_EQ(procs(""), 0);
  EXPECT_EQ(procs("0::/"), 0);
  EXPECT_EQ(procs("0::/user.slice/session.scope\n"), 0);
}

TEST_F(fake_cgroup, V2MaxIsNoLimit) {
  write("/a/cpu.max", "max 100000\n");
  EXPECT_EQ(procs("0::/a\n"), 0);
}

TEST_F(fake_cgroup, V2QuotaIsRoundedUp) {
  write("/a/cpu.max", "250000 100000\n");
  EXPECT_EQ(procs("0::/a\n"), 3);
  write("/a/cpu.max", "300000 100000\n");
  EXPECT_EQ(procs("0::/a\n"), 3);
  write("/a/cpu.max", "300001 100000\n");
  EXPECT_EQ(procs("0::/a\n"), 4);
}

TEST_F(fake_cgroup, NeverBelowTwo) {
  write("/a/cpu.max", "10000 100000\n");
  EXPECT_EQ(procs("0::/a\n"), 2);
}

TEST_F(fake_cgroup, SmallestOnTheWayUpCounts) {
  write("/a/cpu.max", "400000 100000\n");
  write("/a/b/cpu.max", "max 100000\n");
  write("/a/b/c/cpu.max", "800000 100000\n");
  EXPECT_EQ(procs("0::/a/b/c\n"), 4);
  write("/cpu.max", "300000 100000\n");  // the root of a container's namespace
  EXPECT_EQ(procs("0::/a/b/c\n"), 3);
  EXPECT_EQ(procs("0::/\n"), 3);
}

TEST_F(fake_cgroup, SiblingsDoNotCount) {
  write("/ab/cpu.max", "300000 100000\n");
  EXPECT_EQ(procs("0::/a\n"), 0);
  EXPECT_EQ(procs("0::/abc\n"), 0);
}

TEST_F(fake_cgroup, PathOutsideTheNamespaceUsesTheRoot) {
  write("/cpu.max", "500000 100000\n");
  EXPECT_EQ(procs("0::/../../elsewhere\n"), 5);
}

TEST_F(fake_cgroup, NonsenseIsNoLimit) {
  for (const char* text : {"", "max", "5", "x y", "100000 0", "-1 100000", "0 100000",
                           "99999999999999999999 1"}) {
    write("/a/cpu.max", text);
    EXPECT_EQ(procs("0::/a\n"), 0) << text;
  }
  EXPECT_EQ(procs("no colons\n1:one\n"), 0);
}

TEST_F(fake_cgroup, V1QuotaOfTheCpuController) {
  quota_v1("/cpu/docker/x", "350000");
  quota_v1("/cpu/docker", "-1");
  EXPECT_EQ(procs("7:memory:/docker/x\n4:cpuset,cpu,cpuacct:/docker/x\n0::/other\n"), 4);
  EXPECT_EQ(procs("4:cpuset:/docker/x\n"), 0);
}

TEST_F(fake_cgroup, V1MountedUnderAllControllers) {
  quota_v1("/cpu,cpuacct/s", "600000");
  EXPECT_EQ(procs("4:cpu,cpuacct:/s\n"), 6);
}

TEST_F(fake_cgroup, V1InAContainerOnlyTheMountIsThere) {
  quota_v1("/cpu", "700000");
  EXPECT_EQ(procs("4:cpu,cpuacct:/docker/0123abcd\n"), 7);
}

TEST(DefaultProcs, NeverAboveTheAffinityMask) {
  int all = default_procs();
  EXPECT_GE(all, 1);
  int pinned = 0;
  std::thread([&] {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<size_t>(::sched_getcpu()), &one);
    if (::sched_setaffinity(0, sizeof(one), &one) == 0) pinned = default_procs();
  }).join();
  EXPECT_EQ(pinned, 1);
}

}  // namespace
}  // namespace weft::rt::os
