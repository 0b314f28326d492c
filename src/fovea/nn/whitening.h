#pragma once

#include "fovea/nn/module.h"

namespace fovea::nn::init {

/// The weight [O, C, kernel] of a convolution without stride whose outputs are uncorrelated and of
/// variance 1 on the data: the eigenvectors of the uncentred covariance of all its input patches,
/// each divided by sqrt(eigenvalue + eps), the largest eigenvalue first, then their negatives
/// (Jordan 2024, "94% on CIFAR-10 in 3.29 seconds on a single GPU", section 3.1). Filters beyond
/// twice the size of a patch keep their earlier values; if there are fewer, the last ones are left
/// out. Each eigenvector's largest element is positive. Measured on the first `samples` samples.
DataInitializer whitening(double eps = 5e-4, int64_t samples = 5000);

}  // namespace fovea::nn::init

namespace fovea::nn {

/// The eigenvalues of a symmetric matrix, the largest first, and their eigenvectors, of length 1.
struct Eigen {
  std::vector<double> values;
  std::vector<std::vector<double>> vectors;
};

/// Of `matrix`, row by row, n x n: by Jacobi's rotations, which suit matrices of up to a few
/// hundred rows.
Eigen eigen(std::vector<double> matrix, int64_t n);

}  // namespace fovea::nn
