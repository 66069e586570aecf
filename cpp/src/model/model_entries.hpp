#pragma once

#include <string>
#include <vector>

#include "lpr_fast/model_parts.hpp"
#include "lpr_fast/view.hpp"
#include "model/json_text.hpp"

namespace lpr_fast {

/// Throws InvalidInput; the caller adds the origin of the parts and makes a sentence of `what`.
[[noreturn]] void refuse_parts(const std::string& what);

/// A text from a model file, made safe for a message: its first 40 characters, in quotes, printable ASCII only.
std::string in_quotes(const std::string& text);

// The functions below throw InvalidInput for entries and arrays of another kind.

/// Entries of the model's text; messages call them `name`.
Index as_size(const Json& value, const std::string& name);
double as_number(const Json& value, const std::string& name);
double as_positive(const Json& value, const std::string& name);
double as_not_negative(const Json& value, const std::string& name);

/// An entry that is a list of sizes.
std::vector<Index> as_sizes(const Json& list, const std::string& name, const std::string& name_of_one);

/// Numbers of an array: a view if the array is aligned, otherwise a copy.
class Numbers {
public:
    explicit Numbers(const ModelArray& array);
    Numbers(Numbers&&) = default;

    ConstMatrixView matrix() const { return view_; }
    ConstVectorView vector() const { return {view_.data, view_.rows * view_.cols}; }

private:
    std::vector<double> copy_;
    ConstMatrixView view_;
};

bool has_array(const ModelParts& parts, const std::string& name);

/// An array of finite real numbers of any shape.
Numbers finite_matrix(const ModelParts& parts, const std::string& name);
Numbers finite_vector(const ModelParts& parts, const std::string& name);

/// An array of finite real numbers of the given shape.
Numbers finite_matrix(const ModelParts& parts, const std::string& name, Index rows, Index cols);
Numbers finite_vector(const ModelParts& parts, const std::string& name, Index size);

/// An array of integers.
std::vector<Index> indices(const ModelParts& parts, const std::string& name);

}  // namespace lpr_fast
