#include "fovea/explain/convolution.h"
#include "fovea/core/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fovea/core/error.h"
#include "fovea/draw/colormap.h"
#include "fovea/draw/grid.h"
#include "fovea/ops/conv.h"
#include "fovea/ops/reduce.h"
#include "fovea/ops/shape_ops.h"
#include "fovea/runtime/eval.h"

namespace fovea::explain {
namespace {

constexpr int64_t most_planes = 4, most_pixels = 64, most_frames = 1024;
constexpr draw::Color window_color{213, 94, 0}, padding_color{236, 238, 240};

void check(const Array& input, const Array& kernel, int64_t padding) {
  const auto fail = [&](const std::string& what) {
    throw Error(ErrorKind::usage, "convolution: " + what)
        .with("input", describe(input))
        .with("kernel", describe(kernel));
  };
  if (input.dtype() != DType::f32 || kernel.dtype() != DType::f32 || input.shape().rank() != 3 ||
      kernel.shape().rank() != 4 || input.numel() == 0 || kernel.numel() == 0) {
    fail("an input f32 [C, H, W] and a kernel f32 [O, C, kH, kW] are expected");
  }
  if (input.dim(0) != kernel.dim(1)) {
    fail(fmt::format("the input has {}, the kernel expects {}", counted(input.dim(0), "channel"),
                     kernel.dim(1)));
  }
  if (input.dim(0) > most_planes || kernel.dim(0) > most_planes)
    fail(fmt::format("at most {} channels and {} outputs can be drawn", most_planes, most_planes));
  if (std::max(input.dim(1), input.dim(2)) + 2 * padding > most_pixels)
    fail(fmt::format("at most {} pixels along a side can be drawn", most_pixels));
}

/// [..., H, W] as planes; values of one of them.
struct Plane {
  std::span<const float> values;
  int64_t height, width;

  float at(int64_t y, int64_t x) const { return values[static_cast<size_t>(y * width + x)]; }
};

Plane plane(const Array& array, int64_t index) {
  const int rank = array.shape().rank();
  const int64_t height = array.dim(rank - 2), width = array.dim(rank - 1);
  return {array.data<float>().subspan(static_cast<size_t>(index * height * width),
                                      static_cast<size_t>(height * width)),
          height, width};
}

/// Sizes that all parts of a picture share.
struct Style {
  int cell, kernel_cell, gap = 28, caption = 14, margin = 12;
  draw::Range input, kernel, products, output;
};

Style style_of(const ConvSteps& steps) {
  constexpr int64_t side = 264, largest = 30, smallest = 4;
  const int64_t pixels = std::max(steps.input.dim(1), steps.input.dim(2)) + 2 * steps.padding;
  const int64_t taps = std::max(steps.kernel.dim(2), steps.kernel.dim(3));
  return {.cell = static_cast<int>(std::clamp(side / pixels, smallest, largest)),
          .kernel_cell = static_cast<int>(std::clamp(120 / taps, smallest, largest)),
          .input = draw::min_max(steps.input.data<float>()),
          .kernel = draw::symmetric(steps.kernel.data<float>()),
          .products = draw::symmetric(steps.products.data<float>()),
          .output = draw::symmetric(steps.output.data<float>())};
}

/// At most four characters for numbers from -99 to 999.
std::string short_number(float value) {
  if (std::abs(value) < 0.05F) return "0";
  if (std::abs(value) >= 9.95F || value == std::round(value))
    return fmt::format("{:.3g}", std::round(value));
  return fmt::format("{:.1f}", value);
}

/// One plane as cells. `known`: how many of them, row by row, are shown; the rest are empty.
void draw_plane(draw::Canvas& canvas, const Plane& values, double top, double left, int cell,
                const draw::Range& range, const draw::Colormap& colors, int64_t known) {
  constexpr int for_numbers = 26;
  for (int64_t y = 0; y < values.height; ++y) {
    for (int64_t x = 0; x < values.width; ++x) {
      const draw::Box box{top + static_cast<double>(y * cell), left + static_cast<double>(x * cell),
                          static_cast<double>(cell), static_cast<double>(cell)};
      const bool shown = y * values.width + x < known;
      const draw::Color color = colors(range(values.at(y, x)));
      canvas.fill(box, shown ? color : draw::white);
      if (cell >= 6) canvas.outline(box, draw::rule);
      if (!shown || cell < for_numbers) continue;
      const int light = 299 * color.red + 587 * color.green + 114 * color.blue;
      canvas.text(
          box.top + cell / 2.0 - 4, box.left + cell / 2.0, short_number(values.at(y, x)),
          {.color = light > 140'000 ? draw::ink : draw::white, .anchor = draw::Anchor::middle});
    }
  }
}

/// Size in pixels of the parts of one row: input, kernel, products, output.
struct Columns {
  int64_t padded_height, padded_width, input, kernel, products, output, right, row_height;
};

Columns columns_of(const ConvSteps& steps, const Style& style) {
  Columns c{};
  c.padded_height = steps.input.dim(1) + 2 * steps.padding;
  c.padded_width = steps.input.dim(2) + 2 * steps.padding;
  const bool several = steps.input.dim(0) > 1;
  const int64_t output_width = steps.output.dim(2) * style.cell, least = 90;
  c.input = style.margin;
  c.kernel = c.input + std::max(c.padded_width * style.cell, least) + style.gap;
  c.products = c.kernel + std::max(steps.kernel.dim(3) * style.kernel_cell, least) + style.gap;
  c.output = c.products + (several ? std::max(output_width, least) + style.gap : 0);
  c.right = c.output + std::max(output_width, least) + style.margin;
  c.row_height = style.caption +
                 std::max({c.padded_height * style.cell, steps.kernel.dim(2) * style.kernel_cell,
                           steps.output.dim(1) * style.cell}) +
                 style.margin;
  return c;
}

void draw_input(draw::Canvas& canvas, const ConvSteps& steps, const Style& style, int64_t channel,
                double top, double left, int64_t done) {
  const Plane input = plane(steps.input, channel);
  const double pad = static_cast<double>(steps.padding * style.cell);
  const double height = static_cast<double>(input.height * style.cell) + 2 * pad,
               width = static_cast<double>(input.width * style.cell) + 2 * pad;
  canvas.fill({top, left, height, width}, padding_color);
  draw_plane(canvas, input, top + pad, left + pad, style.cell, style.input, draw::colormap("gray"),
             input.height * input.width);
  if (done == 0) return;
  const int64_t y = (done - 1) / steps.output.dim(2), x = (done - 1) % steps.output.dim(2);
  for (int64_t ky = 0; ky < steps.kernel.dim(2); ++ky) {
    for (int64_t kx = 0; kx < steps.kernel.dim(3); ++kx) {
      canvas.outline(
          {top + static_cast<double>((y * steps.stride + ky * steps.dilation) * style.cell),
           left + static_cast<double>((x * steps.stride + kx * steps.dilation) * style.cell),
           static_cast<double>(style.cell), static_cast<double>(style.cell)},
          window_color, style.cell >= 16 ? 2 : 1);
    }
  }
}

std::string size_text(const Array& array) {
  const int rank = array.shape().rank();
  return fmt::format("{}x{}", array.dim(rank - 2), array.dim(rank - 1));
}

}  // namespace

ConvSteps convolution_steps(const Array& input, const Array& kernel, int64_t stride,
                            int64_t padding, int64_t dilation) {
  check(input, kernel, padding);
  const ConvOptions options{.stride = stride, .padding = padding, .dilation = dilation};
  const std::vector<Array> parts = eval(
      [&](const Tensors& t) {
        Tensors products;
        for (int64_t c = 0; c < input.dim(0); ++c) {
          const Tensor one =
              conv2d(slice(t[0], 1, c, c + 1), slice(t[1], 1, c, c + 1), {}, options);
          products.push_back(reshape(one, {one.shape()[1], 1, one.shape()[2], one.shape()[3]}));
        }
        return Tensors{concat(products, 1), conv2d(t[0], t[1], {}, options)};
      },
      {input.reshaped(Shape{1}.concat(input.shape())), kernel});
  return {stride,
          padding,
          dilation,
          input,
          kernel,
          parts[0],
          parts[1].reshaped(parts[1].shape().slice(1))};
}

Image conv_picture(const ConvSteps& steps, int64_t done) {
  const int64_t positions = steps.output.dim(1) * steps.output.dim(2);
  if (done < 0 || done > positions) done = positions;
  const Style style = style_of(steps);
  const Columns columns = columns_of(steps, style);
  const int64_t outputs = steps.output.dim(0), channels = steps.input.dim(0);
  constexpr int title = 38;
  const std::string text =
      fmt::format("{} -> {}   stride {}, padding {}, dilation {}", size_text(steps.input),
                  size_text(steps.output), steps.stride, steps.padding, steps.dilation);
  draw::Canvas canvas(
      title + outputs * channels * columns.row_height + style.margin,
      std::max<int64_t>(columns.right, draw::text_width(text, 2) + 2 * style.margin));
  canvas.text(style.margin, style.margin, text, {.scale = 2, .bold = true});
  const draw::Colormap& signs = draw::colormap("coolwarm");
  for (int64_t o = 0; o < outputs; ++o) {
    for (int64_t c = 0; c < channels; ++c) {
      const auto y = static_cast<double>(title + (o * channels + c) * columns.row_height);
      const double top = y + style.caption;
      const auto caption = [&](int64_t x, const std::string& name) {
        canvas.text(y + 1, static_cast<double>(x), name, {.color = draw::faint});
      };
      caption(columns.input, channels == 1 ? "input" : fmt::format("input[{}]", c));
      draw_input(canvas, steps, style, c, top, static_cast<double>(columns.input), done);
      caption(columns.kernel, fmt::format("kernel[{},{}]", o, c));
      const Plane kernel = plane(steps.kernel, o * channels + c);
      draw_plane(canvas, kernel, top, static_cast<double>(columns.kernel), style.kernel_cell,
                 style.kernel, signs, kernel.height * kernel.width);
      if (channels > 1) {
        caption(columns.products, fmt::format("input[{}] * kernel", c));
        draw_plane(canvas, plane(steps.products, o * channels + c), top,
                   static_cast<double>(columns.products), style.cell, style.products, signs, done);
        canvas.text(top + 20, static_cast<double>(columns.output - 20),
                    c + 1 < channels ? "+" : "=", {.scale = 2});
      }
      if (c + 1 < channels) continue;
      caption(columns.output, outputs == 1 ? "output" : fmt::format("output[{}]", o));
      draw_plane(canvas, plane(steps.output, o), top, static_cast<double>(columns.output),
                 style.cell, style.output, signs, done);
      if (done == 0) continue;
      canvas.outline(
          {top + static_cast<double>((done - 1) / steps.output.dim(2) * style.cell),
           static_cast<double>(columns.output + (done - 1) % steps.output.dim(2) * style.cell),
           static_cast<double>(style.cell), static_cast<double>(style.cell)},
          window_color, style.cell >= 16 ? 2 : 1);
    }
  }
  return std::move(canvas).image();
}

std::vector<Image> conv_frames(const ConvSteps& steps) {
  const int64_t positions = steps.output.dim(1) * steps.output.dim(2);
  if (positions > most_frames) {
    throw Error(ErrorKind::usage, "convolution: too many steps to draw one by one")
        .with("positions", std::to_string(positions))
        .with("limit", std::to_string(most_frames))
        .with("try", "a smaller input, or a larger stride");
  }
  std::vector<Image> frames;
  for (int64_t done = 1; done <= positions; ++done) frames.push_back(conv_picture(steps, done));
  return frames;
}

Image stacked(const std::vector<Image>& pictures) {
  int64_t height = 0, width = 1;
  for (const Image& picture : pictures) {
    height += picture.height;
    width = std::max<int64_t>(width, picture.width);
  }
  draw::Canvas canvas(height, width);
  int64_t top = 0;
  for (const Image& picture : pictures) {
    canvas.paste(picture, top, 0);
    top += picture.height;
  }
  return std::move(canvas).image();
}

}  // namespace fovea::explain
