# SPDX-License-Identifier: Apache-2.0
# weft_layer(NAME [EXTRA] [USES layer...] [DOORS internal/x.hpp...] [LINKS item...]): one folder,
# one static library, one header set, one test program. USES may name only layers declared before,
# so a cycle cannot be written. DOORS are the internal headers that other layers may include; see
# scripts/layer_check.py, which reads the same declarations. LINKS are for the linker only.
# EXTRA: not a part of weft::weft, since it brings libraries that not every program wants: linked by
# name (weft::http). It is ordinary code upon the runtime, so ThreadSanitizer sees it.
include_guard(GLOBAL)

# Each header compiles alone: CMake makes a translation unit of each, built by the test `headers`.
set(CMAKE_VERIFY_INTERFACE_HEADER_SETS ${WEFT_TESTS})

function(weft_layer name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "EXTRA" "" "USES;DOORS;LINKS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "layer ${name}: unknown arguments: ${arg_UNPARSED_ARGUMENTS}")
  endif()
  set(dir ${PROJECT_SOURCE_DIR}/weft/${name})
  foreach(used IN LISTS arg_USES)
    if(NOT TARGET weft_${used})
      message(FATAL_ERROR "layer ${name} uses ${used}, which is not declared above it")
    endif()
  endforeach()

  file(GLOB sources CONFIGURE_DEPENDS
       ${dir}/*.cpp ${dir}/os/linux/*.cpp ${dir}/arch/${WEFT_ARCH}/*.cpp)
  file(GLOB assembly CONFIGURE_DEPENDS ${dir}/arch/${WEFT_ARCH}/*.S)
  file(GLOB headers CONFIGURE_DEPENDS
       ${dir}/*.hpp ${dir}/internal/*.hpp ${dir}/os/*.hpp ${dir}/arch/*.hpp
       ${dir}/arch/${WEFT_ARCH}/*.hpp)
  set(tests ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  list(FILTER sources EXCLUDE REGEX "_(test|bench|fuzz|model)\\.cpp$")
  list(FILTER headers EXCLUDE REGEX "_test(ing)?\\.hpp$")
  if(NOT sources)
    file(CONFIGURE OUTPUT empty.cpp CONTENT "" @ONLY)
    set(sources ${CMAKE_CURRENT_BINARY_DIR}/empty.cpp)
  endif()

  add_library(weft_${name} STATIC ${sources} ${assembly})
  add_library(weft::${name} ALIAS weft_${name})
  set_target_properties(weft_${name} PROPERTIES EXPORT_NAME ${name})
  target_sources(weft_${name} PUBLIC
    FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR} FILES ${headers})
  list(TRANSFORM arg_USES PREPEND weft_ OUTPUT_VARIABLE used_targets)
  target_link_libraries(weft_${name}
    PUBLIC weft_options ${used_targets}
    PRIVATE $<BUILD_INTERFACE:weft_warnings> ${arg_LINKS})
  if(arg_EXTRA)
    set_property(GLOBAL APPEND PROPERTY WEFT_EXTRA_LAYERS ${name})
    set_property(TARGET weft_${name} PROPERTY WEFT_PC_USES ${arg_USES})
    set_property(TARGET weft_${name} PROPERTY WEFT_PC_LINKS ${arg_LINKS})
  else()
    set_property(GLOBAL APPEND PROPERTY WEFT_LAYERS ${name})
  endif()
  if(WEFT_SANITIZE STREQUAL "thread" AND NOT arg_EXTRA)
    set_target_properties(weft_${name} PROPERTIES WEFT_UNINSTRUMENTED ON)
    set(isolate ${PROJECT_SOURCE_DIR}/cmake/isolate)
    set_property(TARGET weft_${name} APPEND PROPERTY LINK_DEPENDS ${isolate})
    add_custom_command(TARGET weft_${name} POST_BUILD
      COMMAND ${isolate} $<TARGET_FILE:weft_${name}>
              ${CMAKE_CXX_COMPILER} ${CMAKE_AR} ${CMAKE_NM} ${CMAKE_OBJCOPY}
      VERBATIM)
  endif()

  if(WEFT_TESTS AND tests)
    weft_test(${name} SOURCES ${tests} LIBS weft_${name})
  endif()
endfunction()

# weft_umbrella(HEADER): weft::weft, all layers but the extra ones, with the header that includes
# them all.
function(weft_umbrella header)
  get_property(layers GLOBAL PROPERTY WEFT_LAYERS)
  list(REVERSE layers)
  list(TRANSFORM layers PREPEND weft_)
  add_library(weft INTERFACE)
  add_library(weft::weft ALIAS weft)
  target_sources(weft INTERFACE
    FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR} FILES ${PROJECT_SOURCE_DIR}/${header})
  target_link_libraries(weft INTERFACE ${layers})
endfunction()
