#include <algorithm>
#include <cstring>
#include <functional>
#include <limits>
#include <utility>

#include "model/json_text.hpp"
#include "model/model_entries.hpp"
#include "model/model_sections.hpp"
#include "model/model_state.hpp"

namespace lpr_fast {
namespace {

/// Facts in the form of version 2. Version 1 had one kind of descriptor and stored only its hypers.
Json read_facts(const ModelParts& parts) {
    Json facts = parse_json(parts.text.data(), parts.text.data() + parts.text.size());
    if (parts.version == 1) {
        const Json hypers = facts.at("hypers");
        facts.erase("hypers");
        facts["descriptor"] = hypers.is_null() ? Json() : Json{{"kind", "soap"}, {"hypers", hypers}};
    }
    return facts;
}

std::vector<int> read_species(const Json& list) {
    std::vector<int> species;
    if (!list.is_array()) refuse_parts("species is not a list");
    for (const Json& entry : list) species.push_back(static_cast<int>(as_size(entry, "a species")));
    if (species.empty()) refuse_parts("there are no species");
    if (std::adjacent_find(species.begin(), species.end(), std::greater_equal<>()) != species.end()) {
        refuse_parts("species are not ascending");
    }
    return species;
}

std::vector<double> read_baseline(const Json& list, std::size_t n_species) {
    std::vector<double> baseline;
    if (list.is_null()) return baseline;
    if (!list.is_array() || list.size() != n_species)
        refuse_parts("the baseline is not a list with one energy for each species");
    for (const Json& entry : list) baseline.push_back(as_number(entry, "a baseline"));
    return baseline;
}

std::string read_choice(const Json& facts, const char* name, const std::vector<std::string>& known) {
    const std::string& choice = facts.at(name).get_ref<const std::string&>();
    if (std::find(known.begin(), known.end(), choice) == known.end()) {
        refuse_parts(std::string("unknown ") + name + " " + in_quotes(choice));
    }
    return choice;
}

/// The prior variance in a section of the text, or 0 if it has none.
double prior_variance_of(const Json& facts, const char* section) {
    const Json entries = facts.value(section, Json());
    if (!entries.is_object() || entries.count("prior_variance") == 0) return 0.0;
    return as_positive(entries.at("prior_variance"), "the prior variance");
}

/// Reads the prior variance, which gives variances the unit energy^2: of a calibration, otherwise of the noise of a
/// fit.
void read_prior_variance(const Json& facts, ModelInfo& info) {
    if (info.loss == "noise") info.prior_variance = prior_variance_of(facts, "noise");
    const double calibrated = prior_variance_of(facts, "calibration");
    if (calibrated == 0.0) return;
    info.prior_variance = calibrated;
    const Json& calibration = facts.at("calibration");
    info.projected_sigma = as_number(calibration.at("projected_process"), "projected_process") != 0.0;
    if (info.projected_sigma && !info.has_residual) refuse_parts("a linear model has no projected process");
}

/// Everything except what the factor of the Hessian says.
ModelInfo read_info(const Json& facts) {
    ModelInfo info;
    info.species = read_species(facts.at("species"));
    info.kind = read_choice(facts, "kind", {"sparse_kernel", "linear"});
    info.loss = read_choice(facts, "loss", {"total", "per_atom", "noise"});
    info.method = read_choice(facts, "method", {"qr", "gram"});
    info.has_residual = info.kind == "sparse_kernel";
    info.n_features = as_size(facts.at("n_features"), "n_features");
    info.has_constants = !info.has_residual && facts.value("constants", false);
    info.regularizer = as_positive(facts.at("regularizer"), "the regularizer");
    if (info.has_residual) info.zeta = as_positive(facts.at("zeta"), "zeta");
    read_prior_variance(facts, info);
    info.baseline = read_baseline(facts.at("baseline"), info.species.size());
    info.has_energies = !info.baseline.empty();
    if (!facts.at("provenance").is_object()) refuse_parts("the provenance is not a dictionary");
    info.provenance = facts.at("provenance").dump();
    return info;
}

HessianFactor read_factor(const std::string& name, const Json& facts, const ModelParts& parts) {
    const Numbers triangle = finite_matrix(parts, name + ".triangle");
    const Json& estimate = facts.at("error_estimate");
    const HessianFactor factor = HessianFactor::from_triangle(
        as_size(facts.at("size"), "the size of a factor"), indices(parts, name + ".columns"), triangle.matrix(),
        as_number(facts.at("condition_number"), "a condition number"),
        estimate.is_null() ? std::numeric_limits<double>::quiet_NaN() : as_number(estimate, "an error estimate")
    );
    if (!has_array(parts, name + ".directions")) return factor;
    const Numbers directions = finite_matrix(parts, name + ".directions");
    const Numbers left = finite_vector(parts, name + ".left", directions.matrix().rows);
    if (!has_array(parts, name + ".held")) return factor.with_held({{}, directions.matrix(), left.vector()});
    const Numbers rows = finite_matrix(parts, name + ".held");
    return factor.with_held({rows.matrix(), directions.matrix(), left.vector()});
}

Factors read_factors(const Json& facts, const ModelParts& parts, const ModelInfo& info) {
    if (!facts.is_object()) refuse_parts("factors is not a dictionary");
    Factors factors;
    for (const auto& [name, of_factor] : facts.items()) factors.emplace(name, read_factor(name, of_factor, parts));
    const auto whole = factors.find("hessian");
    if (whole == factors.end()) refuse_parts("the factor of the Hessian is missing");
    if (whole->second.size() != info.size) refuse_parts("sizes of the parts disagree at the factor of the Hessian");
    return factors;
}

/// Columns of phi that belong to each species.
std::vector<Index> read_widths(const Json& facts, const ModelInfo& info) {
    if (!info.has_residual) return std::vector<Index>(info.species.size(), gathered_columns(info));
    std::vector<Index> widths = as_sizes(facts.at("n_active"), "n_active", "a number of active environments");
    if (widths.size() != info.species.size()) refuse_parts("n_active is not a list of one number for each species");
    return widths;
}

/// The factor of a species; null if the species has no columns of phi.
const HessianFactor* part_of(const Factors& factors, const std::string& kind, int species, Index width) {
    const std::string name = kind + "." + std::to_string(species);
    const auto place = factors.find(name);
    const bool is_there = place != factors.end();
    if (is_there != (width > 0) || (is_there && place->second.size() != width)) {
        refuse_parts("sizes of the parts disagree at the factor " + in_quotes(name));
    }
    return is_there ? &place->second : nullptr;
}

const HessianFactor* hessian_of(const Factors& factors, const ModelInfo& info, int species, Index width) {
    const bool is_whole = info.species.size() == 1 && factors.count("hessian." + std::to_string(species)) == 0;
    return is_whole ? &factors.at("hessian") : part_of(factors, "hessian", species, width);
}

/// Copies the arrays that do not belong to a factor, including arrays that this version does not know.
void keep_arrays(const ModelParts& parts, ModelState& state) {
    for (auto [name, array] : parts.arrays) {
        const std::string owner = name.substr(0, name.rfind('.'));
        if (state.factors.count(owner) == 1) continue;
        const std::size_t n_bytes = static_cast<std::size_t>(array.rows * array.cols) *
                                    (array.type == NumberType::u8 ? sizeof(std::uint8_t) : sizeof(double));
        state.memory.emplace_back(array.bytes, array.bytes + n_bytes);
        array.bytes = state.memory.back().data();
        state.parts.arrays.emplace(name, array);
    }
}

ModelArray array_of(const double* numbers, Index rows, Index cols, int n_extents) {
    return {NumberType::f64, rows, cols, n_extents, reinterpret_cast<const std::uint8_t*>(numbers)};
}

void name_held(const std::string& name, const HeldParts& held, ModelArrays& arrays) {
    const auto& [rows, directions, left] = held;
    arrays.insert_or_assign(name + ".directions", array_of(directions.data, directions.rows, directions.cols, 2));
    arrays.insert_or_assign(name + ".left", array_of(left.data, 1, left.size, 1));
    if (rows.rows > 0) arrays.insert_or_assign(name + ".held", array_of(rows.data, rows.rows, rows.cols, 2));
}

/// Adds views of the arrays that the factors own.
void name_factors(ModelState& state) {
    static_assert(sizeof(Index) == sizeof(std::int64_t), "columns of factors have the type of the file");
    for (const auto& [name, factor] : state.factors) {
        const ConstMatrixView triangle = factor.triangle();
        const auto n_columns = static_cast<Index>(factor.columns().size());
        const auto* columns = reinterpret_cast<const std::uint8_t*>(factor.columns().data());
        state.parts.arrays.insert_or_assign(
            name + ".triangle", array_of(triangle.data, triangle.rows, triangle.cols, 2)
        );
        state.parts.arrays.insert_or_assign(name + ".columns", ModelArray{NumberType::i64, 1, n_columns, 1, columns});
        if (factor.holds()) name_held(name, factor.held(), state.parts.arrays);
    }
}

void find_active(ModelState& state) {
    if (!state.info.has_residual) return;
    state.active = finite_matrix(state.parts, "active", state.info.size, state.info.n_features).matrix();
}

void find_weights(ModelState& state) {
    if (has_array(state.parts, "weights") != state.info.has_energies) {
        refuse_parts("there are weights without a baseline, or a baseline without weights");
    }
    if (!state.info.has_energies) return;
    state.weights = finite_vector(state.parts, "weights", state.info.size).vector();
}

void find_members(ModelState& state) {
    // A spread needs two members; the upper limit protects from damaged files.
    constexpr Index fewest = 2, most = 100000;
    if (!has_array(state.parts, "members")) return;
    if (!state.info.has_energies) refuse_parts("there are members without weights");
    state.members = finite_matrix(state.parts, "members").matrix();
    state.info.n_members = state.members.rows;
    if (state.members.cols != state.info.size) {
        refuse_parts("the members and the model have different numbers of weights");
    }
    if (state.info.n_members < fewest || state.info.n_members > most) {
        refuse_parts("the number of members is not between " + std::to_string(fewest) + " and " + std::to_string(most));
    }
}

SpeciesPart species_part(const ModelState& state, std::size_t place, Index first, Index width) {
    const ModelInfo& info = state.info;
    const int species = info.species[place];
    SpeciesPart part{first, width, info.has_energies ? info.baseline[place] : 0.0, {}, {}, {}};
    const HessianFactor* factor = hessian_of(state.factors, info, species, width);
    if (factor != nullptr && factor->holds() != info.has_held) {
        refuse_parts("some factors have held predictions, others have none");
    }
    const HessianFactor* prior = part_of(state.factors, "prior", species, info.has_residual ? width : 0);
    if (prior != nullptr) {
        const ConstMatrixView active{state.active.row(first), width, state.active.cols};
        std::optional<ConstVectorView> weights;
        if (info.has_energies) weights = ConstVectorView{state.weights.data + first, width};
        std::optional<ConstMatrixView> members;
        if (info.n_members > 0) {
            members = ConstMatrixView{state.members.data + first, info.n_members, width, state.members.stride};
        }
        part.scorer.emplace(active, info.zeta, *factor, *prior, weights, members);
    } else if (factor != nullptr) {
        part.factor = *factor;
    }
    return part;
}

}  // namespace

std::shared_ptr<const ModelState> assemble_model(const ModelParts& parts) {
    const Json facts = read_facts(parts);
    auto state = std::make_shared<ModelState>();
    ModelInfo& info = state->info;
    info = read_info(facts);
    const std::vector<Index> widths = read_widths(facts, info);
    for (const Index width : widths) info.size += width;
    state->descriptor = read_descriptor(facts.at("descriptor"), parts);
    info.descriptor = state->descriptor.kind;
    info.hypers = state->descriptor.hypers;
    info.has_radial_table = state->descriptor.table.has_value();
    state->factors = read_factors(facts.at("factors"), parts, info);
    check_sections(facts, parts, info);
    const HessianFactor& whole = state->factors.at("hessian");
    info.n_dropped = whole.n_dropped();
    info.condition_number = whole.condition_number();
    info.has_held = whole.holds();
    state->parts.text = parts.version == 1 ? facts.dump() : parts.text;
    keep_arrays(parts, *state);
    name_factors(*state);
    find_active(*state);
    find_weights(*state);
    find_members(*state);
    const auto references = read_references(facts, parts, info);
    info.has_reference = !references.empty();
    Index first = 0;
    for (std::size_t place = 0; place < widths.size(); ++place) {
        state->species.push_back(species_part(*state, place, first, widths[place]));
        if (info.has_reference) state->species.back().reference = references[place];
        first += widths[place];
    }
    return state;
}

}  // namespace lpr_fast
