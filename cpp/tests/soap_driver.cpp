// Describes and scores the structures of a file, for test_soap_scorer.py: soap_driver MODEL INPUT OUTPUT N_THREADS.
// Input: per structure n_atoms, n_centers, cell, periodicity, and a line of atomic number and position for each atom.
// Output: per structure features, lpr, variance, residual and energy of the centers, and the total energy, in binary;
// zeros where a model has none.

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "lpr_fast/error.hpp"
#include "lpr_fast/soap_scorer.hpp"

namespace {

using namespace lpr_fast;

struct Input {
    std::vector<double> positions;
    std::vector<int> species;
    Configuration atoms;
};

/// Reads a number; "nan" is allowed.
double read_number(std::istream& in) {
    std::string word;
    in >> word;
    return std::strtod(word.c_str(), nullptr);
}

bool read_structure(std::istream& in, Input& structure) {
    Index n_atoms = 0;
    if (!(in >> n_atoms >> structure.atoms.n_centers)) return false;
    for (double& entry : structure.atoms.cell) in >> entry;
    for (bool& periodic : structure.atoms.periodic) in >> periodic;
    const auto size = static_cast<std::size_t>(n_atoms);
    structure.positions.resize(3 * size);
    structure.species.resize(size);
    for (std::size_t i = 0; i < size; ++i) {
        in >> structure.species[i];
        for (std::size_t k = 0; k < 3; ++k) structure.positions[3 * i + k] = read_number(in);
    }
    structure.atoms.positions = {structure.positions.data(), n_atoms, 3};
    structure.atoms.species = structure.species.data();
    return true;
}

void write(std::ostream& out, const std::vector<double>& values) {
    out.write(
        reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(double))
    );
}

void describe_and_score(const SoapScorer& scorer, const Input& structure, int n_threads, std::ostream& out) {
    const Index n = structure.atoms.n_centers;
    const auto size = static_cast<std::size_t>(n);
    std::vector<double> features(size * static_cast<std::size_t>(scorer.n_features()));
    scorer.features(structure.atoms, {features.data(), n, scorer.n_features()}, n_threads);
    std::vector<double> lpr(size), variance(size), residual(size), energy(size);
    Scores scores;
    scores.lpr = {lpr.data(), n};
    scores.variance = {variance.data(), n};
    if (scorer.model().info().has_residual) scores.residual = {residual.data(), n};
    if (scorer.model().info().has_energies) scores.local_energy = {energy.data(), n};
    scorer.score(structure.atoms, scores, n_threads);
    std::vector<double> total(1);
    if (scorer.model().info().has_energies) {
        Predictions predictions;
        predictions.energies = {energy.data(), n, 1};
        predictions.totals = {total.data(), 1};
        const Structure checked(structure.atoms, scorer.soap().species(), scorer.cutoff());
        scorer.predict({&checked}, std::nullopt, predictions, n_threads);
    }
    for (const auto* values : {&features, &lpr, &variance, &residual, &energy, &total}) write(out, *values);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 5) return 2;
    try {
        const SoapScorer scorer(Model::load(argv[1]));
        std::ifstream in(argv[2]);
        std::ofstream out(argv[3], std::ios::binary);
        for (Input structure; read_structure(in, structure);)
            describe_and_score(scorer, structure, std::atoi(argv[4]), out);
    } catch (const Error& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
