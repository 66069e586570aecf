#pragma once

// All headers: accumulate training rows, factorize the Hessian, score local predictions, load fitted models, describe
// and score structures.

#include "lpr_fast/cpu_info.hpp"
#include "lpr_fast/error.hpp"
#include "lpr_fast/gradient_rows.hpp"
#include "lpr_fast/hessian_accumulator.hpp"
#include "lpr_fast/hessian_factor.hpp"
#include "lpr_fast/kernel_scorer.hpp"
#include "lpr_fast/kernels.hpp"
#include "lpr_fast/model.hpp"
#include "lpr_fast/score_columns.hpp"
#include "lpr_fast/second_moments.hpp"
#include "lpr_fast/soap.hpp"
#include "lpr_fast/soap_scorer.hpp"
#include "lpr_fast/spectrum.hpp"
#include "lpr_fast/structure.hpp"
#include "lpr_fast/trigger.hpp"
#include "lpr_fast/version.hpp"
#include "lpr_fast/view.hpp"
