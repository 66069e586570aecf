// Silicon is heated until it melts. Every few steps all atoms are scored; when the rigidity of any of them falls below
// a threshold, the frame is written, and the run ends.
//
//     melt MODEL THRESHOLD OUTPUT [STEPS [KELVIN]]

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iomanip>
#include <random>
#include <string>
#include <vector>

#include "lpr_fast/lpr_fast.hpp"
#include "stillinger_weber.hpp"

namespace {

using silicon::Atoms;

constexpr double mass = 28.0855;
constexpr double acceleration = 9.64853321e-3;  // eV / (angstrom u) in angstrom / fs^2
constexpr double boltzmann = 8.617333262e-5;    // eV / K
constexpr double time_step = 1.0;
constexpr double friction = 1e-2;  // 1 / fs
constexpr std::int64_t every = 50;

/// What is scored: the atoms as the library takes them, and the numbers that it gives.
class Watch {
public:
    Watch(const std::string& model, std::size_t n_atoms)
        : scorer_(lpr_fast::Model::load(model)), species_(n_atoms, 14), lpr_(n_atoms) {}

    double lowest_lpr(const Atoms& atoms) {
        const auto n = static_cast<lpr_fast::Index>(atoms.positions.size());
        lpr_fast::Configuration configuration;
        configuration.positions = {atoms.positions.front().data(), n, 3};
        configuration.species = species_.data();
        configuration.n_centers = n;
        configuration.cell = {atoms.edge, 0, 0, 0, atoms.edge, 0, 0, 0, atoms.edge};
        configuration.periodic = {true, true, true};
        lpr_fast::Scores scores;
        scores.lpr = {lpr_.data(), n};
        scorer_.score(configuration, scores);
        return *std::min_element(lpr_.begin(), lpr_.end());
    }

    const std::vector<double>& lpr() const { return lpr_; }

private:
    lpr_fast::SoapScorer scorer_;
    std::vector<int> species_;
    std::vector<double> lpr_;
};

/// One step of Langevin dynamics (Bussi and Parrinello, Phys. Rev. E 75, 056707, 2007); returns the potential energy.
double advance(Atoms& atoms, double kelvin, std::mt19937_64& generator) {
    std::normal_distribution<double> normal;
    const double kept = std::exp(-friction * time_step / 2.0);
    const double thermal = std::sqrt((1.0 - kept * kept) * boltzmann * kelvin / mass * acceleration);
    const auto thermostat = [&] {
        for (auto& velocity : atoms.velocities) {
            for (double& v : velocity) v = kept * v + thermal * normal(generator);
        }
    };
    const auto kick = [&] {
        for (std::size_t i = 0; i < atoms.forces.size(); ++i) {
            for (std::size_t k = 0; k < 3; ++k) {
                atoms.velocities[i][k] += 0.5 * time_step * acceleration / mass * atoms.forces[i][k];
            }
        }
    };
    thermostat();
    kick();
    for (std::size_t i = 0; i < atoms.positions.size(); ++i) {
        for (std::size_t k = 0; k < 3; ++k) atoms.positions[i][k] += time_step * atoms.velocities[i][k];
    }
    const double energy = silicon::stillinger_weber(atoms);
    kick();
    thermostat();
    return energy;
}

double temperature(const Atoms& atoms) {
    double twice_kinetic = 0.0;
    for (const auto& velocity : atoms.velocities) {
        for (const double v : velocity) twice_kinetic += mass / acceleration * v * v;
    }
    return twice_kinetic / (3.0 * static_cast<double>(atoms.velocities.size()) * boltzmann);
}

void write_frame(const std::string& path, const Atoms& atoms, const std::vector<double>& lpr, std::int64_t step) {
    std::ofstream file(path, std::ios::app);
    file << std::setprecision(17) << atoms.positions.size() << "\nLattice=\"" << atoms.edge << " 0 0 0 " << atoms.edge
         << " 0 0 0 " << atoms.edge << "\" Properties=species:S:1:pos:R:3:lpr:R:1 pbc=\"T T T\" step=" << step << "\n";
    for (std::size_t i = 0; i < atoms.positions.size(); ++i) {
        const auto& position = atoms.positions[i];
        file << "Si " << position[0] << " " << position[1] << " " << position[2] << " " << lpr[i] << "\n";
    }
    if (!file) throw lpr_fast::Error("cannot write " + path + "; give another name.");
}

void run(const std::string& model, double threshold, const std::string& output, std::int64_t steps, double kelvin) {
    Atoms atoms = silicon::diamond(3, 5.431);
    Watch watch(model, atoms.positions.size());
    lpr_fast::TriggerRules rules;
    rules.threshold = threshold;
    rules.release = 2.0 * threshold;
    lpr_fast::Trigger trigger(rules);
    std::mt19937_64 generator(1);
    silicon::stillinger_weber(atoms);
    std::printf("    step   kelvin   eV/atom   lowest LPR\n");
    for (std::int64_t step = 0; step <= steps && !trigger.is_exhausted(); ++step) {
        const double target = 300.0 + kelvin * static_cast<double>(step) / static_cast<double>(steps);
        const double energy = advance(atoms, target, generator) / static_cast<double>(atoms.positions.size());
        if (step % every != 0) continue;
        const double lowest = watch.lowest_lpr(atoms);
        const bool fires = trigger.update(step, {lowest}) != lpr_fast::TriggerReason::none;
        if (fires || step % (20 * every) == 0) {
            std::printf("%8lld %8.0f %9.4f %12.4g\n", static_cast<long long>(step), temperature(atoms), energy, lowest);
        }
        if (!fires) continue;
        write_frame(output, atoms, watch.lpr(), step);
        std::printf("an LPR is below %g: wrote %s\n", threshold, output.c_str());
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 4) {
        std::fprintf(stderr, "usage: melt MODEL THRESHOLD OUTPUT [STEPS [KELVIN]]\n");
        return 2;
    }
    const std::int64_t steps = argc > 4 ? std::atoll(argv[4]) : 40000;
    if (steps < 1) {
        std::fprintf(stderr, "melt: STEPS is %s; give a positive number.\n", argv[4]);
        return 2;
    }
    try {
        run(argv[1], std::atof(argv[2]), argv[3], steps, argc > 5 ? std::atof(argv[5]) : 4000.0);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "melt: %s\n", error.what());
        return 1;
    }
}
