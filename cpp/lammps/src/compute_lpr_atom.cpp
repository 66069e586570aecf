#include "compute_lpr_atom.hpp"

#include <atom.h>
#include <comm.h>
#include <error.h>
#include <memory.h>
#include <modify.h>
#include <neighbor.h>
#include <update.h>

#include <algorithm>
#include <cmath>
#include <exception>

#include "lpr_fast/error.hpp"

namespace lpr_fast {

namespace {

std::vector<std::string> words_after_style(int n_arguments, char** arguments) {
    return {arguments + 3, arguments + n_arguments};
}

std::size_t at(int i) {
    return static_cast<std::size_t>(i);
}

}  // namespace

ComputeLprAtom::ComputeLprAtom(LAMMPS_NS::LAMMPS* lammps, int n_arguments, char** arguments)
    : Compute(lammps, n_arguments, arguments) {
    on_all([&] {
        arguments_ = parse_arguments(words_after_style(n_arguments, arguments), atom->ntypes);
        const std::string units = update->unit_style;
        if (units != "metal" && units != "real" && units != "lj")
            throw InvalidInput(
                "units " + units + " has another unit of length than the model; use units metal or real."
            );
        load_model();
    });
    peratom_flag = 1;
    size_peratom_cols = arguments_.quantities.size() == 1 ? 0 : static_cast<int>(arguments_.quantities.size());
}

ComputeLprAtom::~ComputeLprAtom() {
    memory->destroy(vector_atom);
    memory->destroy(array_atom);
}

template <typename Action>
void ComputeLprAtom::on_all(const Action& action) {
    std::string message;
    try {
        action();
    } catch (const std::exception& failure) {
        message = "compute lpr/atom: " + std::string(failure.what());
    }
    const int failed = message.empty() ? 0 : 1;
    int n_failed = 0;
    MPI_Allreduce(&failed, &n_failed, 1, MPI_INT, MPI_SUM, world);
    if (n_failed == 0) return;
    if (n_failed == comm->nprocs) error->all(FLERR, message);
    if (failed) error->one(FLERR, message);
    MPI_Barrier(world);  // wait: a processor that failed ends the run
}

void ComputeLprAtom::load_model() {
    model_ = Model::load(arguments_.model);
    check_arguments(arguments_, model_->info());
    if (arguments_.features.empty()) scorer_.emplace(*model_);
}

void ComputeLprAtom::init() {
    if (arguments_.features.empty()) return;
    on_all([&] {
        features_compute_ = modify->get_compute_by_id(arguments_.features);
        if (features_compute_ == nullptr)
            throw InvalidInput("there is no compute " + arguments_.features + " for the features; define it first.");
        if (!features_compute_->peratom_flag || features_compute_->size_peratom_cols != model_->info().n_features)
            throw InvalidInput(
                "compute " + arguments_.features + " gives " + std::to_string(features_compute_->size_peratom_cols) +
                " columns for each atom, but the model has " + std::to_string(model_->info().n_features) +
                " features; give the compute that the model was fitted to."
            );
    });
}

void ComputeLprAtom::setup() {
    check_ghost_cutoff();
}

/// Checks that ghost atoms reach as far as the cutoff plus the skin. An atom and its neighbour may each move by half
/// the skin before LAMMPS finds the ghost atoms again.
void ComputeLprAtom::check_ghost_cutoff() {
    if (!scorer_) return;
    const double needed = scorer_->cutoff() + neighbor->skin;
    if (comm->mode != LAMMPS_NS::Comm::SINGLE)
        error->all(FLERR, "compute lpr/atom needs the same ghost cutoff for all atoms: use comm_modify mode single");
    const double has = std::max(comm->cutghostuser, neighbor->cutneighmax);
    if (has < needed)
        error->all(
            FLERR,
            "compute lpr/atom needs ghost atoms up to {:g}, the model's cutoff plus the neighbor skin, "
            "but they end at {:g}: add 'comm_modify cutoff {:g}' to the input",
            needed, has, std::ceil(100.0 * needed) / 100.0
        );
}

void ComputeLprAtom::compute_peratom() {
    invoked_peratom = update->ntimestep;
    check_ghost_cutoff();
    refresh_ghosts();
    grow();
    collect_centers();
    if (features_compute_ != nullptr && !(features_compute_->invoked_flag & INVOKED_PERATOM)) {
        features_compute_->compute_peratom();
        features_compute_->invoked_flag |= INVOKED_PERATOM;
    }
    on_all([&] {
        const Scores scores = room_for_scores();
        if (scorer_)
            score_soap(scores);
        else
            score_features(scores);
    });
    write_out();
}

/// Updates the positions of ghost atoms. Fixes that change the box or move atoms at the end of a step, such as fix
/// deform, do not update them. The list of ghost atoms changes only when LAMMPS builds neighbor lists.
void ComputeLprAtom::refresh_ghosts() {
    comm->forward_comm();
}

void ComputeLprAtom::grow() {
    if (atom->nmax <= nmax_ && (vector_atom != nullptr || array_atom != nullptr)) return;
    nmax_ = atom->nmax;
    memory->destroy(vector_atom);
    memory->destroy(array_atom);
    if (size_peratom_cols == 0)
        memory->create(vector_atom, nmax_, "lpr/atom:vector_atom");
    else
        memory->create(array_atom, nmax_, size_peratom_cols, "lpr/atom:array_atom");
}

void ComputeLprAtom::collect_centers() {
    centers_.clear();
    species_.clear();
    for (int i = 0; i < atom->nlocal; ++i) {
        const int species = arguments_.species[at(atom->type[i] - 1)];
        if (!(atom->mask[i] & groupbit) || species == 0) continue;
        centers_.push_back(i);
        species_.push_back(species);
    }
}

Scores ComputeLprAtom::room_for_scores() {
    Scores scores;
    for (const std::size_t k : arguments_.quantities) {
        scores_[k].resize(std::max<std::size_t>(centers_.size(), 1));
        scores.*(score_columns[k].view) = {scores_[k].data(), static_cast<Index>(centers_.size())};
    }
    return scores;
}

void ComputeLprAtom::score_soap(const Scores& scores) {
    if (centers_.empty()) return;  // no atom of the group on this process, only ghost atoms
    rows_.clear();
    for (const int i : centers_) rows_.insert(rows_.end(), atom->x[i], atom->x[i] + 3);
    for (int i = 0; i < atom->nlocal + atom->nghost; ++i) {
        const int species = arguments_.species[at(atom->type[i] - 1)];
        const bool is_center = i < atom->nlocal && (atom->mask[i] & groupbit);
        if (species == 0 || is_center) continue;
        rows_.insert(rows_.end(), atom->x[i], atom->x[i] + 3);
        species_.push_back(species);
    }
    Configuration atoms;
    atoms.positions = {rows_.data(), static_cast<Index>(species_.size()), 3};
    atoms.species = species_.data();
    atoms.n_centers = static_cast<Index>(centers_.size());
    scorer_->score(atoms, scores, comm->nthreads);
}

void ComputeLprAtom::score_features(const Scores& scores) {
    const int n_features = features_compute_->size_peratom_cols;
    rows_.clear();
    for (const int i : centers_) {
        const double* row = features_compute_->array_atom[i];
        rows_.insert(rows_.end(), row, row + n_features);
    }
    const ConstMatrixView features(rows_.data(), static_cast<Index>(centers_.size()), n_features);
    model_->score(features, species_.data(), scores, comm->nthreads);
}

/// Writes the scores. Atoms that are not scored have zeros.
void ComputeLprAtom::write_out() {
    const auto n_columns = static_cast<int>(arguments_.quantities.size());
    double* const out = size_peratom_cols == 0 ? vector_atom : (nmax_ > 0 ? array_atom[0] : nullptr);
    std::fill_n(out, at(atom->nlocal) * at(n_columns), 0.0);
    for (std::size_t row = 0; row < centers_.size(); ++row)
        for (int column = 0; column < n_columns; ++column)
            out[centers_[row] * n_columns + column] = scores_[arguments_.quantities[at(column)]][row];
}

double ComputeLprAtom::memory_usage() {
    std::size_t bytes = at(nmax_) * arguments_.quantities.size() * sizeof(double);
    for (const auto& scores : scores_) bytes += scores.capacity() * sizeof(double);
    bytes += rows_.capacity() * sizeof(double) + (centers_.capacity() + species_.capacity()) * sizeof(int);
    return static_cast<double>(bytes);
}

}  // namespace lpr_fast

extern "C" __attribute__((visibility("default"))) void* lpr_fast_create_compute(
    void* lammps, int n_arguments, char** arguments
) {
    return new lpr_fast::ComputeLprAtom(static_cast<LAMMPS_NS::LAMMPS*>(lammps), n_arguments, arguments);
}
