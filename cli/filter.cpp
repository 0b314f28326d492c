#include "fovea/images/filters.h"

#include <fmt/format.h>

#include <memory>

#include "commands.h"
#include "fovea/core/files.h"
#include "fovea/formats/npy.h"
#include "fovea/images/codec.h"
#include "model.h"

namespace fovea::cli {
namespace {

struct FilterFlags {
  Command command;
  std::string kernel, input, output;
  int64_t max_pixels = default_pixel_limit;
  bool raw = false;
};

struct Kernel {
  Array values;
  bool absolute = false;
};

Kernel chosen_kernel(const std::string& text) {
  if (text.ends_with(".npy") || is_stream(text)) return {read_npy(text)};
  const auto [entry, arguments] = choose_filter(text);
  return {entry.kernel(arguments), entry.absolute};
}

/// The output's suffix must match its format.
void check_output(const FilterFlags& flags) {
  const std::string suffix = flags.raw ? ".npy" : ".png";
  if (flags.output.ends_with(suffix) || is_stream(flags.output)) return;
  throw Error(ErrorKind::usage, fmt::format("filter: OUT is \"{}\", but {} writes a {} file",
                                            flags.output, flags.raw ? "--raw" : "filter", suffix))
      .with("try", flags.raw || !flags.output.ends_with(".npy") ? "another name" : "--raw");
}

int run(const FilterFlags& flags, Console& console) {
  for (const char* name : {"--kernel", "IN", "OUT"}) flags.command.require(name);
  check_output(flags);
  console.data_goes_to("OUT", flags.output);
  const Kernel kernel = chosen_kernel(flags.kernel);
  const Array filtered = filter_image(decode_image(flags.input, flags.max_pixels), kernel.values);
  if (flags.raw) {
    write_npy(flags.output, filtered);
  } else {
    encode_png(flags.output, filtered_picture(filtered, kernel.absolute));
  }
  const Shape &size = filtered.shape(), &window = kernel.values.shape();
  console.document({{"kernel", flags.kernel},
                    {"kernel_size", std::vector<int64_t>(window.begin(), window.end())},
                    {"height", size[0]},
                    {"width", size[1]},
                    {"channels", size.rank() == 2 ? 1 : size[2]},
                    {"out", flags.output}});
  console.result(fmt::format("{}: {}x{} pixels\n", flags.output, size[0], size[1]));
  return 0;
}

}  // namespace

void add_filter(Commands& commands) {
  const auto flags = std::make_shared<FilterFlags>();
  Command command = commands.add(commands.root(), "filter", "Apply a textbook filter to a picture",
                                 [flags](Console& console) { return run(*flags, console); });
  flags->command = command;
  command.text("--kernel", flags->kernel, "One of the filters below, or a 2-d array in a .npy file",
               "NAME");
  command.text("IN", flags->input, "PNG, JPEG or WebP, gray or colour; - is standard input");
  command.text("OUT", flags->output,
               "PNG of the same size, rounded and clipped to 0 to 255; - is standard output");
  command.footer("Filters:\n" + listing(choices_of(filters())));
  command.max_pixels(flags->max_pixels)
      .help("Refuse pictures with more pixels; filtering takes up to 28 bytes of memory per pixel");
  command.flag("--raw", flags->raw,
               "OUT is a .npy file: f32 H, W or H, W, C, as computed from values of 0 to 255");
}

}  // namespace fovea::cli
