# Component soap of the package lpr_fast.

find_package(metatensor QUIET CONFIG PATH_SUFFIXES metatensor/lib/cmake/metatensor)
find_package(featomic QUIET CONFIG PATH_SUFFIXES featomic/lib/cmake/featomic)
if(TARGET featomic::shared AND TARGET metatensor::shared)
  include("${CMAKE_CURRENT_LIST_DIR}/lpr_fast-soap-targets.cmake")
  set(lpr_fast_soap_FOUND TRUE)
else()
  set(lpr_fast_NOT_FOUND_MESSAGE "lpr_fast::soap needs featomic and metatensor: pip install featomic, and add that \
site-packages folder to CMAKE_PREFIX_PATH.")
endif()
