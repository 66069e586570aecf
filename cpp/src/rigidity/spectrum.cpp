#include "lpr_fast/spectrum.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>
#include <utility>

#include "base/at.hpp"
#include "base/checks.hpp"
#include "base/parallel.hpp"
#include "linear_algebra/singular_values.hpp"
#include "linear_algebra/symmetric_eigen.hpp"
#include "linear_algebra/triangularize.hpp"
#include "lpr_fast/error.hpp"
#include "rigidity/data_root.hpp"
#include "rigidity/whitening.hpp"

namespace lpr_fast {

/// Coordinates of a row x: the flat ones t = R_N^-T (x N), orthonormal over the training rows, and the penalised ones
/// g = V^T (x T - R_NA^T t). See Whitening for T and N.
struct SpectrumState {
    Whitening whitening;
    Index size = 0;    ///< number of columns of a row
    Index n_rows = 0;  ///< number of rows of positive weight
    double sum_log_weights = 0.0;
    double rest = 0.0;           ///< norm of the part of the targets that no weights can fit
    std::vector<Index> flat{};   ///< coordinates without a penalty that the data determine
    std::vector<Index> known{};  ///< coordinates with a penalty, in the order of the columns of the triangle
    RowMatrix flat_triangle{};   ///< R_N
    Matrix crossed{};            ///< R_NA
    Matrix directions{};         ///< V
    Vector singular{};           ///< S
    Vector targets{};            ///< components of the targets along the directions Q
    Vector flat_targets{};
    std::vector<double> eigenvalues{};

    Index n_flat() const { return static_cast<Index>(flat.size()); }
    Index n_known() const { return static_cast<Index>(known.size()); }
};

namespace {

constexpr Index rows_of_task = 64;

// If an eigenvalue of the leverage of a structure is closer to one, the structure alone determines a direction.
constexpr double closest_to_one = 1e-8;

std::vector<Index> checked_columns(std::vector<Index> columns, Index size) {
    if (columns.empty()) return all_columns(size);
    check_distinct_columns(columns, size);
    return columns;
}

const AccumulatorState& checked(const HessianAccumulator& accumulator) {
    if (!accumulator.is_labelled()) {
        throw InvalidInput("the rows have no targets, which the choice of a regularizer needs; label them.");
    }
    if (accumulator.n_weighted() == 0) {
        throw InvalidInput("no training rows of positive weight were added; add at least one row.");
    }
    return accumulator.state();
}

/// Coordinates of the rows of a data root, with targets in the last column.
RowMatrix whitened(const Whitening& whitening, const RowMatrix& root, int n_threads) {
    const Index n_coordinates = whitening.n_known() + whitening.n_unknown();
    RowMatrix rows(root.rows(), n_coordinates + 1);
    parallel_for_each(tile_count(root.rows(), rows_of_task), n_threads, [&](Index tile) {
        const Index first = tile * rows_of_task;
        const Index count = std::min(rows_of_task, root.rows() - first);
        rows.block(first, 0, count, n_coordinates) = whitening.coordinates(view_of(root), first, count).transpose();
    });
    rows.col(n_coordinates) = root.col(root.cols() - 1);
    return rows;
}

/// Coordinates without a penalty that exceed rounding errors in the data.
std::vector<Index> determined(const Whitening& whitening, const RowMatrix& root, const RowMatrix& rows) {
    std::vector<Index> found;
    for (Index j = 0; j < whitening.n_unknown(); ++j) {
        const double norm = rows.col(whitening.n_known() + j).norm();
        if (norm > whitening.rounding(view_of(root), j)) found.push_back(whitening.n_known() + j);
    }
    return found;
}

void decompose(SpectrumState& state, const Triangle& triangle, double rest_before) {
    const Index n_flat = state.n_flat();
    const Index n_known = triangle.r.cols() - n_flat;
    state.flat.assign(triangle.columns.begin(), triangle.columns.begin() + n_flat);
    state.known.assign(triangle.columns.begin() + n_flat, triangle.columns.end());
    state.flat_triangle = triangle.r.topLeftCorner(n_flat, n_flat);
    state.crossed = triangle.r.topRightCorner(n_flat, n_known);
    state.flat_targets = triangle.targets.col(0).head(n_flat);
    SingularValues found =
        singular_values(triangle.r.bottomRightCorner(n_known, n_known), triangle.targets.col(0).tail(n_known));
    state.directions = std::move(found.directions);
    state.singular = std::move(found.values);
    state.targets = std::move(found.rotated);
    state.rest = std::hypot(rest_before, triangle.rest(0, 0));
    for (const double s : state.singular) state.eigenvalues.push_back(s * s);
}

/// Coordinates of rows, as columns; flat coordinates first.
Matrix rotated(const SpectrumState& state, ConstMatrixView rows, int n_threads) {
    const Index n_flat = state.n_flat();
    const Index n_tiles = tile_count(rows.rows, rows_of_task);
    Matrix found(n_flat + state.n_known(), n_tiles * rows_of_task);
    parallel_for_each(n_tiles, n_threads, [&](Index tile) {
        const Index first = tile * rows_of_task;
        const Index count = std::min(rows_of_task, rows.rows - first);
        const Matrix coordinates = state.whitening.coordinates(rows, first, count);
        Matrix known = Matrix::Zero(state.n_known(), rows_of_task);
        Matrix flat = Matrix::Zero(n_flat, rows_of_task);
        for (Index j = 0; j < state.n_known(); ++j) known.row(j).head(count) = coordinates.row(state.known[at(j)]);
        for (Index j = 0; j < n_flat; ++j) flat.row(j).head(count) = coordinates.row(state.flat[at(j)]);
        if (n_flat > 0) {
            transposed_triangle(state.flat_triangle).solveInPlace(flat);
            known -= state.crossed.transpose() * flat;
        }
        found.block(0, first, n_flat, rows_of_task) = flat;
        found.block(n_flat, first, state.n_known(), rows_of_task).noalias() = state.directions.transpose() * known;
    });
    return found;
}

/// For each regularizer, a column of numbers for the coordinates; flat coordinates first.
struct Penalties {
    Matrix inverse;    ///< 1 for flat coordinates, 1 / (lambda + mu) for the others
    Matrix solutions;  ///< the weights of the model
};

Penalties penalties_of(const SpectrumState& state, ConstVectorView regularizers) {
    const Index n_flat = state.n_flat();
    Penalties found{
        Matrix::Ones(n_flat + state.n_known(), regularizers.size), Matrix(n_flat + state.n_known(), regularizers.size)
    };
    for (Index m = 0; m < regularizers.size; ++m) {
        const Vector inverse = (state.singular.array().square() + regularizers.data[m]).inverse();
        found.inverse.col(m).tail(state.n_known()) = inverse;
        found.solutions.col(m).head(n_flat) = state.flat_targets;
        found.solutions.col(m).tail(state.n_known()) = state.singular.cwiseProduct(state.targets).cwiseProduct(inverse);
    }
    return found;
}

/// Errors of the rows of one structure.
struct StructureErrors {
    Vector residuals;
    Vector left_out;
};

/// Errors by (I - K W)^-1 e, from the eigenvectors of the symmetric W^1/2 K W^1/2 if there are several rows.
/// @param rows  coordinates of the rows of the structure, as columns
StructureErrors structure_errors(
    const Eigen::Ref<const Matrix>& rows, const Vector& targets, const Vector& weights,
    const Eigen::Ref<const Vector>& solution, const Eigen::Ref<const Vector>& penalty
) {
    Vector residuals = targets - rows.transpose() * solution;
    const Matrix covariance = rows.transpose() * penalty.asDiagonal() * rows;
    const Vector roots = weights.cwiseSqrt();
    if (rows.cols() == 1) {
        const double left = 1.0 - covariance(0, 0) * weights(0);
        const double unusable = std::numeric_limits<double>::quiet_NaN();
        return {residuals, Vector::Constant(1, left > closest_to_one ? residuals(0) / left : unusable)};
    }
    const Matrix leverage = roots.asDiagonal() * covariance * roots.asDiagonal();
    const auto [values, vectors] = symmetric_eigen(leverage);
    if (!(1.0 - values.maxCoeff() > closest_to_one)) {
        return {residuals, Vector::Constant(rows.cols(), std::numeric_limits<double>::quiet_NaN())};
    }
    const Vector inverse = (1.0 - values.array()).inverse();
    const Vector in_basis = vectors.transpose() * roots.cwiseProduct(residuals);
    const Vector grown = vectors * inverse.cwiseProduct(in_basis);
    Vector left_out = residuals + covariance * roots.cwiseProduct(grown);
    return {std::move(residuals), std::move(left_out)};
}

/// Index of the first row of each structure, followed by the number of rows.
std::vector<Index> first_rows(const std::vector<Index>& structures) {
    std::vector<Index> first;
    for (Index i = 0; i < static_cast<Index>(structures.size()); ++i) {
        if (i == 0 || structures[at(i)] != structures[at(i - 1)]) first.push_back(i);
    }
    first.push_back(static_cast<Index>(structures.size()));
    return first;
}

void check_positive(const char* name, double value) {
    if (value > 0.0 && std::isfinite(value)) return;
    std::ostringstream message;
    message << name << " is " << value << "; it must be finite and positive.";
    throw InvalidInput(message.str());
}

void check_regularizer(double regularizer) {
    check_positive("the regularizer", regularizer);
}

}  // namespace

Spectrum::Spectrum(
    const HessianAccumulator& accumulator, std::optional<ConstMatrixView> prior, std::vector<Index> columns,
    int n_threads
) {
    const AccumulatorState& accumulated = checked(accumulator);
    if (prior) check_columns("the prior (K_MM)", *prior, accumulator.size());
    const int threads = resolve_threads(n_threads);
    columns = checked_columns(std::move(columns), accumulator.size());
    auto state = std::make_shared<SpectrumState>(SpectrumState{
        Whitening(std::move(columns), prior, threads), accumulator.size(), accumulator.n_weighted(),
        accumulator.sum_log_weights()
    });
    const DataRoot root = data_root(accumulated, threads);
    const RowMatrix rows = whitened(state->whitening, root.rows, threads);
    state->flat = determined(state->whitening, root.rows, rows);
    const std::vector<Index> known = all_columns(state->whitening.n_known());
    decompose(*state, triangularize({view_of(rows)}, state->flat, known, threads, 1), root.rest);
    state_ = std::move(state);
}

const std::vector<double>& Spectrum::eigenvalues() const& {
    return state_->eigenvalues;
}

Index Spectrum::n_flat() const {
    return state_->n_flat();
}

double Spectrum::misfit(double regularizer) const {
    check_regularizer(regularizer);
    double squares = state_->rest * state_->rest;
    for (Index k = 0; k < state_->n_known(); ++k) {
        squares += state_->targets(k) * state_->targets(k) * regularizer / (state_->eigenvalues[at(k)] + regularizer);
    }
    return squares;
}

double Spectrum::minus_twice_log_evidence(double regularizer, std::optional<double> scale) const {
    check_regularizer(regularizer);
    if (scale) check_positive("the scale of the noise", *scale);
    const Index n_free = state_->n_rows - n_flat();
    if (n_free <= 0) return std::numeric_limits<double>::quiet_NaN();
    const auto n = static_cast<double>(n_free);
    double logs = 0.0;
    for (const double value : state_->eigenvalues) logs += std::log1p(value / regularizer);
    const double squares = misfit(regularizer);
    const double variance = scale.value_or(squares / n);
    const double in_noise = scale ? squares / *scale : n;
    const double log_of_two_pi = std::log(2.0 * std::acos(-1.0));
    return logs + n * std::log(variance) + in_noise + n * log_of_two_pi - state_->sum_log_weights;
}

void Spectrum::leave_one_out(
    ConstMatrixView rows, ConstVectorView targets, ConstVectorView weights, const std::vector<Index>& structures,
    ConstVectorView regularizers, MatrixView residuals, MatrixView left_out, int n_threads
) const {
    const int threads = resolve_threads(n_threads);
    check_columns("the block of rows", rows, state_->size);
    check_rows(rows, weights, 0);
    check_targets(targets, rows.rows, 0);
    if (static_cast<Index>(structures.size()) != rows.rows) {
        throw InvalidInput(
            "there are " + std::to_string(structures.size()) + " indices of structures for " +
            std::to_string(rows.rows) + " rows; give one for each row."
        );
    }
    for (Index m = 0; m < regularizers.size; ++m) check_regularizer(regularizers.data[m]);
    check_output("residuals", residuals, rows.rows, regularizers.size);
    check_output("left_out", left_out, rows.rows, regularizers.size);
    const Matrix coordinates = rotated(*state_, rows, threads);
    const Penalties penalties = penalties_of(*state_, regularizers);
    const std::vector<Index> first = first_rows(structures);
    parallel_for_each(static_cast<Index>(first.size()) - 1, threads, [&](Index a) {
        const Index start = first[at(a)];
        const Index count = first[at(a + 1)] - start;
        const Vector y = Eigen::Map<const Vector>(targets.data + start, count);
        const Vector w = Eigen::Map<const Vector>(weights.data + start, count);
        const auto own = coordinates.middleCols(start, count);
        for (Index m = 0; m < regularizers.size; ++m) {
            const StructureErrors found =
                structure_errors(own, y, w, penalties.solutions.col(m), penalties.inverse.col(m));
            for (Index i = 0; i < count; ++i) {
                residuals.row(start + i)[m] = found.residuals(i);
                left_out.row(start + i)[m] = found.left_out(i);
            }
        }
    });
}

}  // namespace lpr_fast
