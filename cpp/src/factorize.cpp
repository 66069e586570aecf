#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <sstream>

#include "accumulator_state.hpp"
#include "checks.hpp"
#include "condition.hpp"
#include "factor_state.hpp"
#include "lpr_fast/error.hpp"
#include "lpr_fast/hessian_factor.hpp"
#include "pivoted_cholesky.hpp"
#include "triangularize.hpp"

namespace lpr_fast {
namespace {

std::vector<Index> all_columns(Index size) {
    std::vector<Index> columns(static_cast<std::size_t>(size));
    std::iota(columns.begin(), columns.end(), Index{0});
    return columns;
}

void check_regularizer(double regularizer, bool zero_allowed) {
    if (std::isfinite(regularizer) && (regularizer > 0.0 || (zero_allowed && regularizer == 0.0))) return;
    std::ostringstream message;
    message << "the regularizer is " << regularizer << "; it must be finite and "
            << (zero_allowed ? "not negative." : "positive.");
    throw InvalidInput(message.str());
}

/// A square root of the prior: rows on the columns that are not redundant.
PivotedCholesky root_of_prior(Index size, ConstMatrixView prior, int n_threads) {
    if (prior.data == nullptr) return {all_columns(size), RowMatrix::Identity(size, size)};
    return pivoted_cholesky(checked_symmetric("the prior (K_MM)", prior), n_threads);
}

/// The root's rows times sqrt(regularizer), zero in the columns that were dropped.
RowMatrix prior_rows(const PivotedCholesky& prior, double regularizer, Index size) {
    RowMatrix rows = RowMatrix::Zero(prior.root.rows(), size);
    for (std::size_t j = 0; j < prior.kept.size(); ++j) {
        rows.col(prior.kept[j]) = std::sqrt(regularizer) * prior.root.col(static_cast<Index>(j));
    }
    return rows;
}

HessianFactor finish(FactorState state) {
    state.condition = condition_number(state.triangle);
    return HessianFactor(std::make_shared<const FactorState>(std::move(state)));
}

HessianFactor factorize_square_root(
    const AccumulatorState& accumulated, double regularizer, ConstMatrixView prior, int n_threads
) {
    const PivotedCholesky root = root_of_prior(accumulated.size, prior, n_threads);
    const RowMatrix rows = prior_rows(root, regularizer, accumulated.size);
    auto blocks = std::get<SquareRootSum>(accumulated.sum).blocks();
    blocks.push_back(accumulated.pending_rows());
    blocks.push_back(view_of(rows));
    FactorState state;
    state.size = accumulated.size;
    state.triangle = triangularize(blocks, root.kept, n_threads);
    state.kept = root.kept;
    return finish(std::move(state));
}

/// R of H = R^T R, or nothing when a pivot is not positive.
std::optional<RowMatrix> cholesky(const Matrix& hessian) {
    const Eigen::LLT<Matrix> factorization(hessian);
    if (factorization.info() != Eigen::Success) return std::nullopt;
    return RowMatrix(factorization.matrixU());
}

Matrix gram_of(const AccumulatorState& accumulated, int n_threads) {
    GramSum sum = std::get<GramSum>(accumulated.sum);
    sum.fold(accumulated.pending_rows(), n_threads);
    return sum.lower().selfadjointView<Eigen::Lower>();
}

HessianFactor factorize_gram(
    const AccumulatorState& accumulated, double regularizer, ConstMatrixView prior, int n_threads
) {
    Matrix hessian = gram_of(accumulated, n_threads);
    Matrix kernel;  // stays empty for the identity
    if (prior.data == nullptr) {
        hessian.diagonal().array() += regularizer;
    } else {
        kernel = checked_symmetric("the prior (K_MM)", prior);
        hessian += regularizer * kernel;
    }
    const std::optional<RowMatrix> triangle = cholesky(hessian);
    if (!triangle) {
        throw NotPositiveDefinite(
            "the Gram matrix plus regularizer * prior is not positive definite in float64: the problem is too "
            "ill-conditioned for method=\"gram\"; use method=\"qr\"."
        );
    }
    FactorState state;
    state.size = accumulated.size;
    state.kept = all_columns(state.size);
    state.triangle = *triangle;
    state.error_estimate = cholesky_error_estimate(*triangle, hessian.diagonal(), kernel);
    return finish(std::move(state));
}

}  // namespace

HessianFactor factorize(
    const HessianAccumulator& accumulator, double regularizer, ConstMatrixView prior, int n_threads
) {
    check_regularizer(regularizer, false);
    if (prior.data != nullptr) check_columns("the prior (K_MM)", prior, accumulator.size());
    if (accumulator.n_rows() == 0) {
        throw InvalidInput("no training rows were added, so there is nothing to factorize; add at least one row.");
    }
    const auto route = accumulator.method() == Method::gram ? factorize_gram : factorize_square_root;
    return route(accumulator.state(), regularizer, prior, n_threads);
}

HessianFactor factorize_hessian(ConstMatrixView view, double regularizer) {
    check_regularizer(regularizer, true);
    Matrix hessian = checked_symmetric("the Hessian", view);
    hessian.diagonal().array() += regularizer;
    const std::optional<RowMatrix> triangle = cholesky(hessian);
    if (!triangle) {
        const Eigen::SelfAdjointEigenSolver<Matrix> solver(hessian, Eigen::EigenvaluesOnly);
        const double smallest = solver.eigenvalues()(0);
        const double margin =
            static_cast<double>(hessian.cols()) * epsilon * solver.eigenvalues().cwiseAbs().maxCoeff();
        std::ostringstream message;
        message << "the Hessian plus regularizer * I is not positive definite: its smallest eigenvalue is " << smallest
                << "; a regularizer of " << regularizer + 2.0 * (std::abs(smallest) + margin) << " would suffice.";
        throw NotPositiveDefinite(message.str());
    }
    FactorState state;
    state.size = hessian.cols();
    state.kept = all_columns(state.size);
    state.triangle = *triangle;
    return finish(std::move(state));
}

}  // namespace lpr_fast
