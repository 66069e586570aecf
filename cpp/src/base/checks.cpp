#include "base/checks.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>
#include <string>

#include "lpr_fast/error.hpp"

namespace lpr_fast {
namespace {

// Second derivatives by float32 automatic differentiation are symmetric to about this, relative to the largest entry.
constexpr double symmetry_tolerance = 1e-6;

template <typename... Parts>
[[noreturn]] void refuse(const Parts&... parts) {
    std::ostringstream message;
    (message << ... << parts);
    throw InvalidInput(message.str());
}

bool is_usable(const double* row, Index size) {
    return (Eigen::Map<const Eigen::ArrayXd>(row, size).abs() <= largest_entry).all();
}

}  // namespace

std::string listed(const std::vector<int>& species) {
    std::string text;
    for (const int number : species) text += (text.empty() ? "" : ", ") + std::to_string(number);
    return text;
}

void check_size(Index value) {
    if (value >= 1 && value <= max_size) return;
    refuse("the model size M is ", value, "; it must be at least 1 and at most ", max_size, ".");
}

void check_view(const char* name, ConstMatrixView matrix) {
    const bool is_empty = matrix.rows == 0 || matrix.cols == 0;
    if (matrix.rows >= 0 && matrix.cols >= 0 && matrix.stride >= matrix.cols && (is_empty || matrix.data != nullptr)) {
        return;
    }
    refuse(
        "the view of ", name, " has ", matrix.rows, " rows, ", matrix.cols, " columns, stride ", matrix.stride, " and ",
        matrix.data == nullptr ? "no" : "some",
        " data; sizes must not be negative, the stride must be at least the number of columns, and only an empty view "
        "may have no data."
    );
}

void check_columns(const char* name, ConstMatrixView matrix, Index columns) {
    check_view(name, matrix);
    if (matrix.cols == columns) return;
    refuse(name, " has ", matrix.cols, " columns, expected ", columns, ", one for each weight of the model.");
}

void check_output(const char* name, ConstMatrixView matrix, Index rows, Index columns) {
    check_view(name, matrix);
    if (matrix.rows == rows && matrix.cols == columns) return;
    refuse(name, " has shape (", matrix.rows, ", ", matrix.cols, "), expected (", rows, ", ", columns, ").");
}

void check_finite(const char* name, ConstMatrixView matrix) {
    for (Index i = 0; i < matrix.rows; ++i) {
        if (is_usable(matrix.row(i), matrix.cols)) continue;
        refuse(
            name, ": row ", i, " holds NaN, infinity or an entry above ", largest_entry, "; every entry must be finite."
        );
    }
}

void check_environment(const char* name, const double* row, Index size, Index number) {
    if (is_usable(row, size)) return;
    refuse(
        name, " row ", number, " holds NaN, infinity or an entry above 1e140; remove or recompute that environment."
    );
}

void check_rows(ConstMatrixView rows, std::optional<ConstVectorView> weights, Index n_rows_before) {
    if (weights && (weights->size != rows.rows || (weights->data == nullptr && rows.rows > 0))) {
        refuse(
            "got ", weights->data == nullptr ? 0 : weights->size, " weights for ", rows.rows,
            " rows; give one weight for each row."
        );
    }
    for (Index i = 0; i < rows.rows; ++i) {
        const double weight = weights ? weights->data[i] : 1.0;
        const auto where = [&] {
            return n_rows_before == 0 ? "" : " (row " + std::to_string(n_rows_before + i) + " of all added)";
        };
        if (!(weight >= 0.0) || !std::isfinite(weight)) {
            refuse("the weight of row ", i, where(), " is ", weight, "; weights must be finite and not negative.");
        }
        double largest = 0.0;
        for (Index j = 0; j < rows.cols; ++j) {
            const double value = rows.row(i)[j];
            if (!std::isfinite(value)) {
                refuse("row ", i, where(), " holds ", value, " in column ", j, "; every entry must be finite.");
            }
            largest = std::max(largest, std::abs(value));
        }
        if (!(std::sqrt(weight) * largest <= largest_entry)) {
            refuse(
                "row ", i, where(), " times the square root of its weight holds an entry above ", largest_entry,
                ", whose square overflows; use smaller units or weights."
            );
        }
    }
}

void check_targets(ConstVectorView targets, Index n_rows, Index n_rows_before) {
    if (targets.size != n_rows || (targets.data == nullptr && n_rows > 0)) {
        refuse("got ", targets.size, " targets for ", n_rows, " rows; give one target for each row.");
    }
    for (Index i = 0; i < n_rows; ++i) {
        if (std::abs(targets.data[i]) <= largest_entry) continue;
        refuse("the target of row ", n_rows_before + i, " is ", targets.data[i], "; targets must be finite.");
    }
}

Matrix checked_symmetric(const char* name, ConstMatrixView view) {
    check_view(name, view);
    if (view.rows != view.cols) {
        refuse(name, " has shape (", view.rows, ", ", view.cols, "); it must be square.");
    }
    check_size(view.cols);
    const auto matrix = as_matrix(view);
    const double tolerance = symmetry_tolerance * matrix.cwiseAbs().maxCoeff();
    Matrix symmetric(view.rows, view.cols);
    for (Index i = 0; i < view.rows; ++i) {
        for (Index j = 0; j <= i; ++j) {
            const double a = matrix(i, j);
            const double b = matrix(j, i);
            if (!std::isfinite(a) || !std::isfinite(b)) {
                refuse(
                    name, " holds NaN or infinity at (", i, ", ", j, ") or (", j, ", ", i,
                    "); every entry must be finite."
                );
            }
            if (!(std::abs(a - b) <= tolerance)) {
                refuse(
                    name, " is not symmetric: entry (", i, ", ", j, ") is ", a, " and entry (", j, ", ", i, ") is ", b,
                    "; give a symmetric matrix."
                );
            }
            symmetric(i, j) = symmetric(j, i) = 0.5 * a + 0.5 * b;
        }
    }
    return symmetric;
}

void check_distinct_columns(const std::vector<Index>& columns, Index size) {
    if (columns.empty()) refuse("the list of columns is empty; give at least one.");
    std::vector<bool> seen(static_cast<std::size_t>(size), false);
    for (const Index column : columns) {
        if (column < 0 || column >= size) {
            refuse("column ", column, " does not exist; columns must be in [0, ", size, ").");
        }
        if (seen[static_cast<std::size_t>(column)])
            refuse("column ", column, " is given twice; give each column once.");
        seen[static_cast<std::size_t>(column)] = true;
    }
}

}  // namespace lpr_fast
