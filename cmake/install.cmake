include(CMakePackageConfigHelpers)

set(config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/Fovea)
install(TARGETS libfovea EXPORT FoveaTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY src/fovea DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h"
  PATTERN "*-inl.h" EXCLUDE)
install(EXPORT FoveaTargets NAMESPACE Fovea:: DESTINATION ${config_dir})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/FoveaConfigVersion.cmake COMPATIBILITY SameMinorVersion)
configure_package_config_file(cmake/FoveaConfig.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/FoveaConfig.cmake
  INSTALL_DESTINATION ${config_dir})
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/FoveaConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/FoveaConfigVersion.cmake
  DESTINATION ${config_dir})
install(FILES cmake/dependencies.cmake DESTINATION ${config_dir})
