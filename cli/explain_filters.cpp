#include <fmt/format.h>

#include <memory>

#include "explain.h"
#include "fovea/draw/colormap.h"
#include "fovea/explain/filters.h"

namespace fovea::cli {
namespace {

struct ExplainFiltersFlags : ExplainFlags {
  std::string scale = "all", colormap;
};

int run(const ExplainFiltersFlags& flags, Console& console) {
  prepare_output(flags, console);
  const auto predictor = load_explained(flags, console);
  const explain::Filters found =
      explain::filters(predictor->model(), predictor->state(), predictor->input(), flags.layer);
  const Image picture = explain::filters_picture(
      found, {.scale_each = flags.scale == "each", .colormap = flags.colormap});
  const std::string name = "filters-" + found.layer;
  const std::string png = deliver(flags, console, name, picture);
  const std::string npy = deliver_raw(flags, name, found.values);
  const Shape& shape = found.values.shape();
  Json document{{"layer", found.layer},
                {"count", shape[0]},
                {"inputs", found.inputs},
                {"size", {shape[2], shape[3]}},
                {"png", png}};
  if (!npy.empty()) document["npy"] = npy;
  console.document(document);
  console.result(fmt::format("{}: {} filters, {}x{}, {} {}\n", found.layer, shape[0], shape[2],
                             shape[3], found.inputs, found.inputs == 1 ? "input" : "inputs"));
  if (!png.empty()) console.result(png + "\n");
  return 0;
}

}  // namespace

void add_explain_filters(Commands& commands, Command group) {
  const auto flags = std::make_shared<ExplainFiltersFlags>();
  flags->add_model(commands.add(group, "filters", "Draw the filters of a convolution",
                                [flags](Console& console) { return run(*flags, console); }));
  flags->add_layer("Which convolution; the first by default");
  flags->command.word("--scale", flags->scale,
                      "Whether all filters share one range of values, or each has its own",
                      {"all", "each"});
  flags->command.word("--colormap", flags->colormap,
                      "Colours; by default those of the inputs if they are 3, gray for 1, viridis "
                      "for the mean of others",
                      draw::colormap_names());
  flags->add_out("Also a .npy file: f32 O, C, H, W as drawn");
}

}  // namespace fovea::cli
