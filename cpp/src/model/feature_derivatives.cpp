#include "model/feature_derivatives.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "base/at.hpp"
#include "kernels/kernel_scorer_state.hpp"
#include "kernels/rows.hpp"
#include "lpr_fast/error.hpp"
#include "lpr_fast/score_columns.hpp"
#include "model/species_tiles.hpp"

namespace lpr_fast {
namespace {

/// A tile of environments of one species.
struct SpeciesRows {
    const ModelState& model;
    const SpeciesPart& part;
    ConstMatrixView features;  ///< of environments of all species, not normalised
    const Index* rows;         ///< rows of `features` that are in the tile
    Index count;
    SpeciesTile& tile;

    /// Features of the tile, as gather() writes them.
    ConstMatrixView gathered() const { return {tile.features.data(), count, gathered_columns(model.info)}; }

    MatrixView derivatives() const {
        tile.derivatives.reserve(tile_columns() * features.cols);
        return {tile.derivatives.data(), count, features.cols};
    }

    /// Writes the derivative with respect to p times a factor, from that with respect to x = p / |p|.
    void through_normalisation(Index i, double factor, double* out) const {
        const Index size = features.cols;
        const double* x = gathered().row(i);
        const double* given = tile.derivatives.data() + i * size;
        const double* p = features.row(rows[i]);
        const double norm = std::sqrt(dot(p, p, size));
        if (norm == 0.0) {
            std::fill_n(out, size, 0.0);
            return;
        }
        const double scale = factor / norm, along = dot(x, given, size);
        for (Index k = 0; k < size; ++k) out[k] = scale * (given[k] - along * x[k]);
    }
};

class Energies {
public:
    Energies(const SpeciesRows& of, ConstMatrixView weights, MatrixView energies, MatrixView derivatives)
        : of_(of), weights_(weights), energies_(energies), derivatives_(derivatives) {}

    void write() const {
        for (Index k = 0; k < weights_.rows; ++k) {
            if (of_.part.scorer) {
                by_kernels(k);
            } else if (of_.part.factor) {
                by_features(k);
            } else {
                write_unseen(k);
            }
        }
    }

    /// Kernels and their slopes, which are the same for all vectors of weights.
    void evaluate_kernels() const {
        if (!of_.part.scorer) return;
        const PowerKernel& kernel = of_.part.scorer->state().kernel;
        if (derivatives_.data == nullptr)
            kernel.evaluate(of_.gathered(), 0, of_.count, of_.tile.workspace);
        else
            kernel.evaluate(of_.gathered(), 0, of_.count, of_.tile.workspace, of_.tile.way.slopes);
    }

private:
    double* derivative(Index i, Index k) const { return derivatives_.row(of_.rows[i] * weights_.rows + k); }
    double& energy(Index i, Index k) const { return energies_.row(of_.rows[i])[k]; }

    void by_kernels(Index k) const {
        const PowerKernel& kernel = of_.part.scorer->state().kernel;
        const double* weights = weights_.row(k) + of_.part.first_column;
        of_.tile.energies.reserve(tile_columns());
        write_energies(kernel, weights, of_.tile.workspace, of_.count, of_.tile.energies.data(), 1);
        for (Index i = 0; i < of_.count; ++i) energy(i, k) = of_.tile.energies.data()[i];
        if (derivatives_.data == nullptr) return;
        of_.tile.way.go(kernel, KernelDerivatives::of_all(weights), of_.count, of_.derivatives());
        for (Index i = 0; i < of_.count; ++i) of_.through_normalisation(i, 1.0, derivative(i, k));
    }

    void by_features(Index k) const {
        const ConstMatrixView phi = of_.gathered();
        const double* weights = weights_.row(k) + of_.part.first_column;
        for (Index i = 0; i < of_.count; ++i) {
            energy(i, k) = dot(phi.row(i), weights, phi.cols);
            if (derivatives_.data == nullptr) continue;
            // The constant column of phi has no derivative.
            std::copy_n(weights + phi.cols - derivatives_.cols, derivatives_.cols, derivative(i, k));
        }
    }

    void write_unseen(Index k) const {
        for (Index i = 0; i < of_.count; ++i) {
            energy(i, k) = 0.0;
            if (derivatives_.data != nullptr) std::fill_n(derivative(i, k), derivatives_.cols, 0.0);
        }
    }

    const SpeciesRows& of_;
    ConstMatrixView weights_;
    MatrixView energies_, derivatives_;
};

class ScoreDerivatives {
public:
    ScoreDerivatives(const SpeciesRows& of, Quantity quantity, Of what, VectorView values, MatrixView derivatives)
        : of_(of), quantity_(quantity), what_(what), values_(values), derivatives_(derivatives) {}

    void write() const {
        if (of_.part.scorer) {
            by_kernels();
        } else if (of_.part.factor) {
            by_features();
        } else {
            write_unseen();
        }
    }

private:
    Form form() const { return quantity_ == Quantity::lpr_held ? Form::held : Form::plain; }
    double* derivative(Index i) const { return derivatives_.row(of_.rows[i]); }

    void by_kernels() const {
        SpeciesTile& tile = of_.tile;
        const KernelScorerState& scorer = of_.part.scorer->state();
        const HessianFactor& factor = quantity_ == Quantity::residual ? *scorer.prior : scorer.factor;
        const Index depth = scorer.kernel.padded_size();
        scorer.kernel.evaluate(of_.gathered(), 0, of_.count, tile.workspace, tile.way.slopes);
        write_form_gradients(
            factor.state(), form(), tile.workspace.kernels.data(), depth, of_.count, tile.workspace, tile.forms
        );
        tile.way.go(
            scorer.kernel, KernelDerivatives::in_strips(tile.forms.gradients.data(), depth), of_.count,
            of_.derivatives()
        );
        for (Index i = 0; i < of_.count; ++i) {
            const double factor_of_row = set_value(i);
            if (factor_of_row == 0.0)
                std::fill_n(derivative(i), derivatives_.cols, 0.0);
            else
                of_.through_normalisation(i, factor_of_row, derivative(i));
        }
    }

    void by_features() const {
        const ConstMatrixView phi = of_.gathered();
        Workspace& workspace = of_.tile.workspace;
        workspace.input.reserve(phi.cols * tile_columns());
        load_strips("features", phi, 0, of_.count, 0, phi.cols, workspace.input.data());
        write_form_gradients(
            of_.part.factor->state(), form(), workspace.input.data(), phi.cols, of_.count, workspace, of_.tile.forms
        );
        const Index lanes = hot_kernels().lanes, n_constants = phi.cols - derivatives_.cols;
        for (Index i = 0; i < of_.count; ++i) {
            const double factor_of_row = set_value(i);
            const double* column = of_.tile.forms.gradients.data() + i / lanes * phi.cols * lanes + i % lanes;
            for (Index k = 0; k < derivatives_.cols; ++k)
                derivative(i)[k] = factor_of_row == 0.0 ? 0.0 : factor_of_row * column[(k + n_constants) * lanes];
        }
    }

    /// The species has no active environments: phi is zero.
    void write_unseen() const {
        const bool is_rigidity = quantity_ == Quantity::lpr || quantity_ == Quantity::lpr_held;
        const double unseen = is_rigidity                       ? std::numeric_limits<double>::infinity()
                              : quantity_ == Quantity::residual ? 1.0
                                                                : 0.0;
        for (Index i = 0; i < of_.count; ++i) {
            values_.data[of_.rows[i]] = unseen;
            std::fill_n(derivative(i), derivatives_.cols, 0.0);
        }
    }

    /// Writes the score of a row.
    /// @returns the factor between half the gradient of the quadratic form and the requested gradient
    double set_value(Index i) const {
        const QuadraticForm form = of_.tile.forms.forms[at(i)];
        double& value = values_.data[of_.rows[i]];
        value = score(form);
        const bool is_flat = form.exponent != 0 || form.value < smallest_form_with_gradient || value == 0.0;
        if (is_flat || !std::isfinite(value)) return 0.0;
        if (quantity_ == Quantity::residual) return what_ == Of::value ? -2.0 : -2.0 / value;
        if (quantity_ == Quantity::variance) return 2.0 * (what_ == Of::value ? value : 1.0) / form.value;
        return -2.0 * (what_ == Of::value ? value : 1.0) / form.value;
    }

    double score(const QuadraticForm& form) const {
        if (quantity_ == Quantity::residual) return std::max(1.0 - form.times(1.0), 0.0);
        if (quantity_ == Quantity::variance) return form.times(of_.model.info.regularizer);
        return form.lpr();
    }

    const SpeciesRows& of_;
    Quantity quantity_;
    Of what_;
    VectorView values_;
    MatrixView derivatives_;
};

/// Calls use(rows) for tiles of environments of one species.
template <typename Use>
void for_each_species_rows(const FeatureRows& given, const Use& use) {
    const ModelState& model = given.model;
    for_each_species_tile(
        model, given.species, given.features.rows, 1,
        [&](std::size_t s, SpeciesTile& tile, const Index* rows, Index count) {
            gather(model, given.features, rows, count, tile);
            use(SpeciesRows{model, model.species[s], given.features, rows, count, tile});
        }
    );
}

}  // namespace

void FeatureRows::differentiate_energies(ConstMatrixView weights, MatrixView energies, MatrixView derivatives) const {
    for_each_species_rows(*this, [&](const SpeciesRows& rows) {
        const Energies of_rows(rows, weights, energies, derivatives);
        of_rows.evaluate_kernels();
        of_rows.write();
    });
}

void FeatureRows::differentiate_scores(Quantity quantity, Of of, VectorView values, MatrixView derivatives) const {
    for_each_species_rows(*this, [&](const SpeciesRows& rows) {
        ScoreDerivatives(rows, quantity, of, values, derivatives).write();
    });
}

void check_quantity(const ModelInfo& model, Quantity quantity) {
    const char* name = quantity == Quantity::lpr        ? "lpr"
                       : quantity == Quantity::lpr_held ? "lpr_held"
                       : quantity == Quantity::variance ? "variance"
                                                        : "residual";
    for (const ScoreColumn& column : score_columns) {
        if (std::string(column.name) != name || column.is_given(model)) continue;
        throw InvalidInput(std::string(name) + " has no gradient: " + column.why_not + "; ask for another score.");
    }
}

}  // namespace lpr_fast
