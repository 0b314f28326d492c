#include "fovea/ops/shuffle.h"

#include <fmt/format.h>

#include "fovea/ops/rules.h"
#include "fovea/ops/shape_ops.h"

namespace fovea {
namespace {

Error misfit(std::string_view op, const std::string& what, const Tensor& x) {
  return Error(ErrorKind::usage, fmt::format("{}: {}", op, what))
      .with("input", to_string(x.type(), image_axes(x.rank())));
}

/// Whether r is at least 1 and r or, `squared`, r * r divides `size`.
bool divides(int64_t r, int64_t size, bool squared = false) {
  if (r < 1 || r > (int64_t{1} << 31)) return false;
  return size % (squared ? r * r : r) == 0;
}

}  // namespace

Tensor pixel_shuffle(const Tensor& x, int64_t r) {
  require_spatial("pixel_shuffle", x, 2);
  const int64_t n = x.dim(0), channels = x.dim(1), h = x.dim(2), w = x.dim(3);
  if (!divides(r, channels, true)) {
    throw misfit("pixel_shuffle",
                 fmt::format("blocks of {}x{} cannot be made from {} channels", r, r, channels), x);
  }
  const int64_t c = channels / (r * r);
  const Tensor blocks = permute(reshape(x, {n, c, r, r, h, w}), {0, 1, 4, 2, 5, 3});
  return reshape(blocks, {n, c, h * r, w * r});
}

Tensor pixel_unshuffle(const Tensor& x, int64_t r) {
  require_spatial("pixel_unshuffle", x, 2);
  const int64_t n = x.dim(0), c = x.dim(1);
  if (!divides(r, x.dim(2)) || !divides(r, x.dim(3))) {
    throw misfit(
        "pixel_unshuffle",
        fmt::format("{}x{} pixels cannot be cut into blocks of {}x{}", x.dim(2), x.dim(3), r, r),
        x);
  }
  const int64_t h = x.dim(2) / r, w = x.dim(3) / r;
  const Tensor blocks = permute(reshape(x, {n, c, h, r, w, r}), {0, 1, 3, 5, 2, 4});
  return reshape(blocks, {n, c * r * r, h, w});
}

Tensor channel_shuffle(const Tensor& x, int64_t groups) {
  checked_axis("channel_shuffle", 1, x.type());
  const int64_t channels = x.dim(1);
  if (!divides(groups, channels)) {
    throw misfit("channel_shuffle",
                 fmt::format("groups={} does not divide {} channels", groups, channels), x);
  }
  const Shape hands{x.dim(0), groups, channels / groups, x.shape().slice(2).numel()};
  return reshape(permute(reshape(x, hands), {0, 2, 1, 3}), x.shape());
}

}  // namespace fovea
