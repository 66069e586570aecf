#pragma once

#include <string>
#include <vector>

#include "lpr_fast/model_parts.hpp"
#include "lpr_fast/view.hpp"
#include "model/json_text.hpp"

namespace lpr_fast {

/// Refuses parts of a model; the caller knows where they come from, and makes a sentence of it.
[[noreturn]] void refuse_parts(const std::string& what);

/// A text of the parts as it may stand in a message.
std::string in_quotes(const std::string& text);

/// Entries of the text; `name` is what a message calls them.
Index as_size(const Json& value, const std::string& name);
double as_number(const Json& value, const std::string& name);
double as_positive(const Json& value, const std::string& name);
double as_not_negative(const Json& value, const std::string& name);

/// The list of sizes that an entry is.
std::vector<Index> as_sizes(const Json& list, const std::string& name, const std::string& name_of_one);

/// Numbers of an array, where they are if their address allows it, else a copy.
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

/// An array of real numbers, which have to be finite, of any shape.
Numbers finite_matrix(const ModelParts& parts, const std::string& name);
Numbers finite_vector(const ModelParts& parts, const std::string& name);

/// The same of one shape.
Numbers finite_matrix(const ModelParts& parts, const std::string& name, Index rows, Index cols);
Numbers finite_vector(const ModelParts& parts, const std::string& name, Index size);

/// An array of integers.
std::vector<Index> indices(const ModelParts& parts, const std::string& name);

}  // namespace lpr_fast
