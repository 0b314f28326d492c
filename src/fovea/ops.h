#pragma once

/// All ops: what a model is written with.

#include "fovea/ops/activation.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/box_coding.h"
#include "fovea/ops/conv.h"
#include "fovea/ops/detection.h"
#include "fovea/ops/distance.h"
#include "fovea/ops/dropout.h"
#include "fovea/ops/flip.h"
#include "fovea/ops/images.h"
#include "fovea/ops/likelihood.h"
#include "fovea/ops/linear.h"
#include "fovea/ops/loss.h"
#include "fovea/ops/norm.h"
#include "fovea/ops/pad.h"
#include "fovea/ops/pool.h"
#include "fovea/ops/reduce.h"
#include "fovea/ops/roll.h"
#include "fovea/ops/shape_ops.h"
#include "fovea/ops/shuffle.h"
#include "fovea/ops/upsample.h"
