#pragma once

// Everything that models are made of.
#include "fovea/nn/activation.h"
#include "fovea/nn/conv.h"
#include "fovea/nn/dropout.h"
#include "fovea/nn/init.h"
#include "fovea/nn/linear.h"
#include "fovea/nn/module.h"
#include "fovea/nn/norm.h"
#include "fovea/nn/pool.h"
#include "fovea/nn/sequential.h"
#include "fovea/nn/shape.h"
#include "fovea/nn/trace.h"
#include "fovea/ops.h"
