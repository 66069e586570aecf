// A model that Python fitted scores features; then the same kind of model is built here, without Python.
//   example_model model.lpr

#include <cstdio>
#include <vector>

#include "lpr_fast/lpr_fast.hpp"

using namespace lpr_fast;

namespace {

/// A fitted model: features as the descriptor gives them go in, one number for each atom comes out.
void score_with_a_model_file(const char* path) {
    const Model model = Model::load(path);
    const ModelInfo& info = model.info();
    std::printf("%s model, M = %td, D = %td\n", info.kind.c_str(), info.size, info.n_features);

    const Index n_atoms = 2;
    const std::vector<double> features(static_cast<std::size_t>(n_atoms * info.n_features), 1.0);
    const std::vector<int> species(static_cast<std::size_t>(n_atoms), info.species.back());
    std::vector<double> lpr(static_cast<std::size_t>(n_atoms));
    Scores scores;
    scores.lpr = {lpr.data(), n_atoms};  // scores without data are not computed
    model.score({features.data(), n_atoms, info.n_features}, species.data(), scores);
    std::printf("LPR of the first atom is positive: %s\n", lpr[0] > 0.0 ? "yes" : "no");
}

/// A sparse kernel model of one's own: two active environments, three structures, kernels (x . x')^2.
void build_a_model() {
    const double zeta = 2.0;
    const double regularizer = 0.5;
    const std::vector<double> active{1.0, 0.0, 0.0,  //
                                     0.0, 1.0, 0.0};
    const ConstMatrixView active_view{active.data(), 2, 3};

    std::vector<double> prior(4);  // K_MM, here the identity
    kernel_rows(active_view, active_view, zeta, {prior.data(), 2, 2});

    // Structure rows X_A: kernels to the active set, summed over the atoms; energies without baseline beside them.
    const std::vector<double> rows{1.0, 0.0,  //
                                   0.0, 1.0,  //
                                   1.0, 1.0};
    const std::vector<double> energies{1.0, 2.0, 3.0};
    HessianAccumulator accumulator(2, Method::qr, true);
    accumulator.add_labelled({rows.data(), 3, 2}, {energies.data(), 3});

    const ConstMatrixView prior_view{prior.data(), 2, 2};
    const Fit fitted = fit(accumulator, regularizer, prior_view);
    const KernelScorer scorer(
        active_view, zeta, fitted.factor, factorize_prior(prior_view), ConstVectorView{fitted.weights.data(), 2}
    );

    // Normalised features of three atoms; the last one is unlike both active environments.
    const std::vector<double> features{1.0, 0.0, 0.0,  //
                                       0.6, 0.8, 0.0,  //
                                       0.0, 0.0, 1.0};
    std::vector<double> lpr(3), explained(3), local_energies(3);
    scorer.score({features.data(), 3, 3}, {{{lpr.data(), 3}}, {explained.data(), 3}, {local_energies.data(), 3}});
    for (std::size_t i = 0; i < 3; ++i) {
        std::printf("LPR = %.4f, residual = %.4f, ", lpr[i], 1.0 - explained[i]);
        std::printf("energy = %.4f\n", local_energies[i]);
    }
}

}  // namespace

int main(int n_arguments, char** arguments) {
    if (n_arguments != 2) {
        std::fprintf(stderr, "usage: %s model.lpr\n", arguments[0]);
        return 2;
    }
    try {
        score_with_a_model_file(arguments[1]);
        build_a_model();
    } catch (const Error& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
