# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` puts down: libraries, headers, the CMake package and weft.pc.
# Internal headers go along, since templates in public ones use them; they stay under internal/.
include_guard(GLOBAL)
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

get_property(layers GLOBAL PROPERTY WEFT_LAYERS)
list(TRANSFORM layers PREPEND weft_ OUTPUT_VARIABLE layer_targets)
get_property(extra_layers GLOBAL PROPERTY WEFT_EXTRA_LAYERS)
list(TRANSFORM extra_layers PREPEND weft_ OUTPUT_VARIABLE extra_targets)
install(TARGETS weft ${layer_targets} ${extra_targets} weft_options EXPORT weft
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
        FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
if(TARGET weft_malloc)
  install(TARGETS weft_malloc EXPORT weft ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  # Not where the linker looks: it is named in LD_PRELOAD, and -lweft_malloc is the static one.
  set(preload_dir ${CMAKE_INSTALL_LIBDIR}/weft)
  install(TARGETS weft_malloc_preload LIBRARY DESTINATION ${preload_dir})
  if(CMAKE_STRIP)
    install(CODE "execute_process(COMMAND ${CMAKE_STRIP} --strip-unneeded \
\"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${preload_dir}/libweft_malloc.so\" \
COMMAND_ERROR_IS_FATAL ANY)")
  endif()
endif()

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/weft)
install(EXPORT weft NAMESPACE weft:: FILE weftTargets.cmake DESTINATION ${package_dir})
configure_package_config_file(cmake/weftConfig.cmake.in weftConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
# Before 1.0 every minor version may change the interface.
write_basic_package_version_file(weftConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/weftConfig.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/weftConfigVersion.cmake
        DESTINATION ${package_dir})

# For gdb on core files and on programs whose own copy of it gdb does not trust.
install(FILES weft/sched/gdb/weft_gdb.py DESTINATION ${CMAKE_INSTALL_DATADIR}/weft/gdb)

# pkg-config: the layers refer to each other both ways (a stack's first instruction in base calls
# into sched), so the linker sees them as one group.
list(REVERSE layers)
list(TRANSFORM layers REPLACE "(.+)" "-lweft_\\1" OUTPUT_VARIABLE layer_flags)
list(JOIN layer_flags " " WEFT_PC_LAYERS)
set(public_flags ${WEFT_PUBLIC_FLAGS})
if(WEFT_DEBUG_BUILD)
  list(APPEND public_flags -DWEFT_DEBUG_BUILD=1)
endif()
if(WEFT_SANITIZE STREQUAL "address")
  set(WEFT_PC_SANITIZE -fsanitize=address,undefined)
elseif(WEFT_SANITIZE STREQUAL "thread")
  set(WEFT_PC_SANITIZE "-fsanitize=thread -DWEFT_TSAN=1")
endif()
list(JOIN public_flags " " WEFT_PC_FLAGS)
file(RELATIVE_PATH WEFT_PC_UP /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
configure_file(cmake/weft.pc.in weft.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/weft.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# weft-http.pc and so on: what weft.pc leaves out. Each requires weft and the extra layers it uses.
foreach(extra IN LISTS extra_layers)
  get_target_property(uses weft_${extra} WEFT_PC_USES)
  get_target_property(links weft_${extra} WEFT_PC_LINKS)
  set(WEFT_PC_NAME ${extra})
  set(required weft)
  foreach(used IN LISTS uses)
    if(used IN_LIST extra_layers)
      list(APPEND required weft-${used})
    endif()
  endforeach()
  list(JOIN required ", " WEFT_PC_REQUIRES)
  list(JOIN links " " WEFT_PC_EXTRA_LINKS)
  configure_file(cmake/weft_extra.pc.in weft-${extra}.pc @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/weft-${extra}.pc
          DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()
