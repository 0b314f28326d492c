// Products of matrices of floats: compiled once per instruction set.
#if defined(FOVEA_KERNELS_SIMD_PRODUCTS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef FOVEA_KERNELS_SIMD_PRODUCTS_INL_H
#undef FOVEA_KERNELS_SIMD_PRODUCTS_INL_H
#else
#define FOVEA_KERNELS_SIMD_PRODUCTS_INL_H
#endif

#include "fovea/kernels/simd/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::simd::HWY_NAMESPACE {

/// An operand of a product: element (i, k) is at data[i * row + k * step].
struct Operand {
  const float* data;
  int64_t row, step;
};

/// Vectors of an accumulator row: with 32 registers 4, else 2.
#if HWY_TARGET <= HWY_AVX3
inline constexpr int64_t panel = 4;
#else
inline constexpr int64_t panel = 2;
#endif

/// c (rows x vectors) = (or += when `add`) the sum over k of x(i, k) * y(k, vectors).
template <int rows, int vectors>
HWY_INLINE void multiply_registers(Operand x, const float* y, int64_t y_step, int64_t steps,
                                   float* c, int64_t c_row, bool add) {
  V sum[rows][vectors];
#pragma GCC unroll 8
  for (int i = 0; i < rows; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < vectors; ++j)
      sum[i][j] = add ? hn::LoadU(F32(), c + i * c_row + j * lanes) : all(0);
  }
  for (int64_t k = 0; k < steps; ++k, y += y_step, x.data += x.step) {
    V right[vectors];
#pragma GCC unroll 4
    for (int j = 0; j < vectors; ++j) right[j] = hn::LoadU(F32(), y + j * lanes);
#pragma GCC unroll 8
    for (int i = 0; i < rows; ++i) {
      const V left = all(x.data[i * x.row]);
#pragma GCC unroll 4
      for (int j = 0; j < vectors; ++j) sum[i][j] = hn::MulAdd(left, right[j], sum[i][j]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < rows; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < vectors; ++j) hn::StoreU(sum[i][j], F32(), c + i * c_row + j * lanes);
  }
}

/// Fetches the next rows of x, if they are contiguous, and of c while the current ones are
/// multiplied: else each group of rows would begin by waiting for the caches.
template <int rows, int vectors>
HWY_INLINE void fetch_rows(Operand x, int64_t steps, const float* c, int64_t c_row) {
  for (int i = 0; i < rows; ++i) {
    for (int64_t k = 0; x.step == 1 && k < steps; k += 16)
      __builtin_prefetch(x.data + i * x.row + k);
    for (int j = 0; j < vectors; ++j) __builtin_prefetch(c + i * c_row + j * lanes);
  }
}

template <int vectors>
HWY_NOINLINE void multiply_panel(Operand x, const float* y, int64_t y_step, int64_t rows,
                                 int64_t steps, float* c, int64_t c_row, bool add) {
  for (; rows >= 6; rows -= 6, x.data += 6 * x.row, c += 6 * c_row) {
    fetch_rows<6, vectors>({x.data + 6 * x.row, x.row, x.step}, steps, c + 6 * c_row, c_row);
    multiply_registers<6, vectors>(x, y, y_step, steps, c, c_row, add);
  }
  switch (rows) {
    case 5:
      return multiply_registers<5, vectors>(x, y, y_step, steps, c, c_row, add);
    case 4:
      return multiply_registers<4, vectors>(x, y, y_step, steps, c, c_row, add);
    case 3:
      return multiply_registers<3, vectors>(x, y, y_step, steps, c, c_row, add);
    case 2:
      return multiply_registers<2, vectors>(x, y, y_step, steps, c, c_row, add);
    case 1:
      return multiply_registers<1, vectors>(x, y, y_step, steps, c, c_row, add);
    default:
      return;
  }
}

/// c (rows x columns) = or += x y, in steps that leave a panel of y in the L1 cache; = 0 without
/// steps. `columns` is a multiple of a vector.
HWY_INLINE void multiply(Operand x, const float* y, int64_t y_step, int64_t rows, int64_t columns,
                         int64_t steps, float* c, int64_t c_row, bool add) {
  constexpr int64_t together = 128;
  for (int64_t i = 0; i < rows && steps == 0 && !add; ++i) std::fill_n(c + i * c_row, columns, 0.f);
  for (int64_t k = 0; k < steps; k += together) {
    const int64_t count = std::min(together, steps - k);
    const Operand from{x.data + k * x.step, x.row, x.step};
    const float* right = y + k * y_step;
    int64_t j = 0;
    for (; j + panel * lanes <= columns; j += panel * lanes)
      multiply_panel<panel>(from, right + j, y_step, rows, count, c + j, c_row, add || k > 0);
    const int64_t rest = (columns - j) / lanes;
    if (panel == 4 && rest == 3)
      multiply_panel<panel == 4 ? 3 : 1>(from, right + j, y_step, rows, count, c + j, c_row,
                                         add || k > 0);
    if (panel == 4 && rest == 2)
      multiply_panel<panel == 4 ? 2 : 1>(from, right + j, y_step, rows, count, c + j, c_row,
                                         add || k > 0);
    if (rest == 1)
      multiply_panel<1>(from, right + j, y_step, rows, count, c + j, c_row, add || k > 0);
  }
}

}  // namespace fovea::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
