#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "explain.h"
#include "fovea/draw/colormap.h"
#include "fovea/explain/features.h"

namespace fovea::cli {
namespace {

struct ExplainFeaturesFlags : ExplainFlags {
  int64_t channels = 64;
  std::string order = "index", colormap = "viridis";
};

Json sizes(const Array& values) {
  return std::vector<int64_t>(values.shape().begin(), values.shape().end());
}

std::vector<int64_t> strongest(const explain::FeatureMaps& layer) {
  constexpr size_t listed = 5;
  const bool vector = layer.values.shape().rank() == 1;  // its elements are its channels
  std::vector<int64_t> order =
      explain::strongest_channels(vector ? layer.values.reshaped({layer.values.numel(), 1, 1})
                                         : explain::as_maps(layer.values));
  order.resize(std::min(order.size(), listed));
  return order;
}

/// Draws one image's layers; returns its entry of the document.
Json explain_one(const ExplainFeaturesFlags& flags, Console& console, Predictor& predictor,
                 size_t index, const Subject& subject) {
  const auto found = explain::features(predictor, subject.input, flags.layer);
  const std::string word = subject_word(index, subject);
  Json layers = Json::array();
  std::vector<std::vector<std::string>> rows;
  for (const explain::FeatureMaps& layer : found) {
    const std::string name = fmt::format("{}-{}", word, layer.layer);
    const std::string png =
        deliver(flags, console, name,
                explain::features_picture(layer, {.channels = flags.channels,
                                                  .by_strength = flags.order == "strength",
                                                  .colormap = flags.colormap}));
    const std::string npy = deliver_raw(flags, name, layer.values);
    const std::vector<int64_t> order = strongest(layer);
    layers.push_back({{"name", layer.layer},
                      {"shape", sizes(layer.values)},
                      {"strongest", order},
                      {"png", png}});
    if (!npy.empty()) layers.back()["npy"] = npy;
    rows.push_back(
        {layer.layer, layer.shape_text(), fmt::format("{}", fmt::join(order, " ")), png});
  }
  const std::string overview =
      deliver(flags, console, word + "-overview",
              explain::features_overview(subject.picture, found, flags.colormap));
  console.result(
      fmt::format("{}\n{}{}{}", subject.name,
                  table({"layer", "shape", "strongest channels", "picture"}, rows, "llll"),
                  overview, overview.empty() ? "" : "\n"));
  return {{"path", subject.name}, {"overview", overview}, {"layers", layers}};
}

int run(const ExplainFeaturesFlags& flags, Console& console) {
  prepare_output(flags, console);
  const auto predictor = load_explained(flags, console);
  const std::vector<Subject> all = subjects(flags, *predictor);
  Json images = Json::array();
  for (size_t i = 0; i < all.size(); ++i)
    images.push_back(explain_one(flags, console, *predictor, i, all[i]));
  console.document({{"images", images}});
  return 0;
}

}  // namespace

void add_explain_features(Commands& commands, Command group) {
  const auto flags = std::make_shared<ExplainFeaturesFlags>();
  flags->add_model(commands.add(group, "features", "Draw what layers compute for images",
                                [flags](Console& console) { return run(*flags, console); }));
  flags->add_images();
  flags->add_layer(
      "Layers: names or globs, separated by commas; up to eight convolutions by default");
  flags->command.count("--channels", flags->channels,
                       "Channels to draw of each layer: the strongest ones", 1, 4096);
  flags->command.word("--order", flags->order,
                      "Order of the channels: by index, or by strength (mean absolute value)",
                      {"index", "strength"});
  flags->command.word("--colormap", flags->colormap, "Colours", draw::colormap_names());
  flags->add_out("Also a .npy file for each layer: f32 C, H, W as computed");
}

}  // namespace fovea::cli
