#pragma once

#include <complex>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace fovea {

/// The discrete Fourier transform of n complex numbers, X_k = sum_j x_j exp(-2 pi i j k / n), in
/// double precision: Cooley and Tukey 1965 for any factors of n, in n times their sum operations,
/// so sizes with small factors (512, 400) are fast. May be used from any number of threads at once.
class Fft {
 public:
  using Complex = std::complex<double>;

  /// Errors: usage when n is below 1.
  explicit Fft(int64_t n);

  int64_t size() const { return static_cast<int64_t>(roots_.size()); }
  /// `in` and `out` have n elements each and do not overlap.
  void operator()(std::span<const Complex> in, std::span<Complex> out) const;

 private:
  void transform(const Complex* in, size_t stride, Complex* out, size_t n, size_t level,
                 Complex* scratch) const;

  std::vector<Complex> roots_;   ///< exp(-2 pi i k / n)
  std::vector<size_t> factors_;  ///< of n, the largest last
};

}  // namespace fovea
