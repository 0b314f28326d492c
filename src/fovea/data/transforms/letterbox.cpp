#include <algorithm>
#include <cmath>

#include "fovea/data/transforms/builtin.h"
#include "fovea/data/transforms/image_transform.h"

namespace fovea::data {
namespace {

/// The image scaled as it is into the middle of height x width, the rest filled with `value`.
Array letterboxed(const Array& image, int64_t height, int64_t width, uint8_t value) {
  const auto rows = static_cast<double>(image.dim(0)), columns = static_cast<double>(image.dim(1));
  const double scale =
      std::min(static_cast<double>(height) / rows, static_cast<double>(width) / columns);
  const auto scaled = [&](double side, int64_t limit) {
    return static_cast<int>(std::clamp<int64_t>(std::llround(side * scale), 1, limit));
  };
  const std::span<const uint8_t> pixels = image.data<uint8_t>();
  const Image inner =
      resize({static_cast<int>(image.dim(0)), static_cast<int>(image.dim(1)),
              static_cast<int>(image.dim(2)), std::vector<uint8_t>(pixels.begin(), pixels.end())},
             scaled(rows, height), scaled(columns, width), Filter::bilinear);
  Array result = Array::full(DType::u8, {height, width, image.dim(2)}, value);
  const int64_t top = (height - inner.height) / 2, left = (width - inner.width) / 2;
  uint8_t* out = result.data<uint8_t>().data();
  for (int y = 0; y < inner.height; ++y) {
    std::copy_n(inner.at(y, 0), int64_t{inner.width} * inner.channels,
                out + ((top + y) * width + left) * inner.channels);
  }
  return result;
}

class Letterbox : public Transform {
 public:
  Letterbox(std::string text, uint8_t value) : text_(std::move(text)), value_(value) {}

  std::string text() const override { return text_; }
  Type output(const Type& input) const override {
    require_colors(text_, input);
    return input;
  }
  bool frames() const override { return true; }
  void operator()(Sample& sample, TransformContext& context) const override {
    sample.input = letterboxed(sample.input, context.height, context.width, value_);
  }

 private:
  std::string text_;
  uint8_t value_;
};

}  // namespace

TransformEntry letterbox_entry() {
  const Choice choice{.name = "letterbox",
                      .arguments = {{.name = "value",
                                     .type = ArgumentType::integer,
                                     .default_value = int64_t{114},
                                     .maximum = 255,
                                     .help = "of the bars, 0 black to 255 white"}},
                      .help = "scales the image to fit into the net's input, with bars beside it"};
  return {.choice = choice, .example = "letterbox", .make = [choice](const Arguments& a) {
            return AnyTransform(std::make_shared<Letterbox>(
                to_text(choice, a), static_cast<uint8_t>(a.integer("value"))));
          }};
}

}  // namespace fovea::data
