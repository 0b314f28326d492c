#include <algorithm>

#include "fovea/data/transforms/box.h"
#include "fovea/data/transforms/builtin.h"

namespace fovea::data {
namespace {

/// Calls `row` with the values of each row of a box.
template <class Row>
void for_each_row(Array& image, const Box& box, const Row& row) {
  const int64_t width = image.dim(1), channels = image.dim(2);
  uint8_t* data = image.data<uint8_t>().data();
  for (int64_t y = box.top; y < box.top + box.height; ++y) {
    row(std::span(data + (y * width + box.left) * channels,
                  static_cast<size_t>(box.width * channels)));
  }
}

void fill(Array& image, const Box& box, uint8_t value) {
  for_each_row(image, box, [&](std::span<uint8_t> row) { std::ranges::fill(row, value); });
}

void fill_with_noise(Array& image, const Box& box, Random& random) {
  for_each_row(image, box, [&](std::span<uint8_t> row) {
    for (uint8_t& value : row) value = static_cast<uint8_t>(random.bits() >> 24);
  });
}

/// A square whose centre is anywhere in the image, clipped at the border.
Box random_square(const Array& image, int64_t size, Random& random) {
  Box box;
  const auto place = [&](int64_t side, int64_t& first, int64_t& count) {
    const int64_t begin = integer(random, 0, side - 1) - size / 2;
    first = std::max<int64_t>(begin, 0);
    count = std::min(begin + size, side) - first;
  };
  place(image.dim(0), box.top, box.height);
  place(image.dim(1), box.left, box.width);
  return box;
}

}  // namespace

TransformEntry erasing_entry() {
  const Choice choice{.name = "erasing",
                      .arguments = {probability_argument(),
                                    {.name = "min_scale",
                                     .default_value = 0.02,
                                     .maximum = 1,
                                     .open_minimum = true,
                                     .help = "minimum fraction of the image's area"},
                                    {.name = "max_scale",
                                     .default_value = 0.33,
                                     .maximum = 1,
                                     .open_minimum = true,
                                     .help = "maximum fraction of the image's area"},
                                    {.name = "min_ratio",
                                     .default_value = 0.3,
                                     .minimum = 0.01,
                                     .maximum = 100,
                                     .help = "minimum ratio of width to height"},
                                    {.name = "max_ratio",
                                     .default_value = 3.3,
                                     .minimum = 0.01,
                                     .maximum = 100,
                                     .help = "maximum ratio of width to height"},
                                    {.name = "value",
                                     .type = ArgumentType::number,
                                     .default_value = 0.0,
                                     .maximum = 255,
                                     .words = {"random"},
                                     .help = "value of erased pixels; \"random\": noise"}},
                      .help = "erases a rectangle of random size and shape, at random"};
  return image_entry(choice, "erasing:1", [choice](const Arguments& a) {
    const std::optional<double> value = a.optional_number("value");
    return with_probability(a.number("p"), [area = range_of(choice, a, "scale"),
                                            ratio = range_of(choice, a, "ratio"),
                                            value](Array& image, Random& random) {
      const std::optional<Box> box = random_box(image.dim(0), image.dim(1), area, ratio, random);
      if (!box) return;
      if (value) {
        fill(image, *box, static_cast<uint8_t>(*value));
      } else {
        fill_with_noise(image, *box, random);
      }
    });
  });
}

TransformEntry cutout_entry() {
  return image_entry(
      {.name = "cutout",
       .arguments = {{.name = "size",
                      .type = ArgumentType::integer,
                      .default_value = int64_t{16},
                      .minimum = 1,
                      .maximum = 16384,
                      .help = "side length in pixels"}},
       .help = "blackens a square at a random position, which may lie partly outside"},
      "cutout:12", [](const Arguments& a) -> ImageFunction {
        return [size = a.integer("size")](Array& image, Random& random) {
          fill(image, random_square(image, size, random), 0);
        };
      });
}

}  // namespace fovea::data
