#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "lpr_fast/view.hpp"

namespace lpr_fast {

/// Types of numbers in a model file.
enum class NumberType { f64, i64, u8 };

/// An array that the caller owns, row-major and little-endian. It need not be aligned.
struct ModelArray {
    NumberType type;
    Index rows;  ///< 1 for vectors and scalars
    Index cols;
    int n_extents;  ///< 0, 1 or 2: a scalar, a vector or a matrix
    const std::uint8_t* bytes;
};

/// Arrays by name.
using ModelArrays = std::map<std::string, ModelArray>;

/// Content of a model file: named arrays and a JSON text. docs/reference/model_file.md lists them.
struct ModelParts {
    ModelArrays arrays{};
    std::string text{};
    int version = 2;  ///< of the file format
};

/// Splits the content of a file into its parts. The arrays are views of `bytes`. Whether the parts make a model is
/// checked by Model::from_parts().
/// @param name  name of the model in error messages
/// @throws InvalidInput  for content that is not a model file, is truncated or changed, or comes from a newer version
ModelParts read_model_parts(const std::uint8_t* bytes, std::size_t n_bytes, const std::string& name);

}  // namespace lpr_fast
