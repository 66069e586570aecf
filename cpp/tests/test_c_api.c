/* The C interface, from C99, with the public header alone. */

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

enum { n_rows = 24, n_features = 5 };

/* One environment for each line of the text file; see tools/cpp_models.py. */
static int read_rows(const char* path, int* species, double* features, double (*expected)[4]) {
    char comment[200];
    FILE* file = fopen(path, "r");
    int row, k;
    if (file == NULL || fgets(comment, sizeof(comment), file) == NULL) return 0;
    for (row = 0; row < n_rows; ++row) {
        int n_read = fscanf(file, "%d", &species[row]);
        for (k = 0; k < n_features; ++k) n_read += fscanf(file, "%lf", &features[row * n_features + k]);
        for (k = 0; k < 4; ++k) n_read += fscanf(file, "%lf", &expected[row][k]);
        if (n_read != 1 + n_features + 4) break;
    }
    fclose(file);
    return row == n_rows;
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
    CHECK(strcmp(lpr_fast_kind(model), "sparse_kernel") == 0 && strcmp(lpr_fast_loss(model), "per_atom") == 0);
    CHECK(strstr(lpr_fast_hypers(model), "\"cutoff\"") != NULL);
    CHECK(strstr(lpr_fast_provenance(model), "cpp_models.py") != NULL);
    CHECK(lpr_fast_species(model, 3) == -1);
    CHECK(strcmp(lpr_fast_last_error(), "species 3 was asked for, but the model has 3; count them from 0.") == 0);
    CHECK(isnan(lpr_fast_baseline(model, -1)));
}

static void check_scores(const lpr_fast_model* model, const char* text_path) {
    int species[n_rows], row;
    double features[n_rows * n_features], expected[n_rows][4];
    double lpr[n_rows], variance[n_rows], residual[n_rows], energy[n_rows], alone[n_rows];
    double phi[2 * 9] = {0.0};
    CHECK(read_rows(text_path, species, features, expected));
    CHECK(
        lpr_fast_score(model, features, n_rows, n_features, species, lpr, variance, residual, energy, 0) == LPR_FAST_OK
    );
    for (row = 0; row < n_rows; ++row) {
        CHECK(is_close(lpr[row], expected[row][0]) && is_close(variance[row], expected[row][1]));
        CHECK(fabs(residual[row] - expected[row][2]) <= 1e-12 && is_close(energy[row], expected[row][3]));
    }
    /* Every second row, one output. */
    CHECK(
        lpr_fast_score(model, features, 1, 2 * n_features, species, NULL, alone, NULL, NULL, 1) == LPR_FAST_OK &&
        alone[0] == variance[0]
    );
    phi[0] = 1.0;
    CHECK(lpr_fast_score_phi(model, phi, 2, 9, lpr, variance, energy, 1) == LPR_FAST_OK);
    CHECK(is_close(variance[0] * lpr[0], 1e-3) && isinf(lpr[1]) && variance[1] == 0.0 && energy[1] == 0.0);

    species[4] = 79;
    CHECK(
        lpr_fast_score(model, features, n_rows, n_features, species, lpr, NULL, NULL, NULL, 1) == LPR_FAST_INVALID_INPUT
    );
    CHECK(strstr(lpr_fast_last_error(), "row 4 is an environment of species 79") != NULL);
    CHECK(lpr_fast_score(model, features, -1, n_features, species, lpr, NULL, NULL, NULL, 1) == LPR_FAST_INVALID_INPUT);
    CHECK(lpr_fast_score(model, features, 2, 3, species, lpr, NULL, NULL, NULL, 1) == LPR_FAST_INVALID_INPUT);
    CHECK(lpr_fast_score(model, NULL, 2, n_features, species, lpr, NULL, NULL, NULL, 1) == LPR_FAST_INVALID_INPUT);
    CHECK(lpr_fast_score(model, features, 2, n_features, NULL, lpr, NULL, NULL, NULL, 1) == LPR_FAST_INVALID_INPUT);
    CHECK(lpr_fast_score(model, features, 2, n_features, species, lpr, NULL, NULL, NULL, -1) == LPR_FAST_INVALID_INPUT);
    CHECK(lpr_fast_score_phi(model, NULL, 2, 9, lpr, NULL, NULL, 1) == LPR_FAST_INVALID_INPUT);
    CHECK(lpr_fast_score(model, NULL, 0, n_features, NULL, NULL, NULL, NULL, NULL, 1) == LPR_FAST_OK);
}

static void check_null(void) {
    double number;
    int species = 14;
    lpr_fast_model* model = NULL;
    CHECK(lpr_fast_load(NULL, &model) == LPR_FAST_INVALID_INPUT && model == NULL);
    CHECK(strcmp(lpr_fast_last_error(), "path is NULL; give a pointer to something.") == 0);
    CHECK(lpr_fast_load("x", NULL) == LPR_FAST_INVALID_INPUT);
    CHECK(lpr_fast_score(NULL, &number, 1, 1, &species, &number, NULL, NULL, NULL, 1) == LPR_FAST_INVALID_INPUT);
    CHECK(strcmp(lpr_fast_last_error(), "model is NULL; give a pointer to something.") == 0);
    CHECK(lpr_fast_score_phi(NULL, &number, 1, 1, &number, NULL, NULL, 1) == LPR_FAST_INVALID_INPUT);
    CHECK(lpr_fast_size(NULL) == -1 && lpr_fast_n_features(NULL) == -1 && lpr_fast_n_dropped(NULL) == -1);
    CHECK(lpr_fast_n_species(NULL) == -1 && lpr_fast_species(NULL, 0) == -1 && isnan(lpr_fast_baseline(NULL, 0)));
    CHECK(isnan(lpr_fast_regularizer(NULL)) && isnan(lpr_fast_zeta(NULL)) && isnan(lpr_fast_condition_number(NULL)));
    CHECK(lpr_fast_has_energies(NULL) == -1 && lpr_fast_has_residual(NULL) == -1);
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
    if (n_arguments != 4) return 2;
    CHECK(strcmp(lpr_fast_last_error(), "") == 0);
    CHECK(strcmp(lpr_fast_version(), arguments[3]) == 0);
    CHECK(lpr_fast_load(arguments[2], &model) == LPR_FAST_INVALID_INPUT && model == NULL);
    CHECK(strstr(lpr_fast_last_error(), "is not a model file of lpr_fast") != NULL);
    CHECK(lpr_fast_load(arguments[1], &model) == LPR_FAST_OK && model != NULL);
    if (model != NULL) {
        check_description(model);
        check_scores(model, arguments[2]);
    }
    lpr_fast_free(model);
    check_null();
    check_long_message();
    return failures == 0 ? 0 : 1;
}
