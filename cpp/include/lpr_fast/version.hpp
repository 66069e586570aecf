#pragma once

// The version, for the preprocessor and for CMake, which reads this file. Versions that differ only in the last number
// have the same interface.
#define LPR_FAST_VERSION_MAJOR 0
#define LPR_FAST_VERSION_MINOR 2
#define LPR_FAST_VERSION_PATCH 0
#define LPR_FAST_VERSION "0.2.0"
