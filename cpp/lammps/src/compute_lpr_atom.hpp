#pragma once

#include <compute.h>

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "lpr_fast/soap_scorer.hpp"

namespace lpr_fast {

/// Scores of the atoms of a group, as a per-atom vector or array of LAMMPS.
///
/// Each processor scores its own atoms in an open cluster of its own and its ghost atoms. The ghost atoms stand for
/// periodic images and for atoms of other processors.
class ComputeLprAtom : public LAMMPS_NS::Compute {
public:
    ComputeLprAtom(LAMMPS_NS::LAMMPS* lammps, int n_arguments, char** arguments);
    ~ComputeLprAtom() override;

    void init() override;
    void setup() override;
    void compute_peratom() override;
    double memory_usage() override;

private:
    /// Runs `action` on all processors and passes exceptions to LAMMPS's error handling: as one error if all processors
    /// failed.
    template <typename Action>
    void on_all(const Action& action);

    void load_model();
    void check_ghost_cutoff();
    void refresh_ghosts();
    void grow();
    void collect_centers();
    Scores room_for_scores();
    void score_soap(const Scores& scores);
    void score_features(const Scores& scores);
    void write_out();

    Arguments arguments_;
    std::optional<Model> model_;
    std::optional<SoapScorer> scorer_;
    Compute* features_compute_ = nullptr;

    int nmax_ = 0;
    std::vector<int> centers_;  // indices of the local atoms that are scored
    std::vector<int> species_;  // of the centers, then of the other atoms
    std::vector<double> rows_;  // positions or features, in the order of species_
    std::array<std::vector<double>, score_columns.size()> scores_;
};

}  // namespace lpr_fast
