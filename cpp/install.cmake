# Headers, archive and CMake package, as the component `library`. Nothing installed names a folder of this machine.

include(CMakePackageConfigHelpers)
include(GNUInstallDirs)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/lpr_fast)

install(DIRECTORY include/lpr_fast DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT library
        FILES_MATCHING PATTERN "*.hpp" PATTERN "*.h" PATTERN "*.f90")
set_target_properties(lpr_fast_soap PROPERTIES EXPORT_NAME soap)
install(TARGETS lpr_fast lpr_fast_soap EXPORT lpr_fast ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library
        INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT lpr_fast NAMESPACE lpr_fast:: FILE lpr_fast-targets.cmake DESTINATION ${package_dir} COMPONENT library)

configure_package_config_file(lpr_fast-config.cmake.in lpr_fast-config.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(lpr_fast-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/lpr_fast-config.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/lpr_fast-config-version.cmake
        DESTINATION ${package_dir} COMPONENT library)
