// libFuzzer target: for any bytes, a model is loaded or InvalidInput is thrown. Length and hash of the header are
// corrected first, so that the checks behind them are reached. docs/guides/cpp.md says how to run it.

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "forged_files.hpp"
#include "lpr_fast/error.hpp"
#include "lpr_fast/score_columns.hpp"

using namespace lpr_fast;

namespace {

/// The bytes, with length and hash corrected unless the first byte is odd.
std::string prepared(const std::uint8_t* bytes, std::size_t n_bytes) {
    const std::string content(reinterpret_cast<const char*>(bytes), n_bytes);
    if (n_bytes <= 8 || (bytes[0] & 1U) != 0) return content;
    const std::size_t end_of_header = content.find_first_not_of(' ', 8 + testing::end_of_object(content.substr(8)));
    const std::size_t end = std::min(end_of_header, n_bytes);  // spaces pad the header
    return testing::forged(content.substr(8, end - 8), content.substr(end));
}

void score_something(const Model& model) {
    const ModelInfo& info = model.info();
    if (info.n_features > 10000 || info.size > 10000) return;
    const Index n_rows = 3;
    const std::vector<double> features(static_cast<std::size_t>(n_rows * info.n_features), 0.5);
    const std::vector<double> phi(static_cast<std::size_t>(n_rows * info.size), 0.5);
    const std::vector<int> species(static_cast<std::size_t>(n_rows), info.species.back());
    std::vector<double> of_features(phi.size());
    double out[score_columns.size()][n_rows];
    Scores scores;
    for (std::size_t k = 0; k < score_columns.size(); ++k)
        if (score_columns[k].is_given(info)) scores.*(score_columns[k].view) = {out[k], n_rows};
    Scores of_phi = scores;
    of_phi.residual = of_phi.sigma = of_phi.percentile = of_phi.verdict = {};
    model.score_phi({phi.data(), n_rows, info.size}, of_phi, 1);
    model.score({features.data(), n_rows, info.n_features}, species.data(), scores, 1);
    model.phi({features.data(), n_rows, info.n_features}, species.data(), {of_features.data(), n_rows, info.size}, 1);
    static_cast<void>(Model::from_parts(model.parts()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t n_bytes) {
    try {
        score_something(testing::model_of(prepared(bytes, n_bytes)));
    } catch (const InvalidInput& error) {
        const std::string message = error.what();
        // Scoring may throw, too, for instance for negative scalar products and a zeta that is not an integer.
        if (message.empty() || message.find('\n') != std::string::npos) std::abort();
    }
    return 0;
}
