# SPDX-License-Identifier: Apache-2.0
# weft::malloc: a library that replaces the allocation functions of the program that links it; and
# libweft_malloc.so, the same for LD_PRELOAD, which needs nothing but the C library.
include_guard(GLOBAL)

if(WEFT_SANITIZE)
  return()  # the sanitizers replace the same functions
endif()

set(weft_malloc_source ${PROJECT_SOURCE_DIR}/weft/heap/malloc/malloc.cpp)
add_library(weft_malloc STATIC ${weft_malloc_source})
add_library(weft::malloc ALIAS weft_malloc)
set_target_properties(weft_malloc PROPERTIES EXPORT_NAME malloc)
target_link_libraries(weft_malloc PUBLIC weft_heap PRIVATE $<BUILD_INTERFACE:weft_warnings>)
# Also for a program that allocates only through shared libraries.
target_link_options(weft_malloc INTERFACE LINKER:-u,malloc LINKER:-u,_Znwm)

add_library(weft_malloc_preload SHARED ${weft_malloc_source})
set_target_properties(weft_malloc_preload PROPERTIES OUTPUT_NAME weft_malloc)
target_link_libraries(weft_malloc_preload PRIVATE weft_heap weft_warnings)
target_link_options(weft_malloc_preload PRIVATE
  -static-libstdc++ -static-libgcc LINKER:--exclude-libs,ALL LINKER:-z,defs)
# A compiler may take malloc and memset for a call of calloc: here, for endless recursion.
foreach(target IN ITEMS weft_malloc weft_malloc_preload)
  target_compile_options(${target} PRIVATE -fno-builtin-malloc -fno-builtin-calloc)
endforeach()
