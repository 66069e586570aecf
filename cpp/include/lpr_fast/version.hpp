#pragma once

// The version, for the preprocessor; CMake reads it here. Versions that differ only in the last number work with the
// same code.
#define LPR_FAST_VERSION_MAJOR 0
#define LPR_FAST_VERSION_MINOR 2
#define LPR_FAST_VERSION_PATCH 0
#define LPR_FAST_VERSION "0.2.0"
