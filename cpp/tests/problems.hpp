#pragma once

// Test matrices, and reference results that do not use the library.

#include <cmath>
#include <random>
#include <vector>

#include "lpr_fast/lpr_fast.hpp"

namespace lpr_fast::testing {

/// A row-major matrix that owns its numbers.
struct Array {
    Index rows;
    Index cols;
    std::vector<double> values;

    Array(Index n_rows, Index n_cols)
        : rows(n_rows), cols(n_cols), values(static_cast<std::size_t>(n_rows * n_cols), 0.0) {}

    double& operator()(Index i, Index j) { return values[static_cast<std::size_t>(i * cols + j)]; }
    double operator()(Index i, Index j) const { return values[static_cast<std::size_t>(i * cols + j)]; }
    ConstMatrixView view() const { return {values.data(), rows, cols}; }
    ConstMatrixView rows_from(Index first, Index count) const {
        return {values.data() + first * cols, count, cols, cols};
    }
};

inline Array random_array(Index rows, Index cols, unsigned seed) {
    std::mt19937_64 generator(seed);
    std::normal_distribution<double> normal;
    Array array(rows, cols);
    for (double& value : array.values) value = normal(generator);
    return array;
}

/// Rows of norm one with entries that are not negative, similar to normalised power spectra.
inline Array positive_rows(Index rows, Index cols, unsigned seed) {
    Array array = random_array(rows, cols, seed);
    for (Index i = 0; i < rows; ++i) {
        double square = 0.0;
        for (Index j = 0; j < cols; ++j) square += array(i, j) * array(i, j);
        for (Index j = 0; j < cols; ++j) array(i, j) = std::abs(array(i, j)) / std::sqrt(square);
    }
    return array;
}

/// Sylvester's Hadamard matrix, H^T H = size * I; size must be a power of two.
inline Array hadamard(Index size) {
    Array matrix(size, size);
    for (Index i = 0; i < size; ++i) {
        for (Index j = 0; j < size; ++j) {
            int sign = 1;
            for (Index bits = i & j; bits != 0; bits &= bits - 1) sign = -sign;
            matrix(i, j) = sign;
        }
    }
    return matrix;
}

/// H = rows^T W rows + regularizer * prior (identity when null) in extended precision, row-major.
inline std::vector<long double> extended_hessian(
    const Array& rows, const std::vector<double>* weights, double regularizer, const Array* prior
) {
    const auto size = static_cast<std::size_t>(rows.cols);
    std::vector<long double> hessian(size * size, 0.0L);
    for (Index a = 0; a < rows.rows; ++a) {
        const long double weight = weights == nullptr ? 1.0L : (*weights)[static_cast<std::size_t>(a)];
        const double* row = rows.values.data() + a * rows.cols;
        for (std::size_t i = 0; i < size; ++i) {
            const long double scaled = weight * row[i];
            for (std::size_t j = 0; j <= i; ++j) hessian[i * size + j] += scaled * row[j];
        }
    }
    for (std::size_t i = 0; i < size; ++i) {
        for (std::size_t j = 0; j <= i; ++j) {
            const long double entry =
                prior == nullptr ? (i == j ? 1.0L : 0.0L) : (*prior)(static_cast<Index>(i), static_cast<Index>(j));
            hessian[i * size + j] += static_cast<long double>(regularizer) * entry;
            hessian[j * size + i] = hessian[i * size + j];
        }
    }
    return hessian;
}

/// phi^T H^-1 phi for every row of phi by a textbook Cholesky in extended precision.
inline std::vector<double> extended_forms(std::vector<long double> hessian, const Array& phi) {
    const auto size = static_cast<std::size_t>(phi.cols);
    auto at = [&](std::size_t i, std::size_t j) -> long double& { return hessian[i * size + j]; };
    for (std::size_t j = 0; j < size; ++j) {
        for (std::size_t i = j; i < size; ++i) {
            long double sum = at(i, j);
            for (std::size_t k = 0; k < j; ++k) sum -= at(i, k) * at(j, k);
            at(i, j) = i == j ? std::sqrt(sum) : sum / at(j, j);
        }
    }
    std::vector<double> forms;
    for (Index row = 0; row < phi.rows; ++row) {
        std::vector<long double> y(size);
        long double form = 0.0L;
        for (std::size_t i = 0; i < size; ++i) {
            long double sum = phi(row, static_cast<Index>(i));
            for (std::size_t k = 0; k < i; ++k) sum -= at(i, k) * y[k];
            y[i] = sum / at(i, i);
            form += y[i] * y[i];
        }
        forms.push_back(static_cast<double>(form));
    }
    return forms;
}

inline std::vector<double> forms_of(const HessianFactor& factor, ConstMatrixView phi, int n_threads = 0) {
    std::vector<double> forms(static_cast<std::size_t>(phi.rows));
    factor.quadratic_forms(phi, {forms.data(), phi.rows}, n_threads);
    return forms;
}

inline ConstVectorView view_of(const std::vector<double>& values) {
    return {values.data(), static_cast<Index>(values.size())};
}

inline HessianAccumulator accumulated(
    const Array& rows, Method method = Method::qr, const std::vector<double>* weights = nullptr
) {
    HessianAccumulator accumulator(rows.cols, method);
    if (weights == nullptr) {
        accumulator.add(rows.view());
    } else {
        accumulator.add(rows.view(), view_of(*weights));
    }
    return accumulator;
}

}  // namespace lpr_fast::testing
