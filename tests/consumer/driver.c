/* A program in C: driver MODEL SPECIES FEATURE..., prints the rigidity of that environment. */

#include <stdio.h>
#include <stdlib.h>

#include "lpr_fast/lpr_fast.h"

enum { most_features = 64 };

int main(int argc, char** argv) {
    lpr_fast_model* model = NULL;
    lpr_fast_scores scores = {.size = sizeof(lpr_fast_scores)};
    double features[most_features], lpr;
    int i, species, n_features = argc - 3;
    lpr_fast_status status;
    if (n_features < 1 || n_features > most_features) return 2;
    species = atoi(argv[2]);
    for (i = 0; i < n_features; ++i) features[i] = atof(argv[3 + i]);
    status = lpr_fast_load(argv[1], &model);
    if (status == LPR_FAST_OK) {
        scores.lpr = &lpr;
        status = lpr_fast_score(model, features, 1, n_features, &species, &scores, 1);
    }
    if (status == LPR_FAST_OK) {
        printf("%.17g\n", lpr);
    } else {
        printf("%s\n", lpr_fast_last_error());
    }
    lpr_fast_free(model);
    return status == LPR_FAST_OK ? 0 : 1;
}
