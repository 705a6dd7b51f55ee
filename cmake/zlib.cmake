# SPDX-License-Identifier: Apache-2.0
# WEFT_ZLIB: -lz, or nothing where the target has no zlib (cross builds); then profiles are gzip
# files in stored blocks. weft_zlib(TARGET) adds the source file that fits.
include_guard(GLOBAL)

find_path(WEFT_ZLIB_HEADER zlib.h)
find_library(WEFT_ZLIB_LIBRARY z)
mark_as_advanced(WEFT_ZLIB_HEADER WEFT_ZLIB_LIBRARY)
set(WEFT_ZLIB)
if(WEFT_ZLIB_HEADER AND WEFT_ZLIB_LIBRARY AND NOT CMAKE_CROSSCOMPILING)
  set(WEFT_ZLIB -lz)
endif()

function(weft_zlib target)
  if(WEFT_ZLIB)
    target_sources(${target} PRIVATE weft/observe/zlib/gzip.cpp)
  else()
    target_sources(${target} PRIVATE weft/observe/zlib/gzip_stored.cpp)
  endif()
endfunction()
