/* C interface (C99): scores of a fitted model, also for languages that call C. It needs no other header of the library.
 *
 * If a function does not return LPR_FAST_OK, its outputs are unchanged or partly written, and lpr_fast_last_error()
 * gives the reason in one sentence. No function throws an exception, prints, or ends the process. Any number of threads
 * may use one model at the same time.
 */
#ifndef LPR_FAST_H
#define LPR_FAST_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A fitted model. Immutable. */
typedef struct lpr_fast_model lpr_fast_model;

typedef enum {
    LPR_FAST_OK = 0,
    LPR_FAST_INVALID_INPUT = 1, /**< an argument or a file cannot be used */
    LPR_FAST_OUT_OF_MEMORY = 2,
    LPR_FAST_INTERNAL_ERROR = 3 /**< any other error: a bug of the library */
} lpr_fast_status;

/** Reads a model file, as Python's `save` or `lpr-fast fit` write it.
 *
 * @param path   name of the file
 * @param model  output: the model, which lpr_fast_free() must free once; NULL after a failure
 * @return LPR_FAST_INVALID_INPUT for files that cannot be read, are not model files, are truncated or changed, or come
 *         from a newer version
 */
lpr_fast_status lpr_fast_load(const char* path, lpr_fast_model** model);

/** Frees a model that no thread uses any more. NULL is allowed. */
void lpr_fast_free(lpr_fast_model* model);

/* Facts about a model. If the model is NULL or the index is out of range, these functions return -1, NaN or NULL, and
 * lpr_fast_last_error() gives the reason. Texts are UTF-8, end with a zero, and live as long as the model. */

/** M, the number of weights and of columns of phi. */
ptrdiff_t lpr_fast_size(const lpr_fast_model* model);
/** D, the number of features of an environment. */
ptrdiff_t lpr_fast_n_features(const lpr_fast_model* model);
/** Number of redundant active environments, which were dropped. */
ptrdiff_t lpr_fast_n_dropped(const lpr_fast_model* model);
/** Number of species of centers that the model knows. */
ptrdiff_t lpr_fast_n_species(const lpr_fast_model* model);
/** Atomic number of species `index`, 0 <= index < lpr_fast_n_species(), in ascending order. */
int lpr_fast_species(const lpr_fast_model* model, ptrdiff_t index);
/** Baseline of species `index`: its energy per atom, in the unit of the training energies. NaN for models without
 * energies. */
double lpr_fast_baseline(const lpr_fast_model* model, ptrdiff_t index);
/** The regularizer mu. The variance is mu / LPR. */
double lpr_fast_regularizer(const lpr_fast_model* model);
/** Power of the kernel; 0 for linear models. */
double lpr_fast_zeta(const lpr_fast_model* model);
/** Estimate of the 2-norm condition number of R, the square root of that of the Hessian. */
double lpr_fast_condition_number(const lpr_fast_model* model);
/** 1 if the model gives local energies, else 0. */
int lpr_fast_has_energies(const lpr_fast_model* model);
/** 1 if the model gives residuals, as all kernel models do, else 0. */
int lpr_fast_has_residual(const lpr_fast_model* model);
/** 1 if the model gives lpr_held, as models of several species do, else 0. */
int lpr_fast_has_held(const lpr_fast_model* model);
/** 1 if the model gives percentiles and verdicts, because it has the scores of its training set, else 0. */
int lpr_fast_has_reference(const lpr_fast_model* model);
/** Number of members of a committee, which give the spread; 0 for models without members. */
ptrdiff_t lpr_fast_n_members(const lpr_fast_model* model);
/** Prior variance of kernel or weights, in squared energies, for sigma. 0 for models that were neither calibrated nor
 * fitted to labels with noise; they have no sigma. */
double lpr_fast_prior_variance(const lpr_fast_model* model);
/** "sparse_kernel" or "linear". */
const char* lpr_fast_kind(const lpr_fast_model* model);
/** "total", "per_atom" or "noise": the training loss, which sets the scale of the LPR. */
const char* lpr_fast_loss(const lpr_fast_model* model);
/** Parameters of featomic's SoapPowerSpectrum, as JSON; "" for features of another origin. */
const char* lpr_fast_hypers(const lpr_fast_model* model);
/** Origin of the model, as JSON. */
const char* lpr_fast_provenance(const lpr_fast_model* model);

/** Outputs of scoring: one number for each environment, row or center. An output that is NULL is not computed; an
 * output that the model does not have is an error.
 *
 * Begin with `lpr_fast_scores scores = {.size = sizeof(lpr_fast_scores)};`, likewise with the other structs. In C++17,
 * begin with `lpr_fast_scores scores{};` and set the size in the next line. Members that you do not set must be zero:
 * later versions may add members at the end, for which zero means what there was before. */
typedef struct {
    size_t size;          /**< sizeof(lpr_fast_scores) */
    double* lpr;          /**< local prediction rigidity 1 / (phi^T H^-1 phi); infinite if phi = 0 */
    double* variance;     /**< mu / LPR, in units of the prior variance */
    double* residual;     /**< distance from the active set, k(i,i) - k^T K_MM^-1 k, from 0 to 1; kernel models */
    double* local_energy; /**< baseline included, in the unit of the training energies; models with energies */
    double* lpr_held;     /**< LPR while held predictions, such as the mean of each species, stay fixed */
    double* percentile;   /**< percent of training environments of its species that are less rigid; with a reference */
    double* verdict;      /**< 0 pinned by data, 1 loose, 2 unlike the training set; models with a reference */
    double* sigma;        /**< standard deviation of local_energy, in its unit; models with a prior variance */
    double* spread;       /**< standard deviation of local_energy over the members of a committee */
} lpr_fast_scores;

/** Scores n environments from their features.
 *
 * @param features   environment i begins at features + i * stride and has lpr_fast_n_features() numbers from the
 *                   descriptor, not normalised; kernel models normalise them
 * @param n          number of environments; 0 is allowed
 * @param stride     distance between environments, in numbers; at least lpr_fast_n_features()
 * @param species    (n,) atomic numbers of the centers
 * @param scores     outputs of n numbers
 * @param n_threads  0: OMP_NUM_THREADS, or the cores in the affinity mask
 * @return LPR_FAST_INVALID_INPUT for NaN, infinity and entries above 1e140 (naming the row), unknown species (naming
 * the row), scores that the model does not have, and a struct whose size is not that of this header
 */
lpr_fast_status lpr_fast_score(
    const lpr_fast_model* model, const double* features, ptrdiff_t n, ptrdiff_t stride, const int* species,
    const lpr_fast_scores* scores, int n_threads
);

/** Scores n rows of phi of any origin, for instance sums over atoms.
 *
 * @param phi     row i begins at phi + i * stride and has lpr_fast_size() numbers
 * @param stride  distance between rows, in numbers; at least lpr_fast_size()
 * @param scores  outputs of n numbers; local_energy is phi^T weights without a baseline; rows of phi have no residual,
 *                sigma, percentile or verdict
 *
 * The other arguments and the return value are as for lpr_fast_score().
 */
lpr_fast_status lpr_fast_score_phi(
    const lpr_fast_model* model, const double* phi, ptrdiff_t n, ptrdiff_t stride, const lpr_fast_scores* scores,
    int n_threads
);

/** Atoms, of which the first n_centers are described and scored; the others are neighbours alone (ghost atoms, halos).
 */
typedef struct {
    size_t size; /**< sizeof(lpr_fast_structure) */
    ptrdiff_t n_atoms;
    ptrdiff_t n_centers;     /**< from 1 to n_atoms, which scores all atoms; 0 is an error unless n_atoms is 0, so a
                                  process that has only ghost atoms makes no call */
    const double* positions; /**< (n_atoms, 3), in the unit of the model's cutoff (usually Angstrom) */
    const int* species;      /**< (n_atoms,) atomic numbers */
    const double* cell; /**< (3, 3), the rows are the cell vectors, used along periodic directions; the others may be
                             zero; NULL is allowed if no direction is periodic */
    int periodic[3];    /**< along which cell vectors; all 0 for a cluster, or atoms with their ghosts */
} lpr_fast_structure;

/** Describes the centers of a structure by the model's SOAP power spectrum and scores them.
 *
 * @param scores     outputs of n_centers numbers
 * @param n_threads  0: OMP_NUM_THREADS, or the cores in the affinity mask
 * @return LPR_FAST_INVALID_INPUT for models of features of another origin and models from files of version 1, positions
 *         and cells that are not finite, atoms at the same position, cells without a volume, atoms without centers,
 *         centers of unknown species (naming the atom), scores that the model does not have, and a struct whose size is
 *         not that of this header
 */
lpr_fast_status lpr_fast_score_structure(
    const lpr_fast_model* model, const lpr_fast_structure* structure, const lpr_fast_scores* scores, int n_threads
);

/** Outputs of lpr_fast_predict(). An output that is NULL is not computed. */
typedef struct {
    size_t size;            /**< sizeof(lpr_fast_predictions) */
    double* energy;         /**< one number: the sum of the local energies of the centers */
    double* local_energies; /**< (n_centers,) baseline included, with the bits of local_energy in lpr_fast_scores */
    double* forces; /**< (n_atoms, 3) minus the derivatives of the energy with respect to the positions of all atoms,
                         centers or not; add the forces of ghosts to the atoms that they are images of */
    double* virial; /**< (3, 3) minus the derivatives with respect to strain; the stress is -virial / volume */
} lpr_fast_predictions;

/** Computes energy, forces and virial of a structure in one pass, in the units of the training energies and of
 * positions.
 *
 * @return as lpr_fast_score_structure(), and LPR_FAST_INVALID_INPUT for models without energies, and for forces or
 *         virial of a descriptor that is not differentiable (a step as cutoff function)
 */
lpr_fast_status lpr_fast_predict(
    const lpr_fast_model* model, const lpr_fast_structure* structure, const lpr_fast_predictions* predictions,
    int n_threads
);

/** Radius of an environment, in the unit of positions. NaN for a model that cannot describe structures;
 * lpr_fast_last_error() gives the reason. */
double lpr_fast_cutoff(const lpr_fast_model* model);

/** Why the last call that failed on this thread did so, in one sentence; "" if none failed. The text lives until the
 * next failing call on this thread. Long texts are cut. */
const char* lpr_fast_last_error(void);

/** Version of the library, such as "0.2.0". */
const char* lpr_fast_version(void);

#ifdef __cplusplus
}
#endif

#endif /* LPR_FAST_H */
