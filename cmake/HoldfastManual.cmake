# SPDX-License-Identifier: Apache-2.0

# The manual page and the shell completion come out of the program that was just built, with the plugins that were just
# built, so that they cannot say anything else.
get_property(holdfast_modules GLOBAL PROPERTY HOLDFAST_MODULES)
set(holdfast_run ${CMAKE_COMMAND} -E env HOLDFAST_PLUGIN_PATH=${CMAKE_BINARY_DIR}/plugins
    HOLDFAST_CONFIG=/nonexistent ASAN_OPTIONS=detect_leaks=0 $<TARGET_FILE:holdfast> help)
add_custom_command(
  OUTPUT ${CMAKE_BINARY_DIR}/docs/man/holdfast.1 ${CMAKE_BINARY_DIR}/docs/completion/holdfast
  COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/docs/man ${CMAKE_BINARY_DIR}/docs/completion
  COMMAND ${holdfast_run} --man > ${CMAKE_BINARY_DIR}/docs/man/holdfast.1
  COMMAND ${holdfast_run} --completion bash > ${CMAKE_BINARY_DIR}/docs/completion/holdfast
  DEPENDS holdfast ${holdfast_modules}
  COMMENT "Writing the manual page and the shell completion"
  VERBATIM)
add_custom_target(holdfast_manual ALL
  DEPENDS ${CMAKE_BINARY_DIR}/docs/man/holdfast.1 ${CMAKE_BINARY_DIR}/docs/completion/holdfast)

install(FILES ${CMAKE_BINARY_DIR}/docs/man/holdfast.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${CMAKE_BINARY_DIR}/docs/completion/holdfast
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES docs/guide.md docs/plugins.md DESTINATION ${CMAKE_INSTALL_DOCDIR})

if(HOLDFAST_TESTS)
  find_package(Python3 COMPONENTS Interpreter)
  if(Python3_FOUND)
    add_test(NAME docs/manual
      COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tests/docs/manual.py
              $<TARGET_FILE:holdfast> ${CMAKE_BINARY_DIR}/plugins ${CMAKE_BINARY_DIR}/docs/man/holdfast.1)
    add_test(NAME docs/guide
      COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tests/docs/guide.py
              $<TARGET_FILE:holdfast> ${CMAKE_BINARY_DIR}/plugins ${PROJECT_SOURCE_DIR})
    set_tests_properties(docs/guide PROPERTIES SKIP_RETURN_CODE 77)
  endif()
endif()
