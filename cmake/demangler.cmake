# SPDX-License-Identifier: Apache-2.0
# weft_demangler(TARGET): adds the tool chain's C++ demangler in its callback form, which needs no
# heap and so works in a crash report. libstdc++.so does not export it; libsupc++.a has it. It is
# taken out of there and renamed, so that it stands beside the shared library's __cxa_demangle.
include_guard(GLOBAL)

function(weft_demangler target)
  execute_process(COMMAND ${CMAKE_CXX_COMPILER} -print-file-name=libsupc++.a
    OUTPUT_VARIABLE archive OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(NOT IS_ABSOLUTE "${archive}" OR NOT CMAKE_OBJCOPY)
    message(STATUS "weft: no libsupc++.a or objcopy: crash reports show mangled names")
    return()
  endif()
  set(object ${CMAKE_CURRENT_BINARY_DIR}/weft_demangler.o)
  add_custom_command(OUTPUT ${object}
    COMMAND ${CMAKE_AR} x ${archive} cp-demangle.o
    COMMAND ${CMAKE_OBJCOPY}
      --redefine-sym __gcclibcxx_demangle_callback=weft_demangle_callback
      --redefine-sym __cxa_demangle=weft_demangle_unused
      cp-demangle.o ${object}
    DEPENDS ${archive}
    WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}
    VERBATIM)
  set_source_files_properties(${object} PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
  target_sources(${target} PRIVATE ${object})
  target_compile_definitions(${target} PRIVATE WEFT_DEMANGLER=1)
endfunction()
