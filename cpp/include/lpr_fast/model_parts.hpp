#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "lpr_fast/view.hpp"

namespace lpr_fast {

enum class NumberType { f64, i64, u8 };

/// An array that somebody else owns, row-major and little-endian, at any address.
struct ModelArray {
    NumberType type;
    Index rows;  ///< one for vectors and scalars
    Index cols;
    int n_extents;  ///< 0, 1 or 2
    const std::uint8_t* bytes;
};

using ModelArrays = std::map<std::string, ModelArray>;

/// What a model file is made of: named arrays and a JSON text (docs/reference/model_file.md says which).
struct ModelParts {
    ModelArrays arrays{};
    std::string text{};
    int version = 2;  ///< of the file's format
};

/// The parts of a file's content, of which the arrays are views. Nothing is said of whether they make a model.
/// @param name  what error messages call it
/// @throws InvalidInput  for content that is no model file, is truncated or changed, or comes from a newer version
ModelParts read_model_parts(const std::uint8_t* bytes, std::size_t n_bytes, const std::string& name);

}  // namespace lpr_fast
