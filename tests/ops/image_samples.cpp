#include "fovea/ops.h"
#include "ops/draw.h"
#include "ops/samples.h"

namespace fovea::harness {
namespace {

std::vector<Sample> pads(DType dtype) {
  std::vector<Sample> samples;
  for (const PadMode mode :
       {PadMode::constant, PadMode::reflect, PadMode::replicate, PadMode::circular}) {
    append(samples, repeat("pad", shapes_per_op, [&](Random& r) {
             const Shape x = pick_image(r, pick(r, 1, 3), 5);
             const int axes = x.rank() - 2;
             const Pad op{pick_dims(r, axes, 0, 3), pick_dims(r, axes, 0, 3), mode,
                          mode == PadMode::constant ? r.normal() : 0};
             return Sample{{}, op, {{{dtype, x}, normal}}};
           }));
  }
  return samples;
}

}  // namespace

std::vector<Family> image_families() { return {{"pad", pads, 1e-8}}; }

}  // namespace fovea::harness
