#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "lpr_fast/view.hpp"

namespace lpr_fast {

enum class NumberType { f64, i64, u8 };

/// An array within a model file, row-major and little-endian, at any address.
struct FileArray {
    NumberType type;
    Index rows;  ///< one for vectors and scalars
    Index cols;
    int n_extents;  ///< 0, 1 or 2
    const std::uint8_t* bytes;
};

/// Named arrays and one text. The arrays are parts of the content that was given.
struct ModelFile {
    std::map<std::string, FileArray> arrays;
    std::string text;
};

/// What a model file holds: the layout is safetensors, and the header holds a SHA-256 of the rest (see docs/design.md).
/// @param name  what error messages call it
/// @throws InvalidInput  for content that is no model file, is truncated or changed, or comes from a newer version
ModelFile read_model_file(const std::uint8_t* bytes, std::size_t n_bytes, const std::string& name);

}  // namespace lpr_fast
