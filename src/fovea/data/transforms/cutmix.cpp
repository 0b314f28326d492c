#include "fovea/data/transforms/cutmix.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "fovea/core/error.h"
#include "fovea/core/text.h"
#include "fovea/data/transforms/builtin.h"
#include "fovea/data/transforms/mixing.h"

namespace fovea::data {
namespace {

/// The memory layout of a batch's samples: `outer` times the spatial axes, three at most, times
/// `inner` bytes.
struct Layout {
  int64_t outer = 1, inner = 1;
  int spatial = 0;
  std::array<int64_t, 3> sides{1, 1, 1};
};

Layout layout_of(const Array& inputs) {
  const Shape& shape = inputs.shape();
  const bool image = inputs.dtype() == DType::u8;
  const int first = image ? 1 : 2, last = image ? 3 : shape.rank();
  Layout layout{.outer = image ? 1 : shape[1],
                .inner = image ? shape[3] : static_cast<int64_t>(size_of(inputs.dtype())),
                .spatial = last - first};
  for (int i = first; i < last; ++i) layout.sides[static_cast<size_t>(3 - last + i)] = shape[i];
  return layout;
}

/// The part of an axis that the box covers.
struct Extent {
  int64_t begin = 0, end = 1;
};

/// A box with the fraction `volume` of the total, around a random centre, clipped at the border.
std::array<Extent, 3> random_box(const Layout& layout, double volume, Random& random) {
  std::array<Extent, 3> box;
  const double share = std::pow(volume, 1.0 / layout.spatial);
  for (size_t axis = static_cast<size_t>(3 - layout.spatial); axis < 3; ++axis) {
    const int64_t side = layout.sides[axis];
    const auto center = static_cast<int64_t>(random.below(static_cast<uint64_t>(side)));
    const auto half = static_cast<int64_t>(share / 2 * static_cast<double>(side));
    box[axis] = {std::max<int64_t>(center - half, 0), std::min(center + half, side)};
  }
  return box;
}

/// Copies the box of one sample over that of another.
void copy_box(const Layout& layout, const std::array<Extent, 3>& box, const std::byte* from,
              std::byte* to) {
  const auto& [z, y, x] = box;
  const auto bytes = static_cast<size_t>((x.end - x.begin) * layout.inner);
  for (int64_t o = 0; o < layout.outer; ++o) {
    for (int64_t k = z.begin; k < z.end; ++k) {
      for (int64_t j = y.begin; j < y.end; ++j) {
        const int64_t row = (o * layout.sides[0] + k) * layout.sides[1] + j;
        const int64_t at = (row * layout.sides[2] + x.begin) * layout.inner;
        std::memcpy(to + at, from + at, bytes);
      }
    }
  }
}

}  // namespace

TransformEntry cutmix_entry() {
  return {
      .choice = {.name = "cutmix",
                 .arguments = {{.name = "alpha",
                                .default_value = 1.0,
                                .minimum = 0.01,
                                .maximum = 1,
                                .help = "both parameters of the Beta distribution of the ratio"}},
                 .help = "replaces a box in each sample of a batch by that of another"},
      .example = "cutmix",
      .make = [](const Arguments& a) -> AnyTransform {
        return std::make_shared<CutMix>(a.number("alpha"));
      }};
}

std::string CutMix::text() const { return "cutmix:" + format_number(alpha_); }

Targets CutMix::output(const Targets& targets) const { return mixable(text(), targets); }

void CutMix::check_input(const Type& input) const {
  const int rank = input.rank();
  if (input.dtype == DType::u8 ? rank == 3 : rank >= 2 && rank <= 4) return;
  throw Error(ErrorKind::usage,
              text() + " needs images u8[H, W, C] or numbers f32[C, ...] with spatial axes")
      .with("found", to_string(input));
}

void CutMix::operator()(Batch& batch, const Targets& targets, Random& random) const {
  const double kept = random_share(alpha_, random);
  const std::vector<size_t> partners = random_partners(batch.size(), random);
  const Layout layout = layout_of(batch.inputs);
  const std::array<Extent, 3> box = random_box(layout, 1 - kept, random);
  double replaced = 1;
  for (size_t axis = 0; axis < 3; ++axis) {
    replaced *= static_cast<double>(box[axis].end - box[axis].begin) /
                static_cast<double>(layout.sides[axis]);
  }
  const Array given = batch.inputs;
  batch.inputs = given.clone();
  const size_t bytes = given.bytes() / std::max<size_t>(partners.size(), 1);
  for (size_t i = 0; i < partners.size(); ++i) {
    copy_box(layout, box, given.raw() + partners[i] * bytes, batch.inputs.raw() + i * bytes);
  }
  batch.targets = mixed_targets(batch.targets, targets, partners, static_cast<float>(1 - replaced));
}

}  // namespace fovea::data
