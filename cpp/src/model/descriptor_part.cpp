#include "model/descriptor_part.hpp"

#include <algorithm>
#include <functional>
#include <numeric>

#include "hot/soap.hpp"
#include "model/model_entries.hpp"

namespace lpr_fast {
namespace {

// Coefficients in each polynomial of the radial table.
constexpr Index n_powers = table_degree + 1;

template <typename Value>
bool ascends(const std::vector<Value>& values) {
    return std::adjacent_find(values.begin(), values.end(), std::greater_equal<>()) == values.end();
}

std::vector<double> copied(ConstVectorView values) {
    return {values.data, values.data + values.size};
}

RadialTable read_table(const Json& facts, const ModelParts& parts) {
    RadialTable table;
    const double cutoff = as_positive(facts.at("cutoff"), "the cutoff of the descriptor");
    table.error = as_not_negative(facts.at("error"), "the error of the radial table");
    table.scatter = as_not_negative(facts.at("scatter"), "the scatter of the radial table");
    table.angular = as_sizes(facts.at("angular"), "angular", "an angular channel");
    table.n_radial = as_sizes(facts.at("n_radial"), "n_radial", "a number of radial functions");
    if (table.angular.empty() || table.n_radial.size() != table.angular.size() || !ascends(table.angular)) {
        refuse_parts("angular and n_radial are not ascending channels with one number each");
    }
    table.edges = copied(finite_vector(parts, "descriptor.edges").vector());
    if (table.edges.size() < 2 || !ascends(table.edges)) refuse_parts("the edges of the radial table do not ascend");
    if (table.edges.back() != cutoff) refuse_parts("the radial table does not end at the cutoff");
    const auto n_cells = static_cast<Index>(table.edges.size()) - 1;
    const Index n_functions = std::accumulate(table.n_radial.begin(), table.n_radial.end(), Index{0});
    const auto coefficients = finite_matrix(parts, "descriptor.coefficients", n_cells * n_powers, n_functions);
    table.coefficients = copied(coefficients.vector());
    const Index n_center = table.angular.front() == 0 ? table.n_radial.front() : 0;
    table.center = copied(finite_vector(parts, "descriptor.center", n_center).vector());
    return table;
}

}  // namespace

DescriptorPart read_descriptor(const Json& facts, const ModelParts& parts) {
    DescriptorPart descriptor;
    if (facts.is_null()) return descriptor;
    if (!facts.is_object()) refuse_parts("the descriptor is neither a dictionary nor null");
    descriptor.kind = facts.at("kind").get_ref<const std::string&>();
    if (descriptor.kind == "array" || descriptor.kind == "external") {
        descriptor.name = facts.at("name").get_ref<const std::string&>();
    } else if (descriptor.kind == "soap") {
        if (!facts.at("hypers").is_object()) refuse_parts("hypers is not a dictionary");
        descriptor.hypers = facts.at("hypers").dump();
        // Files of version 1 have no table.
        if (facts.size() > 2) descriptor.table = read_table(facts, parts);
    } else {
        refuse_parts("unknown kind of descriptor " + in_quotes(descriptor.kind));
    }
    return descriptor;
}

}  // namespace lpr_fast
