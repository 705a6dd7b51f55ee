# SPDX-License-Identifier: Apache-2.0
# weft_test(NAME SOURCES file... LIBS target... [LABELS label...] [TIMEOUT s] [SHARDS n]): one
# GoogleTest program weft_NAME_test and its entry (entries, when sharded) in ctest. A program that
# another kind of test needs is a plain add_executable() that links what it wants.
include_guard(GLOBAL)

set(WEFT_TEST_TIMEOUT 120 CACHE STRING "Seconds a test program may take; sanitizers want more")

# An instrumented or cross-compiled program needs a GoogleTest built the same way.
set(WEFT_GTEST_SOURCE /usr/src/googletest CACHE PATH "GoogleTest's sources (Debian: googletest)")
if(NOT WEFT_SANITIZE AND NOT CMAKE_CROSSCOMPILING)
  find_package(GTest QUIET)
endif()
if(NOT TARGET GTest::gtest_main)
  if(NOT EXISTS ${WEFT_GTEST_SOURCE}/CMakeLists.txt)
    message(FATAL_ERROR "weft: no GoogleTest (Debian: libgtest-dev, and googletest for sanitizer "
                        "and cross builds); or configure with -DWEFT_TESTS=OFF")
  endif()
  set(BUILD_GMOCK OFF)
  set(INSTALL_GTEST OFF)
  add_subdirectory(${WEFT_GTEST_SOURCE} ${PROJECT_BINARY_DIR}/googletest EXCLUDE_FROM_ALL SYSTEM)
  target_link_libraries(gtest PRIVATE weft_options)
endif()

function(weft_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT;SHARDS" "SOURCES;LIBS;LABELS")
  add_executable(weft_${name}_test ${arg_SOURCES})
  target_link_libraries(weft_${name}_test PRIVATE ${arg_LIBS} weft_warnings GTest::gtest_main)
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT ${WEFT_TEST_TIMEOUT})
  endif()
  if(NOT arg_SHARDS)
    set(arg_SHARDS 1)
  endif()
  math(EXPR last "${arg_SHARDS} - 1")
  foreach(shard RANGE ${last})
    set(entry ${name})
    set(environment "")
    if(arg_SHARDS GREATER 1)
      set(entry ${name}.${shard})
      set(environment GTEST_TOTAL_SHARDS=${arg_SHARDS} GTEST_SHARD_INDEX=${shard})
    endif()
    add_test(NAME ${entry} COMMAND weft_${name}_test)
    set_tests_properties(${entry} PROPERTIES
      TIMEOUT ${arg_TIMEOUT} LABELS "${arg_LABELS}" ENVIRONMENT "${environment}")
  endforeach()
endfunction()
