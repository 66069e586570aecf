#include "model/model_entries.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/checks.hpp"
#include "lpr_fast/error.hpp"

namespace lpr_fast {
namespace {

const ModelArray& array_of(const ModelParts& parts, const std::string& name, NumberType type, int n_extents) {
    const auto place = parts.arrays.find(name);
    if (place == parts.arrays.end()) refuse_parts("there is no array " + in_quotes(name));
    const ModelArray& array = place->second;
    if (array.type != type || array.n_extents != n_extents) {
        refuse_parts("the array " + in_quotes(name) + " has the wrong type or the wrong number of dimensions");
    }
    return array;
}

Numbers finite_numbers(const ModelParts& parts, const std::string& name, int n_extents) {
    Numbers numbers(array_of(parts, name, NumberType::f64, n_extents));
    const auto [first, size] = numbers.vector();
    if (!std::all_of(first, first + size, [](double x) { return std::isfinite(x); })) {
        refuse_parts("the array " + in_quotes(name) + " holds NaN or infinity");
    }
    return numbers;
}

Numbers of_shape(Numbers numbers, const std::string& name, Index rows, Index cols) {
    if (numbers.matrix().rows != rows || numbers.matrix().cols != cols) {
        refuse_parts("the array " + in_quotes(name) + " has the wrong shape");
    }
    return numbers;
}

}  // namespace

void refuse_parts(const std::string& what) {
    throw InvalidInput(what);
}

std::string in_quotes(const std::string& text) {
    std::string shown = text.substr(0, 40);
    std::replace_if(shown.begin(), shown.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
    return "'" + shown + "'";
}

Index as_size(const Json& value, const std::string& name) {
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() > static_cast<std::uint64_t>(max_size)) {
        refuse_parts(name + " is not an integer from 0 to " + std::to_string(max_size));
    }
    return static_cast<Index>(value.get<std::uint64_t>());
}

double as_number(const Json& value, const std::string& name) {
    if (!value.is_number()) refuse_parts(name + " is not a number");
    return value.get<double>();
}

double as_positive(const Json& value, const std::string& name) {
    const double found = as_number(value, name);
    if (!(found > 0.0)) refuse_parts(name + " is not positive");
    return found;
}

double as_not_negative(const Json& value, const std::string& name) {
    const double found = as_number(value, name);
    if (found < 0.0) refuse_parts(name + " is negative");
    return found;
}

std::vector<Index> as_sizes(const Json& list, const std::string& name, const std::string& name_of_one) {
    if (!list.is_array()) refuse_parts(name + " is not a list");
    std::vector<Index> sizes;
    for (const Json& entry : list) sizes.push_back(as_size(entry, name_of_one));
    return sizes;
}

Numbers::Numbers(const ModelArray& array) : view_(nullptr, array.rows, array.cols) {
    const auto count = static_cast<std::size_t>(array.rows * array.cols);
    if (reinterpret_cast<std::uintptr_t>(array.bytes) % alignof(double) == 0) {
        view_.data = reinterpret_cast<const double*>(array.bytes);
    } else {
        copy_.resize(count);
        if (count > 0) std::memcpy(copy_.data(), array.bytes, count * sizeof(double));
        view_.data = copy_.data();
    }
}

bool has_array(const ModelParts& parts, const std::string& name) {
    return parts.arrays.count(name) == 1;
}

Numbers finite_matrix(const ModelParts& parts, const std::string& name) {
    return finite_numbers(parts, name, 2);
}

Numbers finite_vector(const ModelParts& parts, const std::string& name) {
    return finite_numbers(parts, name, 1);
}

Numbers finite_matrix(const ModelParts& parts, const std::string& name, Index rows, Index cols) {
    return of_shape(finite_matrix(parts, name), name, rows, cols);
}

Numbers finite_vector(const ModelParts& parts, const std::string& name, Index size) {
    return of_shape(finite_vector(parts, name), name, 1, size);
}

std::vector<Index> indices(const ModelParts& parts, const std::string& name) {
    const ModelArray& array = array_of(parts, name, NumberType::i64, 1);
    std::vector<Index> found;
    for (Index i = 0; i < array.cols; ++i) {
        std::int64_t number = 0;
        std::memcpy(&number, array.bytes + i * 8, sizeof(number));
        found.push_back(static_cast<Index>(number));
    }
    return found;
}

}  // namespace lpr_fast
