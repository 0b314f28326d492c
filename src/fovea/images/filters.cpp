#include "fovea/images/filters.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <vector>

#include "fovea/core/error.h"
#include "fovea/core/text.h"
#include "fovea/ops/conv.h"
#include "fovea/runtime/eval.h"

namespace fovea {
namespace {

constexpr int64_t largest_kernel = 255;

/// value(x, y) over a square, counted from its centre.
template <class Value>
Array centred(int64_t size, const Value& value) {
  Array kernel(DType::f64, {size, size});
  const double middle = static_cast<double>(size - 1) / 2;
  for (int64_t i = 0; i < size; ++i) {
    for (int64_t j = 0; j < size; ++j) {
      kernel.set(i * size + j,
                 value(static_cast<double>(j) - middle, static_cast<double>(i) - middle));
    }
  }
  return kernel;
}

double bell(double x, double y, double sigma) {
  return std::exp(-(x * x + y * y) / (2 * sigma * sigma));
}

Array gaussian(int64_t size, double sigma) {
  Array kernel = centred(size, [&](double x, double y) { return bell(x, y, sigma); });
  double sum = 0;
  for (double value : kernel.data<double>()) sum += value;
  for (double& value : kernel.data<double>()) value /= sum;
  return kernel;
}

Array gabor(int64_t size, double sigma, double theta, double lambda) {
  return centred(size, [&](double x, double y) {
    const double across = x * std::cos(theta) + y * std::sin(theta);
    return bell(x, y, sigma) * std::cos(2 * std::numbers::pi * across / lambda);
  });
}

/// A 3x3 kernel without arguments.
FilterEntry fixed(std::string name, std::string help, const std::vector<double>& values,
                  bool absolute = false) {
  return {.choice = {.name = std::move(name), .help = std::move(help)},
          .kernel =
              [values](const Arguments&) {
                return Array::of(values, {3, 3});
              },
          .absolute = absolute};
}

Argument size_argument() {
  return {.name = "size",
          .type = ArgumentType::integer,
          .minimum = 1,
          .maximum = largest_kernel,
          .help = "pixels along each side"};
}
Argument pixels_argument(std::string name, std::string help) {
  return {.name = std::move(name), .minimum = 1e-6, .maximum = 1e6, .help = std::move(help)};
}

FilterEntry gaussian_entry() {
  return {
      .choice = {.name = "gaussian",
                 .arguments = {size_argument(),
                               pixels_argument("sigma", "standard deviation in pixels")},
                 .help = "Gaussian blur"},
      .kernel = [](const Arguments& a) { return gaussian(a.integer("size"), a.number("sigma")); }};
}

FilterEntry gabor_entry() {
  return {.choice = {.name = "gabor",
                     .arguments = {size_argument(),
                                   pixels_argument("sigma", "standard deviation in pixels"),
                                   {.name = "theta",
                                    .minimum = -1e6,
                                    .maximum = 1e6,
                                    .help = "orientation in radians, 0 for vertical stripes"},
                                   pixels_argument("lambda", "wavelength in pixels")},
                     .help = "Gabor filter: a wave under a Gaussian"},
          .kernel = [](const Arguments& a) {
            return gabor(a.integer("size"), a.number("sigma"), a.number("theta"),
                         a.number("lambda"));
          }};
}

ChoiceTable<FilterEntry>& table() {
  static ChoiceTable<FilterEntry> all(
      "filter", {fixed("sobel_x", "slope along x", {-1, 0, 1, -2, 0, 2, -1, 0, 1}, true),
                 fixed("sobel_y", "slope along y", {-1, -2, -1, 0, 0, 0, 1, 2, 1}, true),
                 fixed("sharpen", "sharper edges", {0, -1, 0, -1, 5, -1, 0, -1, 0}),
                 fixed("box", "mean of 3x3 pixels", std::vector<double>(9, 1.0 / 9)),
                 fixed("laplacian", "sum of second derivatives", {0, 1, 0, 1, -4, 1, 0, 1, 0}),
                 gaussian_entry(), gabor_entry()});
  return all;
}

void check_kernel(const Array& kernel) {
  const Shape& shape = kernel.shape();
  const auto fits = [&](int axis) { return shape[axis] >= 1 && shape[axis] <= largest_kernel; };
  if (!is_float(kernel.dtype()) || shape.rank() != 2 || !fits(0) || !fits(1)) {
    throw Error(
        ErrorKind::usage,
        fmt::format("filter: the kernel is {}; a float array of 2 axes, each 1 to 255, is expected",
                    describe(kernel)));
  }
  for (int64_t i = 0; i < kernel.numel(); ++i) {
    if (!std::isfinite(kernel.at(i))) {
      throw Error(ErrorKind::usage,
                  fmt::format("filter: element {} of the kernel is not finite", i));
    }
  }
}

/// One channel as x [1, 1, H', W'], padded by the kernel's size minus 1 with edge pixels
/// replicated.
Array padded_plane(const Image& image, int channel, const Shape& kernel) {
  const int64_t top = (kernel[0] - 1) / 2, left = (kernel[1] - 1) / 2;
  const int64_t height = image.height + kernel[0] - 1, width = image.width + kernel[1] - 1;
  Array plane(DType::f32, {1, 1, height, width});
  float* to = plane.data<float>().data();
  for (int64_t y = 0; y < height; ++y) {
    const auto row = static_cast<int>(std::clamp<int64_t>(y - top, 0, image.height - 1));
    for (int64_t x = 0; x < width; ++x) {
      const auto column = static_cast<int>(std::clamp<int64_t>(x - left, 0, image.width - 1));
      *to++ = image.at(row, column)[channel];
    }
  }
  return plane;
}

}  // namespace

const std::vector<FilterEntry>& filters() { return table().rows(); }

void add_filter(FilterEntry entry) { table().add(std::move(entry)); }

Chosen<FilterEntry> choose_filter(std::string_view text) { return table().read(text); }

Array filter_kernel(std::string_view text) {
  const auto [entry, arguments] = choose_filter(text);
  return entry.kernel(arguments);
}

Array filter_image(const Image& image, const Array& kernel) {
  check(image);
  check_kernel(kernel);
  if (image.channels == 4) return filter_image(to_rgb(image), kernel);
  const Shape size{image.height, image.width};
  Array result(DType::f32, image.channels == 1 ? size : size.concat({image.channels}));
  const Array weight = kernel.astype(DType::f32).reshaped(Shape{1, 1}.concat(kernel.shape()));
  for (int channel = 0; channel < image.channels; ++channel) {  // one at a time: less memory
    const Array plane = eval([](const Tensors& t) { return Tensors{conv2d(t[0], t[1])}; },
                             {padded_plane(image, channel, kernel.shape()), weight})[0];
    const auto from = plane.data<float>();
    const auto to = result.data<float>();
    const auto channels = static_cast<size_t>(image.channels);
    for (size_t i = 0; i < from.size(); ++i)
      to[i * channels + static_cast<size_t>(channel)] = from[i];
  }
  return result;
}

Image filtered_picture(const Array& filtered, bool absolute) {
  const Shape& shape = filtered.shape();
  const bool gray = shape.rank() == 2;
  if (!gray && !(shape.rank() == 3 && shape[2] == 3)) {
    throw Error(ErrorKind::usage, fmt::format("filter: {} is not a picture", describe(filtered)));
  }
  Image image = Image::black(static_cast<int>(shape[0]), static_cast<int>(shape[1]), gray ? 1 : 3);
  for (size_t i = 0; i < image.pixels.size(); ++i) {
    const double value = filtered.at(static_cast<int64_t>(i));
    const double shown = std::round(absolute ? std::abs(value) : value);
    image.pixels[i] = static_cast<uint8_t>(std::clamp(shown, 0.0, 255.0));
  }
  return image;
}

}  // namespace fovea
