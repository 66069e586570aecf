// structure_driver MODEL: prints the rigidities of four silicon atoms in a periodic cube.

#include <cstdio>
#include <vector>

#include "lpr_fast/lpr_fast.hpp"

int main(int n_arguments, char** arguments) {
    if (n_arguments != 2) return 2;
    const std::vector<double> positions{0.0, 0.0, 0.0, 1.25, 1.5, 1.25, 0.0, 2.75, 2.5, 2.5, 0.25, 2.75};
    const std::vector<int> species(4, 14);
    std::vector<double> lpr(4);
    try {
        const lpr_fast::SoapScorer scorer(lpr_fast::Model::load(arguments[1]));
        lpr_fast::Configuration atoms;
        atoms.positions = {positions.data(), 4, 3};
        atoms.species = species.data();
        atoms.n_centers = 4;
        atoms.cell = {5.5, 0, 0, 0, 5.5, 0, 0, 0, 5.5};
        atoms.periodic = {true, true, true};
        lpr_fast::Scores scores;
        scores.lpr = {lpr.data(), 4};
        scorer.score(atoms, scores);
    } catch (const lpr_fast::Error& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    for (const double value : lpr) std::printf("%.17g\n", value);
}
