#include "fovea/data/frames.h"

#include <algorithm>

#include "fovea/core/error.h"

namespace fovea::data {
namespace {

Type frame_type(const Type& clip) { return {clip.dtype, clip.shape.slice(1)}; }

}  // namespace

Type EachFrame::output(const Type& input) const {
  if (!is_clip(input)) {
    throw Error(ErrorKind::usage, text() + " needs clips u8 or u16 [T, H, W, C]")
        .with("found", to_string(input));
  }
  const Type one = of_images_->output(frame_type(input));
  return {one.dtype, input.shape.slice(0, 1).concat(one.shape)};
}

void EachFrame::operator()(Sample& sample, TransformContext& context) const {
  const Array clip = sample.input;
  const int64_t frames = clip.dim(0);
  const TransformContext before = context;
  Array changed;
  for (int64_t t = 0; t < frames; ++t) {
    context = before;
    if (before.other) {
      context.other = [&](Random& random) {
        Sample other = before.other(random);
        other.input = frame(other.input, std::min(t, other.input.dim(0) - 1));
        return other;
      };
    }
    Sample one{frame(clip, t).clone(), sample.target.clone()};
    (*of_images_)(one, context);
    if (t == 0) changed = Array(one.input.dtype(), Shape{frames}.concat(one.input.shape()));
    const std::span<std::byte> place(changed.raw() + static_cast<size_t>(t) * one.input.bytes(),
                                     one.input.bytes());
    std::copy_n(one.input.raw(), place.size(), place.data());
    if (t + 1 == frames) sample.target = one.target;
  }
  context.other = before.other;
  sample.input = changed;
}

std::vector<std::shared_ptr<const Transform>> steps_for(
    const Type& input, std::vector<std::shared_ptr<const Transform>> steps) {
  if (!is_clip(input)) return steps;
  for (auto& step : steps) {
    if (!chooses_stretch(*step)) step = std::make_shared<EachFrame>(std::move(step));
  }
  return steps;
}

Array frame(const Array& clip, int64_t t) {
  const Shape shape = clip.shape().slice(1);
  const size_t bytes = static_cast<size_t>(shape.numel()) * size_of(clip.dtype());
  const auto kept = std::make_shared<Array>(clip);
  return {clip.dtype(), shape, kept->raw() + static_cast<size_t>(t) * bytes, kept};
}

}  // namespace fovea::data
