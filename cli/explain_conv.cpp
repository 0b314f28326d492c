#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "explain.h"
#include "fovea/core/files.h"
#include "fovea/core/random.h"
#include "fovea/draw/animation.h"
#include "fovea/explain/convolution.h"
#include "fovea/formats/npy.h"
#include "fovea/images/codec.h"
#include "fovea/images/filters.h"
#include "fovea/images/resize.h"

namespace fovea::cli {
namespace {

struct ExplainConvFlags : ExplainFlags {
  std::string kernel = "sobel_x";
  int64_t side = 8, stride = 1, padding = 0, dilation = 1;
  double seconds = 0.5;
};

/// f32 with ones before its axes up to `rank`. Errors: usage when it has more, or is not numbers.
Array with_rank(const Array& values, int rank, const std::string& what) {
  if (values.shape().rank() > rank || values.shape().rank() < 2 || values.numel() == 0) {
    throw Error(ErrorKind::usage, fmt::format("{}: 2 to {} axes are expected", what, rank))
        .with("found", describe(values));
  }
  Shape shape = values.shape();
  while (shape.rank() < rank) shape = Shape{1}.concat(shape);
  return values.astype(DType::f32).reshaped(shape);
}

/// The picture scaled to the side, channel by channel, 0 to 1.
Array pixels_of(const ExplainConvFlags& flags) {
  const auto side = static_cast<int>(flags.side);
  const Image image =
      resize(decode_image(flags.images[0], flags.max_pixels), side, side, Filter::bilinear);
  const int channels = image.channels == 1 ? 1 : 3;
  Array values(DType::f32, {channels, side, side});
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      for (int c = 0; c < channels; ++c)
        values.set((int64_t{c} * side + y) * side + x, image.at(y, x)[c] / 255.0);
    }
  }
  return values;
}

/// A picture of digits 0 to 9, from the seed.
Array random_digits(const ExplainConvFlags& flags) {
  Array values(DType::f32, {1, flags.side, flags.side});
  Random random(static_cast<uint64_t>(flags.seed), "explain conv");
  for (float& value : values.data<float>()) value = static_cast<float>(random.below(10));
  return values;
}

Array input_of(const ExplainConvFlags& flags) {
  if (flags.images.size() + (flags.input.empty() ? 0 : 1) > 1)
    throw Error(ErrorKind::usage, "explain conv: more than one input is given");
  if (!flags.images.empty()) return pixels_of(flags);
  if (flags.input.empty()) return random_digits(flags);
  const Array values = with_rank(read_npy(flags.input), 4, "--input " + flags.input);
  if (values.dim(0) != 1)
    throw Error(ErrorKind::usage, fmt::format("--input {}: one sample is expected", flags.input))
        .with("found", describe(values));
  return values.reshaped(values.shape().slice(1));
}

/// [O, C, kH, kW]; one of 2 axes is used for each of `channels`.
Array kernel_of(const ExplainConvFlags& flags, int64_t channels) {
  const Array values =
      flags.kernel.ends_with(".npy") ? read_npy(flags.kernel) : filter_kernel(flags.kernel);
  if (values.shape().rank() != 2 || channels == 1)
    return with_rank(values, 4, "--kernel " + flags.kernel);
  const Array one = values.astype(DType::f32);
  Array repeated(DType::f32, Shape{1, channels}.concat(one.shape()));
  for (int64_t i = 0; i < repeated.numel(); ++i) repeated.set(i, one.at(i % one.numel()));
  return repeated;
}

struct Geometry {
  int64_t stride, padding, dilation;
};

/// What was asked for, or the four of textbooks, whose outputs are smaller, equal, half and equal.
std::vector<Geometry> geometries(const ExplainConvFlags& flags) {
  for (const char* name : {"--stride", "--padding", "--dilation"}) {
    if (flags.command.given(name)) return {{flags.stride, flags.padding, flags.dilation}};
  }
  return {{1, 0, 1}, {1, 1, 1}, {2, 1, 1}, {1, 2, 2}};
}

int run(const ExplainConvFlags& flags, Console& console) {
  prepare_output(flags, console);
  const Array input = input_of(flags);
  const Array kernel = kernel_of(flags, input.dim(0));
  std::vector<Image> rows;
  Json list = Json::array();
  std::vector<std::vector<std::string>> lines;
  for (const Geometry& g : geometries(flags)) {
    const explain::ConvSteps steps =
        explain::convolution_steps(input, kernel, g.stride, g.padding, g.dilation);
    rows.push_back(explain::conv_picture(steps));
    const std::string name = fmt::format("conv-s{}-p{}-d{}", g.stride, g.padding, g.dilation);
    std::string animation;
    if (!flags.out.empty()) {
      animation = (std::filesystem::path(flags.out) / (name + ".png")).string();
      replace_file(animation, draw::animated_png(explain::conv_frames(steps), flags.seconds),
                   Flush::later);
    }
    const std::string npy = deliver_raw(flags, name, steps.output);
    list.push_back({{"stride", g.stride},
                    {"padding", g.padding},
                    {"dilation", g.dilation},
                    {"input", {input.dim(0), input.dim(1), input.dim(2)}},
                    {"output", {steps.output.dim(0), steps.output.dim(1), steps.output.dim(2)}},
                    {"animation", animation}});
    if (!npy.empty()) list.back()["npy"] = npy;
    lines.push_back({std::to_string(g.stride), std::to_string(g.padding),
                     std::to_string(g.dilation),
                     fmt::format("{}x{}", steps.output.dim(1), steps.output.dim(2)), animation});
  }
  const std::string png = deliver(flags, console, "conv", explain::stacked(rows));
  console.document({{"png", png}, {"convolutions", list}});
  console.result(
      table({"stride", "padding", "dilation", "output", "step by step"}, lines, "rrrrl"));
  if (!png.empty()) console.result(png + "\n");
  return 0;
}

}  // namespace

void add_explain_conv(Commands& commands, Command group) {
  const auto flags = std::make_shared<ExplainConvFlags>();
  flags->command = commands.add(group, "conv", "Draw a convolution step by step",
                                [flags](Console& console) { return run(*flags, console); });
  Command& command = flags->command;
  flags->add_images(
      "Instead of an image: numbers, H, W or C, H, W or 1, C, H, W; random digits by default",
      "One PNG, JPEG or WebP image, scaled to --side");
  command.text("--kernel", flags->kernel,
               "A textbook filter (see fovea filter --help), or a .npy file: kH, kW, for every "
               "channel, or O, C, kH, kW",
               "NAME|FILE");
  command.count("--side", flags->side, "Side that an image is scaled to", 1, 64);
  command.count("--stride", flags->stride, "Steps of the window, in pixels", 1, 64);
  command.count("--padding", flags->padding, "Zeros around the input", 0, 32);
  command.count("--dilation", flags->dilation, "Distance between the pixels of a window", 1, 64);
  command.number("--seconds", flags->seconds, "How long the animation shows each step", 0.05, 10);
  command.count("--seed", flags->seed, "Seed of the random digits", 0, 9007199254740991);
  flags->add_out("Also a .npy file of each output: f32 O, H, W");
  command.footer(
      "Without --stride, --padding and --dilation, four of them are drawn: 3x3 kernels turn 8x8\n"
      "into 6x6, 8x8 (padding 1), 4x4 (stride 2) and 8x8 (dilation 2).");
}

}  // namespace fovea::cli
