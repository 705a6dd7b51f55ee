# SPDX-License-Identifier: Apache-2.0
# How everything is compiled: the language, the flags users share, our own warnings, the tools.
include_guard(GLOBAL)

set(WEFT_SANITIZE "" CACHE STRING "Sanitizers: empty, address (with undefined), thread")
set_property(CACHE WEFT_SANITIZE PROPERTY STRINGS "" address thread)
if(CMAKE_BUILD_TYPE STREQUAL "Debug")
  set(debug_build_default ON)
else()
  set(debug_build_default OFF)
endif()
option(WEFT_DEBUG_BUILD "Slow self-checks: lock ranks, WEFT_CHECK_SLOW" ${debug_build_default})
unset(debug_build_default)

if(PROJECT_IS_TOP_LEVEL AND NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Build type" FORCE)
endif()

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)

if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$")
  set(WEFT_ARCH x86_64)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
  set(WEFT_ARCH aarch64)
else()
  message(FATAL_ERROR "weft: no port for ${CMAKE_SYSTEM_PROCESSOR}; see docs/guide/porting.md")
endif()

find_package(Threads REQUIRED)

# --- weft_options: what users of the library need too --------------------------------------------
add_library(weft_options INTERFACE)
add_library(weft::options ALIAS weft_options)
set_target_properties(weft_options PROPERTIES EXPORT_NAME options)
target_compile_features(weft_options INTERFACE cxx_std_23)
# Frame pointers, in leaf functions too: profiles and reports walk user frames by them when a frame
# has no row in the unwind table, and the switch finds its locals through them.
set(WEFT_PUBLIC_FLAGS -fno-omit-frame-pointer -mno-omit-leaf-frame-pointer)
target_compile_options(weft_options INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:${WEFT_PUBLIC_FLAGS}>")
target_link_libraries(weft_options INTERFACE Threads::Threads)
if(WEFT_DEBUG_BUILD)
  # Public, because WEFT_CHECK_SLOW stands in headers: one program, one meaning.
  target_compile_definitions(weft_options INTERFACE WEFT_DEBUG_BUILD=1)
endif()
if(WEFT_SANITIZE STREQUAL "address")
  target_compile_options(weft_options INTERFACE
    -fsanitize=address,undefined -fno-sanitize-recover=all)
  target_link_options(weft_options INTERFACE -fsanitize=address,undefined)
elseif(WEFT_SANITIZE STREQUAL "thread")
  # Users' code and tests are instrumented, the runtime is not: cmake/weft_layer.cmake.
  target_compile_definitions(weft_options INTERFACE WEFT_TSAN=1)
  target_compile_options(weft_options INTERFACE
    $<$<NOT:$<BOOL:$<TARGET_PROPERTY:WEFT_UNINSTRUMENTED>>>:-fsanitize=thread>)
  target_link_options(weft_options INTERFACE -fsanitize=thread)
elseif(WEFT_SANITIZE)
  message(FATAL_ERROR "WEFT_SANITIZE=\"${WEFT_SANITIZE}\": must be empty, address or thread")
endif()

# --- weft_warnings: what Weft's own code is built with ------------------------------------------
add_library(weft_warnings INTERFACE)
target_compile_options(weft_warnings INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Werror>
  $<$<COMPILE_LANG_AND_ID:CXX,Clang>:-Wthread-safety>
  # g++ 12 at -O3 sees overlaps in std::string's own operator+ (GCC bug 105651).
  $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-restrict>
  # Tests of internals include fences, which ThreadSanitizer does not see; they do not rely on them.
  $<$<AND:$<COMPILE_LANG_AND_ID:CXX,GNU>,$<STREQUAL:${WEFT_SANITIZE},thread>>:-Wno-tsan>)

# --- libbacktrace: the copy that gcc carries (docs/adr/0003) -------------------------------------
# Both compilers search gcc's own directory for libraries, so -lbacktrace links. The header stands
# beside gcc's intrinsics, which clang must not see first: hence -idirafter.
execute_process(COMMAND ${CMAKE_CXX_COMPILER} -print-file-name=libbacktrace.a
                OUTPUT_VARIABLE backtrace_library OUTPUT_STRIP_TRAILING_WHITESPACE)
cmake_path(GET backtrace_library PARENT_PATH backtrace_dir)
cmake_path(ABSOLUTE_PATH backtrace_dir NORMALIZE)
if(NOT EXISTS ${backtrace_library} OR NOT EXISTS ${backtrace_dir}/include/backtrace.h)
  message(FATAL_ERROR "weft: ${CMAKE_CXX_COMPILER} has no libbacktrace (Debian: libgcc-12-dev)")
endif()
target_compile_options(weft_warnings INTERFACE
  $<$<COMPILE_LANG_AND_ID:CXX,Clang>:SHELL:-idirafter ${backtrace_dir}/include>)

# --- the developer's tools -----------------------------------------------------------------------
if(PROJECT_IS_TOP_LEVEL)
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
  find_program(WEFT_CCACHE ccache)
  if(WEFT_CCACHE AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${WEFT_CCACHE})
    set(CMAKE_C_COMPILER_LAUNCHER ${WEFT_CCACHE})
  endif()
  find_program(WEFT_MOLD mold)
  if(WEFT_MOLD AND NOT CMAKE_CROSSCOMPILING)
    add_link_options(-fuse-ld=mold)
  endif()
endif()
