#include "fovea/kernels/synthetic_run.h"

#include <algorithm>
#include <cstring>

namespace fovea {
namespace {

/// A sequence of 1,021 numbers between 0.5 and 1.5, again and again.
Array synthetic(const Type& type) {
  Array array(type.dtype, type.shape);
  if (!is_float(type.dtype)) {
    if (array.bytes() > 0) std::memset(array.raw(), 0, array.bytes());
    return array;
  }
  const int64_t period = std::min<int64_t>(array.numel(), 1021);
  for (int64_t i = 0; i < period; ++i)
    array.set(i, 0.5 + static_cast<double>(i * 383 % 1021) / 1021);
  for (size_t done = static_cast<size_t>(period) * size_of(type.dtype); done < array.bytes();) {
    const size_t n = std::min(done, array.bytes() - done);
    std::memcpy(array.raw() + done, array.raw(), n);
    done += n;
  }
  return array;
}

}  // namespace

SyntheticRun::SyntheticRun(const Kernel& kernel, const Types& in, const Types& out)
    : kernel_(kernel),
      scratch_(allocate(kernel.scratch_bytes())),
      packed_(allocate(kernel.packed_bytes())) {
  for (const Type& type : in) inputs_.push_back(in_.emplace_back(synthetic(type)).raw());
  for (const Type& type : out) outputs_.push_back(out_.emplace_back(synthetic(type)).raw());
  args_ = {.in = inputs_, .out = outputs_, .scratch = scratch_.get(), .packed = packed_.get()};
}

void SyntheticRun::pack() const {
  if (kernel_.packed_bytes() > 0) kernel_.pack(inputs_, packed_.get());
}

}  // namespace fovea
