# SPDX-License-Identifier: Apache-2.0
"""Builds the consumer of tests/install against the package and runs it."""
import os

from conan import ConanFile
from conan.tools.build import can_run
from conan.tools.cmake import CMake, CMakeToolchain, cmake_layout


class WeftTestConan(ConanFile):
    settings = "os", "arch", "compiler", "build_type"

    def requirements(self):
        self.requires(self.tested_reference_str)

    def layout(self):
        cmake_layout(self)

    def generate(self):
        toolchain = CMakeToolchain(self)
        # With cmake_find_mode "none" Conan writes no file of its own: CMake looks in the package.
        toolchain.cache_variables["CMAKE_PREFIX_PATH"] = self.dependencies["weft"].package_folder
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def test(self):
        if can_run(self):
            self.run(os.path.join(self.cpp.build.bindir, "squares"), env="conanrun")
