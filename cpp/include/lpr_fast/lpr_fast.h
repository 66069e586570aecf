/* Scores of a fitted model from C, and from whatever calls C: C99, no other header of the library needed.
 *
 * Functions that return lpr_fast_status leave their outputs as they were, or in part written, unless they return
 * LPR_FAST_OK; lpr_fast_last_error() then says why in one sentence. No exception leaves these functions, and none of
 * them prints or ends the process. Any number of threads may use one model at the same time.
 */
#ifndef LPR_FAST_H
#define LPR_FAST_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A fitted model, immutable. */
typedef struct lpr_fast_model lpr_fast_model;

typedef enum {
    LPR_FAST_OK = 0,
    LPR_FAST_INVALID_INPUT = 1, /**< an argument or a file that cannot be used */
    LPR_FAST_OUT_OF_MEMORY = 2,
    LPR_FAST_INTERNAL_ERROR = 3 /**< anything else: a mistake in the library */
} lpr_fast_status;

/** Reads the model file that Python's `save` or `lpr-fast fit` wrote.
 *
 * @param path   name of the file
 * @param model  takes the model, to be given to lpr_fast_free() once; NULL after a failure
 * @return LPR_FAST_INVALID_INPUT for files that cannot be read, are something else, truncated, changed, or newer
 */
lpr_fast_status lpr_fast_load(const char* path, lpr_fast_model** model);

/** Gives the model's memory back, when no thread uses it any more. NULL is allowed. */
void lpr_fast_free(lpr_fast_model* model);

/* What a model says of itself. A model that is NULL, or an index that does not exist, gives -1, NaN or NULL, and
 * lpr_fast_last_error() says so. Texts end with a zero, are UTF-8, and live as long as the model. */

/** M, the number of weights and of columns of phi. */
ptrdiff_t lpr_fast_size(const lpr_fast_model* model);
/** D, the number of features of an environment. */
ptrdiff_t lpr_fast_n_features(const lpr_fast_model* model);
/** Active environments that are redundant and were left out. */
ptrdiff_t lpr_fast_n_dropped(const lpr_fast_model* model);
/** Number of centre species that the model knows. */
ptrdiff_t lpr_fast_n_species(const lpr_fast_model* model);
/** Atomic number of species `index`, 0 <= index < lpr_fast_n_species(); ascending. */
int lpr_fast_species(const lpr_fast_model* model, ptrdiff_t index);
/** Energy of an atom of species `index`, in the unit of the training energies; NaN for models without energies. */
double lpr_fast_baseline(const lpr_fast_model* model, ptrdiff_t index);
/** mu: the variance is mu / LPR. */
double lpr_fast_regularizer(const lpr_fast_model* model);
/** Power of the kernel; 0 for linear models. */
double lpr_fast_zeta(const lpr_fast_model* model);
/** Estimate of the condition number of R, the square root of that of the Hessian. */
double lpr_fast_condition_number(const lpr_fast_model* model);
/** 1 if local energies can be scored, else 0. */
int lpr_fast_has_energies(const lpr_fast_model* model);
/** 1 if residuals can be scored, as for all kernel models, else 0. */
int lpr_fast_has_residual(const lpr_fast_model* model);
/** 1 if rows are held, as where there are several species: lpr_held can be scored, else 0. */
int lpr_fast_has_held(const lpr_fast_model* model);
/** 1 if percentiles and verdicts can be scored, because the model knows how its training environments score, else 0. */
int lpr_fast_has_reference(const lpr_fast_model* model);
/** Members of a committee, by which spread can be scored; 0 for models without. */
ptrdiff_t lpr_fast_n_members(const lpr_fast_model* model);
/** Prior variance of the kernel in squared energies if the model was calibrated, or fitted to labels with noise: sigma
 * can be scored; else 0. */
double lpr_fast_prior_variance(const lpr_fast_model* model);
/** "sparse_kernel" or "linear". */
const char* lpr_fast_kind(const lpr_fast_model* model);
/** "total", "per_atom" or "noise": what the training minimised, which sets the scale of the rigidities. */
const char* lpr_fast_loss(const lpr_fast_model* model);
/** Parameters of featomic's SoapPowerSpectrum, as JSON; "" for features of another origin. */
const char* lpr_fast_hypers(const lpr_fast_model* model);
/** Where the model comes from, as JSON. */
const char* lpr_fast_provenance(const lpr_fast_model* model);

/** Where scores go: one number for each environment, row or center. What is NULL is not computed.
 *
 * Begin with `lpr_fast_scores scores = {.size = sizeof(lpr_fast_scores)};`, likewise with the other structs. In C++17,
 * begin with `lpr_fast_scores scores{};` and set the size in the next line. Members that you do not set must be zero:
 * later versions may add members at the end, for which zero means what there was before. */
typedef struct {
    size_t size;          /**< sizeof(lpr_fast_scores) */
    double* lpr;          /**< local prediction rigidity; infinite where phi vanishes */
    double* variance;     /**< mu / LPR, in units of the kernel's prior variance */
    double* residual;     /**< what the active set cannot see, from 0 to 1; kernel models */
    double* local_energy; /**< baseline included, in the unit of the training energies; models with energies */
    double* lpr_held;   /**< LPR with the model's held rows fixed, as the mean of each species; models that hold rows */
    double* percentile; /**< percent of the species' training environments that are less rigid; with a reference */
    double* verdict;    /**< 0 pinned by data, 1 loose, 2 unlike the training set; models with a reference */
    double* sigma;      /**< standard deviation of local_energy, in its unit; models with a prior variance */
    double* spread;     /**< standard deviation of local_energy over the members of a committee; models with members */
} lpr_fast_scores;

/** Scores n environments from their features.
 *
 * @param features   environment i begins at features + i * stride and has lpr_fast_n_features() numbers, as the
 *                   descriptor gives them: kernel models normalise them
 * @param n          number of environments; 0 is allowed
 * @param stride     numbers from one environment to the next, at least lpr_fast_n_features()
 * @param species    atomic numbers of the n centres
 * @param scores     n numbers of each kind that is wanted
 * @param n_threads  0: OMP_NUM_THREADS, or the cores in the affinity mask
 * @return LPR_FAST_INVALID_INPUT for NaN, infinity and entries above 1e140, unknown species (both naming the row),
 *         scores that this model cannot give, and sizes that are not those of this header
 */
lpr_fast_status lpr_fast_score(
    const lpr_fast_model* model, const double* features, ptrdiff_t n, ptrdiff_t stride, const int* species,
    const lpr_fast_scores* scores, int n_threads
);

/** Scores n rows of phi, (M,) each, of any origin: sums over atoms among them.
 *
 * @param phi     row i begins at phi + i * stride and has lpr_fast_size() numbers
 * @param stride  numbers from one row to the next, at least lpr_fast_size()
 * @param scores  n numbers of each kind; local_energy is weights times phi, without a baseline, spread that of members;
 *                rows of phi have no residual, sigma, percentile or verdict
 *
 * The other arguments, and what is returned, are as for lpr_fast_score().
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
    ptrdiff_t n_centers;     /**< from 1 to n_atoms, which scores all atoms; 0 is an error unless there are no atoms, so
                                  a process that has ghost atoms alone makes no call */
    const double* positions; /**< (n_atoms, 3), in the unit of the model's cutoff (usually Angstrom) */
    const int* species;      /**< (n_atoms,) atomic numbers */
    const double* cell;      /**< (3, 3) the three cell vectors, row by row, with zeros for vectors that a structure
                                  lacks and that are not periodic; NULL is allowed where nothing is periodic */
    int periodic[3];         /**< along which vectors; all 0 for a cluster, or atoms with their ghosts */
} lpr_fast_structure;

/** Describes the centers of a structure by the model's SOAP power spectrum and scores them.
 *
 * @param scores     n_centers numbers of each kind that is wanted
 * @param n_threads  0: OMP_NUM_THREADS, or the cores in the affinity mask
 * @return LPR_FAST_INVALID_INPUT for models of features of another origin and of files of version 1, positions and
 *         cells that are not finite, atoms at the same place, cells that span no volume, atoms without centers, centers
 *         of unknown species (naming the atom), scores that this model cannot give, and sizes that are not those of
 *         this header
 */
lpr_fast_status lpr_fast_score_structure(
    const lpr_fast_model* model, const lpr_fast_structure* structure, const lpr_fast_scores* scores, int n_threads
);

/** Where predictions go. What is NULL is not computed. */
typedef struct {
    size_t size;            /**< sizeof(lpr_fast_predictions) */
    double* energy;         /**< one number: the sum of the local energies of the centers, baseline included */
    double* local_energies; /**< (n_centers,) baseline included, with the bits of local_energy in lpr_fast_scores */
    double* forces; /**< (n_atoms, 3): minus the derivatives of the energy with respect to positions, of atoms that
                         are no centers too: add those of ghosts to the atoms that they are images of */
    double* virial; /**< (3, 3): minus the derivatives with respect to strain; over minus the volume, the stress */
} lpr_fast_predictions;

/** Energy, forces and virial of a structure, in the units of the training energies and of positions, in one pass.
 *
 * @return as for lpr_fast_score_structure(); LPR_FAST_INVALID_INPUT too for models without energies, and where forces
 * or virial are wanted of a descriptor whose cutoff is a step
 */
lpr_fast_status lpr_fast_predict(
    const lpr_fast_model* model, const lpr_fast_structure* structure, const lpr_fast_predictions* predictions,
    int n_threads
);

/** Atoms farther apart do not see each other; NaN for a model that describes no structures, for which
 * lpr_fast_last_error() says why. */
double lpr_fast_cutoff(const lpr_fast_model* model);

/** What went wrong in the last call on this thread that failed: one sentence, "" if none did. The text lives until the
 * next call on this thread that fails, and is cut after some hundred bytes. */
const char* lpr_fast_last_error(void);

/** Version of the library, such as "0.2.0". */
const char* lpr_fast_version(void);

#ifdef __cplusplus
}
#endif

#endif /* LPR_FAST_H */
