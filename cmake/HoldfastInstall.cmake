# SPDX-License-Identifier: Apache-2.0
install(DIRECTORY include/holdfast DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY conf.d/ DESTINATION ${CMAKE_INSTALL_DATADIR}/holdfast/conf.d FILES_MATCHING PATTERN "*.ini")
configure_file(cmake/holdfast.pc.in holdfast.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/holdfast.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
