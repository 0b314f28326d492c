#include "fovea/images/filters.h"

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

constexpr int64_t largest_side = 255;
constexpr double no_limit = 1e6;

Array square3(const std::vector<double>& values) { return Array::of(values, {3, 3}); }

/// value(x, y) over a square, counted from its middle.
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

struct Plain {
  std::string_view name;
  std::vector<double> values;
};

const std::vector<Plain>& plain_kernels() {
  static const std::vector<Plain> kernels{
      {"sobel_x", {-1, 0, 1, -2, 0, 2, -1, 0, 1}},  {"sobel_y", {-1, -2, -1, 0, 0, 0, 1, 2, 1}},
      {"sharpen", {0, -1, 0, -1, 5, -1, 0, -1, 0}}, {"box", std::vector<double>(9, 1.0 / 9)},
      {"laplacian", {0, 1, 0, 1, -4, 1, 0, 1, 0}},
  };
  return kernels;
}

/// The numbers behind the colon of "gaussian:5,1": `form` names each, as "SIZE,SIGMA".
std::vector<double> parameters(std::string_view text, std::string_view name,
                               std::string_view form) {
  const size_t colon = text.find(':');
  const std::vector<std::string> names = split(form, ',');
  const std::vector<std::string> parts =
      colon == text.npos ? std::vector<std::string>{} : split(text.substr(colon + 1), ',');
  const auto fail = [&](const std::string& what) {
    return Error(ErrorKind::usage, "filter: " + what)
        .with("kernel", text)
        .with("form", std::string(name) + ":" + std::string(form));
  };
  if (parts.size() != names.size()) {
    throw fail(std::string(name) + " takes " + std::to_string(names.size()) + " numbers, not " +
               std::to_string(parts.size()));
  }
  std::vector<double> numbers;
  for (size_t i = 0; i < parts.size(); ++i) {
    const auto number = parse_number(parts[i]);
    const bool size = names[i] == "SIZE", angle = names[i] == "THETA";
    const double low = size ? 1 : angle ? -no_limit : 1 / no_limit;
    const double high = size ? static_cast<double>(largest_side) : no_limit;
    if (!number || *number < low || *number > high || (size && *number != std::floor(*number))) {
      throw fail(names[i] + " is \"" + parts[i] + "\", it should be a " +
                 (size ? "whole number" : "number") + " from " + format_number(low) + " to " +
                 format_number(high));
    }
    numbers.push_back(*number);
  }
  return numbers;
}

void check_kernel(const Array& kernel) {
  const Shape& shape = kernel.shape();
  const auto fits = [&](int axis) { return shape[axis] >= 1 && shape[axis] <= largest_side; };
  if (!is_float(kernel.dtype()) || shape.rank() != 2 || !fits(0) || !fits(1)) {
    throw Error(ErrorKind::usage, "filter: the kernel is " + describe(kernel) +
                                      ", a float array of 2 axes, each 1 to 255, is expected");
  }
  for (int64_t i = 0; i < kernel.numel(); ++i) {
    if (!std::isfinite(kernel.at(i))) {
      throw Error(ErrorKind::usage,
                  "filter: element " + std::to_string(i) + " of the kernel is not finite");
    }
  }
}

/// One channel as x [1, 1, H', W'], larger by the kernel less one: the border repeated.
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

Array filter_kernel(std::string_view text) {
  const std::string_view name = text.substr(0, text.find(':'));
  if (name == "gaussian") {
    const std::vector<double> p = parameters(text, name, "SIZE,SIGMA");
    return gaussian(static_cast<int64_t>(p[0]), p[1]);
  }
  if (name == "gabor") {
    const std::vector<double> p = parameters(text, name, "SIZE,SIGMA,THETA,LAMBDA");
    return gabor(static_cast<int64_t>(p[0]), p[1], p[2], p[3]);
  }
  std::vector<std::string> names{"gaussian:SIZE,SIGMA", "gabor:SIZE,SIGMA,THETA,LAMBDA"};
  for (const Plain& kernel : plain_kernels()) {
    if (text == kernel.name) return square3(kernel.values);
    names.emplace_back(kernel.name);
  }
  throw unknown_name("kernel", text, names).with("kernels", join(names));
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
    throw Error(ErrorKind::usage, "filter: " + describe(filtered) + " is no picture");
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
