/* Tests of the C interface, in C99, with the public header only. */

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lpr_fast/lpr_fast.h"

static int failures = 0;

static void check(int passed, int line, const char* what) {
    if (passed) return;
    ++failures;
    printf("line %d: failed: %s; the last error is: %s\n", line, what, lpr_fast_last_error());
}

#define CHECK(condition) check((condition) ? 1 : 0, __LINE__, #condition)

enum { n_rows = 24, n_features = 5, n_atoms = 20, n_centers = 14, residual = 4, n_columns = 9 };

/* One environment for each line of the text file; see tools/cpp_models.py. */
static int read_rows(const char* path, int* species, double* features, double (*expected)[n_columns]) {
    char comment[200];
    FILE* file = fopen(path, "r");
    int row, k;
    if (file == NULL || fgets(comment, sizeof(comment), file) == NULL) return 0;
    for (row = 0; row < n_rows; ++row) {
        int n_read = fscanf(file, "%d", &species[row]);
        for (k = 0; k < n_features; ++k) n_read += fscanf(file, "%lf", &features[row * n_features + k]);
        for (k = 0; k < n_columns; ++k) n_read += fscanf(file, "%lf", &expected[row][k]);
        if (n_read != 1 + n_features + n_columns) break;
    }
    fclose(file);
    return row == n_rows;
}

/* Columns of the text files, and outputs of scores. */
typedef struct {
    double lpr[n_rows], lpr_held[n_rows], variance[n_rows], sigma[n_rows], residual[n_rows], local_energy[n_rows];
    double percentile[n_rows], verdict[n_rows], spread[n_rows];
} columns;

static lpr_fast_scores all_of(columns* out) {
    lpr_fast_scores scores = {.size = sizeof(lpr_fast_scores)};
    scores.lpr = out->lpr, scores.lpr_held = out->lpr_held, scores.variance = out->variance, scores.sigma = out->sigma;
    scores.residual = out->residual, scores.local_energy = out->local_energy;
    scores.percentile = out->percentile, scores.verdict = out->verdict;
    scores.spread = out->spread;
    return scores;
}

/* The columns that the model does not have are NaN in the file. */
static int are_close(const columns* found, int row, const double* expected, double tolerance) {
    const double values[n_columns] = {found->lpr[row],        found->lpr_held[row], found->variance[row],
                                      found->sigma[row],      found->residual[row], found->local_energy[row],
                                      found->percentile[row], found->verdict[row],  found->spread[row]};
    int k;
    for (k = 0; k < n_columns; ++k) {
        if (isnan(expected[k]) || values[k] == expected[k]) continue;
        /* The residual is a difference from one. */
        if (!(fabs(values[k] - expected[k]) <= tolerance * (fabs(expected[k]) + (k == residual ? 1.0 : 0.0)))) return 0;
    }
    return 1;
}

static int is_close(double found, double expected) {
    return found == expected || fabs(found - expected) <= 1e-12 * fabs(expected);
}

static void check_description(const lpr_fast_model* model) {
    CHECK(lpr_fast_size(model) == 9 && lpr_fast_n_features(model) == n_features && lpr_fast_n_dropped(model) == 2);
    CHECK(lpr_fast_n_species(model) == 3 && lpr_fast_species(model, 0) == 8 && lpr_fast_species(model, 2) == 31);
    CHECK(lpr_fast_regularizer(model) == 1e-3 && lpr_fast_zeta(model) == 1.5);
    CHECK(lpr_fast_condition_number(model) > 1.0 && lpr_fast_baseline(model, 0) == -0.8);
    CHECK(lpr_fast_has_energies(model) == 1 && lpr_fast_has_residual(model) == 1);
    CHECK(lpr_fast_has_held(model) == 0 && lpr_fast_has_reference(model) == 0 && lpr_fast_prior_variance(model) == 0.0);
    CHECK(lpr_fast_n_members(model) == 0);
    CHECK(strcmp(lpr_fast_kind(model), "sparse_kernel") == 0 && strcmp(lpr_fast_loss(model), "per_atom") == 0);
    CHECK(strstr(lpr_fast_hypers(model), "\"cutoff\"") != NULL);
    CHECK(strstr(lpr_fast_provenance(model), "cpp_models.py") != NULL);
    CHECK(lpr_fast_species(model, 3) == -1);
    CHECK(strcmp(lpr_fast_last_error(), "species 3 was asked for, but the model has 3; count them from 0.") == 0);
    CHECK(isnan(lpr_fast_baseline(model, -1)));
}

static lpr_fast_status score(const lpr_fast_model* model, const double* features, ptrdiff_t n, const int* species) {
    double lpr[n_rows];
    lpr_fast_scores scores = {.size = sizeof(lpr_fast_scores)};
    scores.lpr = lpr;
    return lpr_fast_score(model, features, n, n_features, species, &scores, 1);
}

static void check_refusals(const lpr_fast_model* model, int* species, const double* features) {
    double lpr[n_rows];
    lpr_fast_scores scores = {.size = sizeof(lpr_fast_scores)};
    CHECK(lpr_fast_score(model, NULL, 0, n_features, NULL, &scores, 1) == LPR_FAST_OK);
    scores.lpr = lpr;
    CHECK(score(model, features, -1, species) == LPR_FAST_INVALID_INPUT);
    CHECK(score(model, NULL, 2, species) == LPR_FAST_INVALID_INPUT);
    CHECK(score(model, features, 2, NULL) == LPR_FAST_INVALID_INPUT);
    CHECK(lpr_fast_score(model, features, 2, 3, species, &scores, 1) == LPR_FAST_INVALID_INPUT);
    CHECK(lpr_fast_score(model, features, 2, n_features, species, &scores, -1) == LPR_FAST_INVALID_INPUT);
    CHECK(lpr_fast_score_phi(model, NULL, 2, 9, &scores, 1) == LPR_FAST_INVALID_INPUT);
    CHECK(lpr_fast_score(model, features, 2, n_features, species, NULL, 1) == LPR_FAST_INVALID_INPUT);
    CHECK(strcmp(lpr_fast_last_error(), "scores is NULL; give a pointer to something.") == 0);
    scores.size = 0;
    CHECK(lpr_fast_score(model, features, 2, n_features, species, &scores, 1) == LPR_FAST_INVALID_INPUT);
    CHECK(strstr(lpr_fast_last_error(), "the size of lpr_fast_scores is 0, but this version") != NULL);
    CHECK(lpr_fast_score_phi(model, features, 0, 9, &scores, 1) == LPR_FAST_INVALID_INPUT);
    species[4] = 79;
    CHECK(score(model, features, n_rows, species) == LPR_FAST_INVALID_INPUT);
    CHECK(
        strcmp(
            lpr_fast_last_error(),
            "row 4 is an environment of species 79, and the model knows 8, 14, 31 only; "
            "fit a model with species 79, or leave that row out."
        ) == 0
    );
}

static void check_phi(const lpr_fast_model* model) {
    double phi[2 * 9] = {1.0}, lpr[2], variance[2], local_energy[2];
    lpr_fast_scores scores = {.size = sizeof(lpr_fast_scores)};
    scores.lpr = lpr, scores.variance = variance, scores.local_energy = local_energy;
    CHECK(lpr_fast_score_phi(model, phi, 2, 9, &scores, 1) == LPR_FAST_OK);
    CHECK(is_close(variance[0] * lpr[0], 1e-3) && isinf(lpr[1]) && variance[1] == 0.0 && local_energy[1] == 0.0);
    scores.residual = variance;
    CHECK(lpr_fast_score_phi(model, phi, 2, 9, &scores, 1) == LPR_FAST_INVALID_INPUT);
    CHECK(strstr(lpr_fast_last_error(), "cannot be scored from phi") != NULL);
}

static void check_scores(const lpr_fast_model* model, const char* text_path) {
    int species[n_rows], row;
    double features[n_rows * n_features], expected[n_rows][n_columns], alone[n_rows];
    columns found;
    lpr_fast_scores scores = all_of(&found);
    CHECK(read_rows(text_path, species, features, expected));
    CHECK(lpr_fast_score(model, features, n_rows, n_features, species, &scores, 0) == LPR_FAST_INVALID_INPUT);
    CHECK(strstr(lpr_fast_last_error(), "lpr_held cannot be scored") != NULL);
    scores.lpr_held = scores.sigma = scores.percentile = scores.verdict = scores.spread = NULL;
    CHECK(lpr_fast_score(model, features, n_rows, n_features, species, &scores, 0) == LPR_FAST_OK);
    for (row = 0; row < n_rows; ++row) CHECK(are_close(&found, row, expected[row], 1e-12));
    /* Every second row, one output. */
    scores.lpr = scores.residual = scores.local_energy = NULL, scores.variance = alone;
    CHECK(lpr_fast_score(model, features, 1, 2 * n_features, species, &scores, 1) == LPR_FAST_OK);
    CHECK(alone[0] == found.variance[0]);
    check_phi(model);
    check_refusals(model, species, features);
}

/* A structure and the scores of its centers; see tools/cpp_models.py. */
typedef struct {
    int species[n_atoms];
    double positions[n_atoms][3], cell[9], expected[n_centers][n_columns];
    lpr_fast_structure structure;
} described;

static int read_structure(const char* path, described* atoms) {
    char comment[300];
    FILE* file = fopen(path, "r");
    int row, k, n_read = 0, sizes[2];
    if (file == NULL || fgets(comment, sizeof(comment), file) == NULL) return 0;
    memset(atoms, 0, sizeof(*atoms));
    n_read += fscanf(file, "%d %d", &sizes[0], &sizes[1]);
    for (k = 0; k < 9; ++k) n_read += fscanf(file, "%lf", &atoms->cell[k]);
    for (k = 0; k < 3; ++k) n_read += fscanf(file, "%d", &atoms->structure.periodic[k]);
    for (row = 0; row < n_atoms; ++row) {
        n_read += fscanf(file, "%d", &atoms->species[row]);
        for (k = 0; k < 3; ++k) n_read += fscanf(file, "%lf", &atoms->positions[row][k]);
    }
    for (row = 0; row < n_centers; ++row) {
        for (k = 0; k < n_columns; ++k) n_read += fscanf(file, "%lf", &atoms->expected[row][k]);
    }
    fclose(file);
    atoms->structure.size = sizeof(lpr_fast_structure);
    atoms->structure.n_atoms = n_atoms;
    atoms->structure.n_centers = n_centers;
    atoms->structure.positions = atoms->positions[0];
    atoms->structure.species = atoms->species;
    atoms->structure.cell = atoms->cell;
    return n_read == 2 + 12 + 4 * n_atoms + n_columns * n_centers && sizes[0] == n_atoms && sizes[1] == n_centers;
}

static int is_refused(
    const lpr_fast_model* model, const lpr_fast_structure* structure, const lpr_fast_scores* scores, const char* why
) {
    return lpr_fast_score_structure(model, structure, scores, 1) == LPR_FAST_INVALID_INPUT &&
           strstr(lpr_fast_last_error(), why) != NULL;
}

static void check_structures(const lpr_fast_model* model, const char* text_path) {
    described atoms;
    double alone[n_centers];
    columns found;
    lpr_fast_scores scores = all_of(&found);
    lpr_fast_structure changed;
    int row;
    CHECK(read_structure(text_path, &atoms));
    CHECK(lpr_fast_cutoff(model) == 3.5);
    CHECK(lpr_fast_has_held(model) == 1 && lpr_fast_has_reference(model) == 1);
    CHECK(lpr_fast_prior_variance(model) == 4.0);
    CHECK(lpr_fast_score_structure(model, &atoms.structure, &scores, 2) == LPR_FAST_OK);
    for (row = 0; row < n_centers; ++row) CHECK(are_close(&found, row, atoms.expected[row], 1e-9));
    memset(&scores, 0, sizeof(scores));
    scores.size = sizeof(scores), scores.lpr_held = alone;
    CHECK(lpr_fast_score_structure(model, &atoms.structure, &scores, 1) == LPR_FAST_OK);
    CHECK(memcmp(found.lpr_held, alone, sizeof(alone)) == 0);

    changed = atoms.structure;
    changed.cell = NULL;
    CHECK(is_refused(
        model, &changed, &scores,
        "cell is NULL, but the structure is periodic; give the three cell vectors as 9 numbers"
    ));
    memset(changed.periodic, 0, sizeof(changed.periodic));
    CHECK(lpr_fast_score_structure(model, &changed, &scores, 1) == LPR_FAST_OK);
    changed.size = 8;
    CHECK(is_refused(model, &changed, &scores, "the size of lpr_fast_structure is 8, but this version"));
    changed = atoms.structure;
    changed.n_centers = n_atoms + 1;
    CHECK(is_refused(model, &changed, &scores, "21 centers among 20 atoms"));
    changed.n_centers = -1;
    CHECK(is_refused(model, &changed, &scores, "-1 centers among 20 atoms"));
    changed.n_centers = 0;
    CHECK(is_refused(model, &changed, &scores, "n_centers is 0, but the structure has 20 atoms; set it to the number"));
    changed.n_atoms = 0;
    CHECK(lpr_fast_score_structure(model, &changed, &scores, 1) == LPR_FAST_OK);
    changed = atoms.structure;
    changed.species = NULL;
    CHECK(is_refused(model, &changed, &scores, "no positions or no species"));
    atoms.species[3] = 79;
    CHECK(is_refused(model, &atoms.structure, &scores, "has species 79 (atom 3), and the model knows 14, 31 only"));
    scores.size = 0;
    CHECK(is_refused(model, &atoms.structure, &scores, "the size of lpr_fast_scores is 0, but this version"));
    CHECK(is_refused(model, NULL, &scores, "structure is NULL") && is_refused(model, &changed, NULL, "scores is NULL"));
    CHECK(is_refused(NULL, &changed, &scores, "model is NULL") && isnan(lpr_fast_cutoff(NULL)));
}

static int is_not_predicted(
    const lpr_fast_model* model, const lpr_fast_structure* structure, const lpr_fast_predictions* predictions,
    const char* why
) {
    return lpr_fast_predict(model, structure, predictions, 1) == LPR_FAST_INVALID_INPUT &&
           strstr(lpr_fast_last_error(), why) != NULL;
}

/* Derivative of the energy with respect to x of an atom, by finite differences of four values. */
static double difference(const lpr_fast_model* model, described* atoms, int atom) {
    static const double steps[4] = {-2e-3, -1e-3, 1e-3, 2e-3}, factors[4] = {1.0, -8.0, 8.0, -1.0};
    lpr_fast_predictions predictions = {.size = sizeof(lpr_fast_predictions)};
    double energy = 0.0, sum = 0.0;
    const double x = atoms->positions[atom][0];
    int i;
    predictions.energy = &energy;
    for (i = 0; i < 4; ++i) {
        atoms->positions[atom][0] = x + steps[i];
        CHECK(lpr_fast_predict(model, &atoms->structure, &predictions, 1) == LPR_FAST_OK);
        sum += factors[i] * energy;
    }
    atoms->positions[atom][0] = x;
    return sum / 12e-3;
}

static void check_predictions(const lpr_fast_model* model, const char* text_path) {
    described atoms;
    double energy = 0.0, locals[n_centers], forces[n_atoms][3], virial[9], alone[9], scored[n_centers];
    long double sum = 0.0L;
    lpr_fast_predictions predictions = {.size = sizeof(lpr_fast_predictions)}, none = predictions;
    lpr_fast_scores scores = {.size = sizeof(lpr_fast_scores)};
    int i;
    CHECK(read_structure(text_path, &atoms));
    predictions.energy = &energy, predictions.local_energies = locals;
    predictions.forces = forces[0], predictions.virial = virial;
    CHECK(lpr_fast_predict(model, &atoms.structure, &predictions, 2) == LPR_FAST_OK);
    scores.local_energy = scored;
    CHECK(lpr_fast_score_structure(model, &atoms.structure, &scores, 1) == LPR_FAST_OK);
    CHECK(memcmp(locals, scored, sizeof(locals)) == 0);
    for (i = 0; i < n_centers; ++i) sum += locals[i];
    /* Rounded once, but for what the sum of long doubles loses. */
    CHECK(fabsl(energy - sum) <= 0.51L * DBL_EPSILON * fabsl(sum));
    for (i = 0; i < n_atoms; ++i) {
        const double expected = -difference(model, &atoms, i);
        CHECK(fabs(forces[i][0] - expected) < 1e-7 * (1.0 + fabs(expected)));
    }
    predictions.forces = NULL, predictions.virial = alone;
    CHECK(lpr_fast_predict(model, &atoms.structure, &predictions, 1) == LPR_FAST_OK);
    CHECK(memcmp(virial, alone, sizeof(virial)) == 0);
    CHECK(lpr_fast_predict(model, &atoms.structure, &none, 1) == LPR_FAST_OK);

    none.size = 8;
    CHECK(is_not_predicted(model, &atoms.structure, &none, "the size of lpr_fast_predictions is 8, but this version"));
    CHECK(is_not_predicted(model, &atoms.structure, NULL, "predictions is NULL"));
    CHECK(is_not_predicted(model, NULL, &predictions, "structure is NULL"));
    CHECK(is_not_predicted(NULL, &atoms.structure, &predictions, "model is NULL"));
    atoms.structure.n_centers = n_atoms + 1;
    CHECK(is_not_predicted(model, &atoms.structure, &predictions, "21 centers among 20 atoms"));
    atoms.structure.n_centers = -1;
    CHECK(is_not_predicted(model, &atoms.structure, &predictions, "-1 centers among 20 atoms"));
    atoms.structure.n_centers = 0;
    CHECK(is_not_predicted(model, &atoms.structure, &predictions, "n_centers is 0, but the structure has 20 atoms"));
    atoms.structure.n_centers = n_centers;
    atoms.species[3] = 79;
    CHECK(
        is_not_predicted(model, &atoms.structure, &predictions, "has species 79 (atom 3), and the model knows 14, 31")
    );
}

/* Twice, because a failed call must not leave a scorer behind. */
static void check_that_no_structure_is_described(const lpr_fast_model* model) {
    lpr_fast_structure none = {sizeof(lpr_fast_structure), 0, 0, NULL, NULL, NULL, {0, 0, 0}};
    lpr_fast_scores scores = {.size = sizeof(lpr_fast_scores)};
    const char* const why = "the model has 5 features, but its radial table makes";
    CHECK(is_refused(model, &none, &scores, why) && is_refused(model, &none, &scores, why));
    CHECK(isnan(lpr_fast_cutoff(model)));
}

static void check_null(void) {
    const double number = 0.0;
    const int species = 14;
    const lpr_fast_scores scores = {.size = sizeof(lpr_fast_scores)};
    lpr_fast_model* model = NULL;
    CHECK(lpr_fast_load(NULL, &model) == LPR_FAST_INVALID_INPUT && model == NULL);
    CHECK(strcmp(lpr_fast_last_error(), "path is NULL; give a pointer to something.") == 0);
    CHECK(lpr_fast_load("", &model) == LPR_FAST_INVALID_INPUT && model == NULL);
    CHECK(strcmp(lpr_fast_last_error(), "the path of the model file is empty; give the name of a model file.") == 0);
    CHECK(lpr_fast_load("x", NULL) == LPR_FAST_INVALID_INPUT);
    CHECK(lpr_fast_score(NULL, &number, 1, 1, &species, &scores, 1) == LPR_FAST_INVALID_INPUT);
    CHECK(strcmp(lpr_fast_last_error(), "model is NULL; give a pointer to something.") == 0);
    CHECK(lpr_fast_score_phi(NULL, &number, 1, 1, &scores, 1) == LPR_FAST_INVALID_INPUT);
    CHECK(lpr_fast_size(NULL) == -1 && lpr_fast_n_features(NULL) == -1 && lpr_fast_n_dropped(NULL) == -1);
    CHECK(lpr_fast_n_species(NULL) == -1 && lpr_fast_species(NULL, 0) == -1 && isnan(lpr_fast_baseline(NULL, 0)));
    CHECK(isnan(lpr_fast_regularizer(NULL)) && isnan(lpr_fast_zeta(NULL)) && isnan(lpr_fast_condition_number(NULL)));
    CHECK(lpr_fast_has_energies(NULL) == -1 && lpr_fast_has_residual(NULL) == -1);
    CHECK(lpr_fast_has_held(NULL) == -1 && lpr_fast_has_reference(NULL) == -1 && isnan(lpr_fast_prior_variance(NULL)));
    CHECK(lpr_fast_n_members(NULL) == -1);
    CHECK(lpr_fast_kind(NULL) == NULL && lpr_fast_loss(NULL) == NULL);
    CHECK(lpr_fast_hypers(NULL) == NULL && lpr_fast_provenance(NULL) == NULL);
    lpr_fast_free(NULL);
}

/* Messages are cut, not overrun. */
static void check_long_message(void) {
    static char path[5000];
    lpr_fast_model* model = NULL;
    memset(path, 'x', sizeof(path) - 1);
    CHECK(lpr_fast_load(path, &model) == LPR_FAST_INVALID_INPUT && model == NULL);
    CHECK(strlen(lpr_fast_last_error()) == 1023);
}

int main(int n_arguments, char** arguments) {
    lpr_fast_model* model = NULL;
    if (n_arguments != 6) return 2;
    CHECK(strcmp(lpr_fast_last_error(), "") == 0);
    CHECK(strcmp(lpr_fast_version(), arguments[3]) == 0);
    CHECK(lpr_fast_load(arguments[2], &model) == LPR_FAST_INVALID_INPUT && model == NULL);
    CHECK(strstr(lpr_fast_last_error(), "is not a model file of lpr_fast") != NULL);
    CHECK(lpr_fast_load(arguments[1], &model) == LPR_FAST_OK && model != NULL);
    if (model != NULL) {
        check_description(model);
        check_scores(model, arguments[2]);
        check_that_no_structure_is_described(model);
    }
    lpr_fast_free(model);
    CHECK(lpr_fast_load(arguments[4], &model) == LPR_FAST_OK && model != NULL);
    if (model != NULL) {
        check_structures(model, arguments[5]);
        check_predictions(model, arguments[5]);
    }
    lpr_fast_free(model);
    check_null();
    check_long_message();
    return failures == 0 ? 0 : 1;
}
