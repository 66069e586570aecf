#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <utility>

#include "checks.hpp"
#include "json_text.hpp"
#include "lpr_fast/error.hpp"
#include "model_state.hpp"

namespace lpr_fast {
namespace {

using Factors = std::map<std::string, HessianFactor>;

/// Numbers of an array in a file, where they are if their address allows it, else a copy.
class Numbers {
public:
    explicit Numbers(const FileArray& array) : view_(nullptr, array.rows, array.cols) {
        const auto count = static_cast<std::size_t>(array.rows * array.cols);
        if (reinterpret_cast<std::uintptr_t>(array.bytes) % alignof(double) == 0) {
            view_.data = reinterpret_cast<const double*>(array.bytes);
        } else {
            copy_.resize(count);
            if (count > 0) std::memcpy(copy_.data(), array.bytes, count * sizeof(double));
            view_.data = copy_.data();
        }
    }
    Numbers(Numbers&&) = default;

    ConstMatrixView view() const { return view_; }

private:
    std::vector<double> copy_;
    ConstMatrixView view_;
};

[[noreturn]] void refuse(const std::string& what) {
    throw InvalidInput(what);
}

/// A text of the file as it may stand in a message.
std::string quoted(const std::string& text) {
    std::string shown = text.substr(0, 40);
    std::replace_if(shown.begin(), shown.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
    return "'" + shown + "'";
}

Index integer(const Json& value, const char* name) {
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() > static_cast<std::uint64_t>(max_size)) {
        refuse(std::string(name) + " is no integer from 0 to " + std::to_string(max_size));
    }
    return static_cast<Index>(value.get<std::uint64_t>());
}

double number(const Json& value, const char* name) {
    if (!value.is_number()) refuse(std::string(name) + " is no number");
    return value.get<double>();
}

double positive(const Json& value, const char* name) {
    const double found = number(value, name);
    if (!(found > 0.0)) refuse(std::string(name) + " is not positive");
    return found;
}

const FileArray& array_of(const ModelFile& file, const std::string& name, NumberType type, int n_extents) {
    const auto place = file.arrays.find(name);
    if (place == file.arrays.end()) refuse("there is no array " + quoted(name));
    const FileArray& array = place->second;
    if (array.type != type || array.n_extents != n_extents) {
        refuse("the array " + quoted(name) + " has another type or another number of extents than it should");
    }
    return array;
}

void check_arrays_are_finite(const ModelFile& file) {
    for (const auto& [name, array] : file.arrays) {
        if (array.type != NumberType::f64) continue;
        const Numbers numbers(array);
        const double* first = numbers.view().data;
        if (!std::all_of(first, first + array.rows * array.cols, [](double x) { return std::isfinite(x); })) {
            refuse("the array " + quoted(name) + " holds NaN or infinity");
        }
    }
}

std::vector<int> read_species(const Json& list) {
    std::vector<int> species;
    if (!list.is_array()) refuse("species is no list");
    for (const Json& entry : list) species.push_back(static_cast<int>(integer(entry, "a species")));
    if (species.empty()) refuse("there are no species");
    if (std::adjacent_find(species.begin(), species.end(), std::greater_equal<>()) != species.end()) {
        refuse("species are not ascending");
    }
    return species;
}

std::vector<double> read_baseline(const Json& list, std::size_t n_species) {
    std::vector<double> baseline;
    if (list.is_null()) return baseline;
    if (!list.is_array() || list.size() != n_species) refuse("the baseline is no list of one energy for each species");
    for (const Json& entry : list) baseline.push_back(number(entry, "a baseline"));
    return baseline;
}

std::string read_choice(const Json& facts, const char* name, const std::vector<std::string>& known) {
    const std::string& choice = facts.at(name).get_ref<const std::string&>();
    if (std::find(known.begin(), known.end(), choice) == known.end()) {
        refuse(std::string("unknown ") + name + " " + quoted(choice));
    }
    return choice;
}

/// Everything but what the whole factor says.
ModelInfo read_info(const Json& facts) {
    ModelInfo info;
    info.species = read_species(facts.at("species"));
    info.kind = read_choice(facts, "kind", {"sparse_kernel", "linear"});
    info.loss = read_choice(facts, "loss", {"total", "per_atom"});
    read_choice(facts, "method", {"qr", "gram"});
    info.has_residual = info.kind == "sparse_kernel";
    info.n_features = integer(facts.at("n_features"), "n_features");
    info.regularizer = positive(facts.at("regularizer"), "the regularizer");
    if (info.has_residual) info.zeta = positive(facts.at("zeta"), "zeta");
    info.baseline = read_baseline(facts.at("baseline"), info.species.size());
    info.has_energies = !info.baseline.empty();
    const Json& hypers = facts.at("hypers");
    if (!hypers.is_null() && !hypers.is_object()) refuse("hypers is neither a dictionary nor null");
    if (hypers.is_object()) info.hypers = hypers.dump();
    if (!facts.at("provenance").is_object()) refuse("the provenance is no dictionary");
    info.provenance = facts.at("provenance").dump();
    return info;
}

HessianFactor read_factor(const std::string& name, const Json& facts, const ModelFile& file) {
    const FileArray& listed = array_of(file, name + ".columns", NumberType::i64, 1);
    std::vector<Index> columns;
    for (Index i = 0; i < listed.cols; ++i) {
        std::int64_t column = 0;
        std::memcpy(&column, listed.bytes + i * 8, sizeof(column));
        columns.push_back(static_cast<Index>(column));
    }
    const Numbers triangle(array_of(file, name + ".triangle", NumberType::f64, 2));
    const Json& estimate = facts.at("error_estimate");
    return HessianFactor::from_triangle(
        integer(facts.at("size"), "the size of a factor"), std::move(columns), triangle.view(),
        number(facts.at("condition_number"), "a condition number"),
        estimate.is_null() ? std::numeric_limits<double>::quiet_NaN() : number(estimate, "an error estimate")
    );
}

Factors read_factors(const Json& facts, const ModelFile& file) {
    if (!facts.is_object()) refuse("factors is no dictionary");
    Factors factors;
    for (const auto& [name, parts] : facts.items()) factors.emplace(name, read_factor(name, parts, file));
    if (factors.count("hessian") == 0) refuse("the factor of the Hessian is missing");
    return factors;
}

/// Columns of phi that belong to each species.
std::vector<Index> read_widths(const Json& facts, const ModelInfo& info) {
    if (!info.has_residual) return std::vector<Index>(info.species.size(), info.n_features);
    std::vector<Index> widths;
    const Json& counts = facts.at("n_active");
    if (!counts.is_array() || counts.size() != info.species.size()) {
        refuse("n_active is no list of one number for each species");
    }
    for (const Json& count : counts) widths.push_back(integer(count, "a number of active environments"));
    return widths;
}

/// The factor of a species, or nothing where it must not have any.
const HessianFactor* part_of(const Factors& factors, const std::string& kind, int species, Index width) {
    const std::string name = kind + "." + std::to_string(species);
    const auto place = factors.find(name);
    const bool is_there = place != factors.end();
    if (is_there != (width > 0) || (is_there && place->second.size() != width)) {
        refuse("sizes of the parts disagree at the factor " + quoted(name));
    }
    return is_there ? &place->second : nullptr;
}

const HessianFactor* hessian_of(const Factors& factors, const ModelInfo& info, int species, Index width) {
    const bool is_whole = info.species.size() == 1 && factors.count("hessian." + std::to_string(species)) == 0;
    return is_whole ? &factors.at("hessian") : part_of(factors, "hessian", species, width);
}

/// Active environments of all species, one row each; nothing for linear models.
std::optional<Numbers> read_active(const ModelFile& file, const ModelInfo& info) {
    if (!info.has_residual) return std::nullopt;
    const FileArray& array = array_of(file, "active", NumberType::f64, 2);
    if (array.rows != info.size || array.cols != info.n_features) {
        refuse("the active set has another shape than it should");
    }
    return Numbers(array);
}

void read_weights(const ModelFile& file, ModelState& state) {
    const bool is_there = file.arrays.count("weights") == 1;
    if (is_there != state.info.has_energies)
        refuse("there are weights without a baseline, or a baseline without weights");
    if (!is_there) return;
    const FileArray& array = array_of(file, "weights", NumberType::f64, 1);
    if (array.cols != state.info.size) refuse("sizes of the parts disagree at the weights");
    const Numbers weights(array);
    state.weights.assign(weights.view().data, weights.view().data + array.cols);
}

KernelScorer kernel_scorer(
    const ModelState& state, ConstMatrixView active, Index first, const HessianFactor& factor,
    const HessianFactor& prior
) {
    const ConstMatrixView rows{active.row(first), factor.size(), active.cols};
    std::optional<ConstVectorView> weights;
    if (state.info.has_energies) weights = ConstVectorView{state.weights.data() + first, factor.size()};
    return KernelScorer(rows, state.info.zeta, factor, prior, weights);
}

}  // namespace

std::shared_ptr<const ModelState> assemble_model(const ModelFile& file) {
    const Json facts = parse_json(file.text.data(), file.text.data() + file.text.size());
    ModelInfo info = read_info(facts);
    check_arrays_are_finite(file);
    const std::vector<Index> widths = read_widths(facts, info);
    for (const Index width : widths) info.size += width;
    const auto active = read_active(file, info);
    const Factors factors = read_factors(facts.at("factors"), file);
    const HessianFactor& whole = factors.at("hessian");
    if (whole.size() != info.size) refuse("sizes of the parts disagree at the factor of the Hessian");
    info.n_dropped = whole.n_dropped();
    info.condition_number = whole.condition_number();
    auto state = std::make_shared<ModelState>(std::move(info), whole);
    read_weights(file, *state);
    Index first = 0;
    for (std::size_t s = 0; s < widths.size(); ++s) {
        const int species = state->info.species[s];
        SpeciesPart part{first, state->info.has_energies ? state->info.baseline[s] : 0.0, {}, {}};
        const HessianFactor* factor = hessian_of(factors, state->info, species, widths[s]);
        const HessianFactor* prior = part_of(factors, "prior", species, active ? widths[s] : 0);
        if (prior != nullptr) {
            part.scorer = kernel_scorer(*state, active->view(), first, *factor, *prior);
        } else if (factor != nullptr) {
            part.factor = *factor;
        }
        state->parts.push_back(std::move(part));
        first += widths[s];
    }
    return state;
}

}  // namespace lpr_fast
