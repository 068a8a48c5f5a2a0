# SPDX-License-Identifier: Apache-2.0

# Warnings, each for a reason: -Wshadow and -Wconversion find real mistakes in code that counts bytes;
# -Wstrict-prototypes and -Wmissing-prototypes keep headers and code in step; -Wvla keeps stacks bounded.
add_library(holdfast_flags INTERFACE)
target_compile_definitions(holdfast_flags INTERFACE _GNU_SOURCE _FILE_OFFSET_BITS=64)
target_compile_options(holdfast_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes -Wmissing-prototypes -Wvla
  -Wundef -Wwrite-strings -fstack-protector-strong
  $<$<BOOL:${HOLDFAST_WERROR}>:-Werror>)

# The public headers; all that a plugin may include besides its own library.
add_library(holdfast_abi INTERFACE)
target_include_directories(holdfast_abi INTERFACE ${PROJECT_SOURCE_DIR}/include)

# holdfast_plugin(KIND NAME SOURCES file… [LIBS target…] [COMPONENT of-the-installation])
# A module KIND-NAME.so in the build's plugin folder, and its code as a static library `KIND_NAME_code` for unit tests.
function(holdfast_plugin kind name)
  cmake_parse_arguments(ARG "" "COMPONENT" "SOURCES;LIBS" ${ARGN})
  if(NOT ARG_COMPONENT)
    set(ARG_COMPONENT Unspecified) # CMake's own name for none
  endif()
  set(code ${kind}_${name}_code)
  set(module ${kind}_${name})
  add_library(${code} STATIC ${ARG_SOURCES})
  target_include_directories(${code} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(${code} PRIVATE holdfast_flags PUBLIC holdfast_abi ${ARG_LIBS})
  add_library(${module} MODULE $<TARGET_OBJECTS:${code}>)
  target_link_libraries(${module} PRIVATE holdfast_abi ${ARG_LIBS})
  set_target_properties(${module} PROPERTIES
    PREFIX "" OUTPUT_NAME ${kind}-${name} LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/plugins)
  set_property(GLOBAL APPEND PROPERTY HOLDFAST_MODULES ${module})
  install(TARGETS ${module} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/holdfast/plugins
    COMPONENT ${ARG_COMPONENT})
endfunction()
