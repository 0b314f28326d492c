#include <algorithm>

#include "fovea/data/transforms/box.h"
#include "fovea/data/transforms/builtin.h"
#include "fovea/images/samples.h"

namespace fovea::data {
namespace {

/// Calls `row` with the values of each row of a box.
template <class Row>
void for_each_row(Array& image, const Box& box, const Row& row) {
  const int64_t width = image.dim(1), channels = image.dim(2);
  with_samples("erasing", image, [&](auto samples) {
    for (int64_t y = box.top; y < box.top + box.height; ++y) {
      row(samples.subspan(static_cast<size_t>((y * width + box.left) * channels),
                          static_cast<size_t>(box.width * channels)));
    }
  });
}

/// With a value of 0 to 255, whatever the image.
void fill(Array& image, const Box& box, uint8_t value) {
  for_each_row(image, box, [&]<class T>(std::span<T> row) {
    std::ranges::fill(row, static_cast<T>(value * (BasicImage<T>::white / 255)));
  });
}

void fill_with_noise(Array& image, const Box& box, Random& random) {
  for_each_row(image, box, [&]<class T>(std::span<T> row) {
    constexpr int unused = 32 - 8 * sizeof(T);
    for (T& value : row) value = static_cast<T>(random.bits() >> unused);
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
    return with_probability<Array>(a.number("p"), [area = range_of(choice, a, "scale"),
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
