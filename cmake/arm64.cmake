# SPDX-License-Identifier: Apache-2.0
# Toolchain: AArch64 with Debian's cross compiler; programs run under user-mode QEMU.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
# -R: 64 GiB of address space. QEMU keeps a record of every mapped page, and gigabytes of them for
# stack reservations of full size; less would not hold the largest stacks.
set(CMAKE_CROSSCOMPILING_EMULATOR
    qemu-aarch64 -R 0x1000000000 -L /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
