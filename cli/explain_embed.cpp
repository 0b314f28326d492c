#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "explain.h"
#include "explain_data.h"
#include "fovea/core/text.h"
#include "fovea/draw/grid.h"
#include "fovea/explain/embedding.h"

namespace fovea::cli {
namespace {

struct ExplainEmbedFlags : ExplainFlags {
  ExplainData data;
  double perplexity = 30;
  int64_t neighbours = 8;
};

constexpr int side = 640, margin = 24, legend_row = 22;

/// Where points [N, 2] lie in a square of `size` pixels, with the same scale along both axes.
std::vector<draw::Point> placed(const Array& points, double size) {
  double low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
  const int64_t width = points.dim(1);
  const auto coordinate = [&](int64_t i, int64_t axis) {
    return axis < width ? points.at(i * width + axis) : 0.0;
  };
  for (int64_t i = 0; i < points.dim(0); ++i) {
    for (int64_t axis = 0; axis < 2; ++axis) {
      low[axis] = std::min(low[axis], coordinate(i, axis));
      high[axis] = std::max(high[axis], coordinate(i, axis));
    }
  }
  const double span = std::max({high[0] - low[0], high[1] - low[1], 1e-30});
  std::vector<draw::Point> places;
  for (int64_t i = 0; i < points.dim(0); ++i) {
    places.push_back({size / 2 - (coordinate(i, 1) - (low[1] + high[1]) / 2) / span * size,
                      size / 2 + (coordinate(i, 0) - (low[0] + high[0]) / 2) / span * size});
  }
  return places;
}

/// The classes of the samples; none if targets are not classes.
struct Classes {
  std::vector<int64_t> of;
  std::vector<std::string> names;

  Classes(const data::Dataset& samples) {
    if (samples.targets().type != data::class_targets({}).type) return;
    names = samples.targets().names;
    for (int64_t i = 0; i < samples.size(); ++i)
      of.push_back(static_cast<int64_t>(samples.target(i).item()));
  }
  draw::Color color(size_t i) const {
    return of.empty() ? draw::series_color(0) : class_color(of[i], std::ssize(names));
  }
};

constexpr size_t named_classes = 24;

int legend_height(const Classes& classes) {
  const auto count = static_cast<int>(std::min(classes.names.size(), named_classes));
  return (count + 5) / 6 * legend_row + margin / 2;
}

void draw_legend(draw::Canvas& canvas, const Classes& classes, double top) {
  const int column = (canvas.width() - 2 * margin) / 6;
  for (size_t k = 0; k < std::min(classes.names.size(), named_classes); ++k) {
    const double y = top + static_cast<double>(k / 6) * legend_row;
    const double x = margin + static_cast<double>(k % 6) * column;
    canvas.disk({y + 8, x + 6}, 6, class_color(static_cast<int64_t>(k), std::ssize(classes.names)));
    canvas.text(y, x + 18, draw::fitted(classes.names[k], column - 24, 2), {.scale = 2});
  }
}

/// Two maps of the same points side by side, coloured by class.
Image points_picture(const std::vector<std::pair<std::string, Array>>& maps,
                     const Classes& classes) {
  const int top = 2 * margin + 8, width = static_cast<int>(maps.size()) * (side + margin) + margin;
  draw::Canvas canvas(top + side + margin + legend_height(classes), width);
  for (size_t m = 0; m < maps.size(); ++m) {
    const double left = margin + static_cast<double>(m) * (side + margin);
    canvas.text(margin / 2.0 + 4, left, maps[m].first, {.scale = 2, .bold = true});
    canvas.outline({static_cast<double>(top), left, side, side}, draw::rule);
    const double inset = 12;
    const std::vector<draw::Point> places = placed(maps[m].second, side - 2 * inset);
    const double radius = places.size() > 2000 ? 1.8 : places.size() > 400 ? 2.8 : 4;
    for (size_t i = 0; i < places.size(); ++i)
      canvas.disk({top + inset + places[i].y, left + inset + places[i].x}, radius,
                  classes.color(i));
  }
  draw_legend(canvas, classes, top + side + margin);
  return std::move(canvas).image();
}

/// The points as small pictures framed in the colours of their classes, as many as do not overlap.
Image thumbnails_picture(const Array& map, const Classes& classes, const data::Dataset& samples) {
  constexpr int size = 1200, tile = 40;
  draw::Canvas canvas(size + 2 * margin + legend_height(classes), size + 2 * margin);
  const std::vector<draw::Point> places = placed(map, size - tile - 8);
  std::vector<draw::Point> taken;
  for (size_t i = 0; i < places.size(); ++i) {
    const draw::Point& p = places[i];
    const bool free = std::ranges::none_of(taken, [&](const draw::Point& other) {
      return std::abs(other.y - p.y) < tile + 6 && std::abs(other.x - p.x) < tile + 6;
    });
    const double y = margin + p.y, x = margin + p.x;
    if (!free) continue;
    taken.push_back(p);
    const Image picture = thumbnail(sample_picture(samples, static_cast<int64_t>(i)), tile);
    canvas.fill({y, x, picture.height + 6.0, picture.width + 6.0}, classes.color(i));
    canvas.paste(picture, static_cast<int64_t>(y) + 3, static_cast<int64_t>(x) + 3);
  }
  draw_legend(canvas, classes, size + 1.5 * margin);
  return std::move(canvas).image();
}

/// The samples nearest to each given image.
Json neighbours(const ExplainEmbedFlags& flags, Console& console, const Predictor& predictor,
                explain::Explainer& explainer, const data::Dataset& samples, const Array& features,
                const Classes& classes) {
  if (flags.images.empty() && flags.input.empty()) return nullptr;
  Json list = Json::array();
  std::vector<draw::Tile> tiles;
  for (const Subject& subject : subjects(flags, predictor)) {
    const Array own =
        explain::features(explainer, explainer.normalized(subject.input), flags.layer);
    Json entry{{"path", subject.name}, {"neighbours", Json::array()}};
    tiles.push_back({thumbnail(subject.picture, 112), "query"});
    console.result(subject.name + "\n");
    for (const explain::Neighbour& n : explain::nearest(features, own, 0, flags.neighbours)) {
      const std::string label =
          classes.of.empty()
              ? ""
              : classes.names[static_cast<size_t>(classes.of[static_cast<size_t>(n.point)])];
      entry["neighbours"].push_back(
          {{"sample", samples.name(n.point)}, {"class", label}, {"similarity", n.similarity}});
      tiles.push_back({thumbnail(sample_picture(samples, n.point), 112),
                       fmt::format("{} {:.2f}", label, n.similarity)});
      console.result(fmt::format("  {:.3f}  {}  {}\n", n.similarity, samples.name(n.point), label));
    }
    list.push_back(std::move(entry));
  }
  const int columns = static_cast<int>(tiles.size() / list.size());
  const std::string png =
      deliver(flags, console, "neighbours", draw::grid(tiles, {.columns = columns, .scale = 1}));
  if (!png.empty()) console.result(png + "\n");
  return {{"png", png}, {"images", list}};
}

int run(const ExplainEmbedFlags& flags, Console& console) {
  flags.command.require("--data");
  prepare_output(flags, console);
  const auto predictor = load_explained(flags, console);
  explain::Explainer explainer(*predictor);
  const auto samples = flags.data.open(*predictor, console);
  const int64_t count = samples->size();
  const Array features =
      explain::features(explainer, *samples, count, flags.layer, [&](int64_t done) {
        console.status(0.5 * static_cast<double>(done) / static_cast<double>(count),
                       fmt::format("{} of {} samples", grouped(done), grouped(count)));
      });
  const Classes classes(*samples);
  const explain::Principal principal = explain::principal_components(features, 50);
  constexpr int64_t iterations = 500;
  const Array map = explain::tsne(principal.points,
                                  {.perplexity = flags.perplexity,
                                   .iterations = iterations,
                                   .seed = static_cast<uint64_t>(flags.seed)},
                                  [&](int64_t i) {
                                    console.status(0.5 + 0.5 * static_cast<double>(i) / iterations,
                                                   fmt::format("t-SNE {} of {}", i, iterations));
                                  });
  double shown = 0;
  for (size_t k = 0; k < std::min<size_t>(2, principal.explained.size()); ++k)
    shown += principal.explained[k];
  const std::string png = deliver(
      flags, console, "embedding",
      points_picture({{fmt::format("PCA, {:.0f} % of the variance", 100 * shown), principal.points},
                      {fmt::format("t-SNE, perplexity {:g}", flags.perplexity), map}},
                     classes));
  const std::string thumbnails =
      deliver(flags, console, "thumbnails", thumbnails_picture(map, classes, *samples));
  Json document{{"count", count},
                {"features", features.dim(1)},
                {"explained", principal.explained},
                {"png", png},
                {"thumbnails", thumbnails}};
  for (const auto& [name, array] : {std::pair<const char*, const Array*>{"features", &features},
                                    {"pca", &principal.points},
                                    {"tsne", &map}}) {
    const std::string npy = deliver_raw(flags, name, *array);
    if (!npy.empty()) document["npy"][name] = npy;
  }
  console.result(
      fmt::format("{}, {}; {:.1f} % of their variance in the first two "
                  "principal components\n",
                  counted(count, "sample"), counted(features.dim(1), "feature"), 100 * shown));
  for (const std::string& path : {png, thumbnails}) {
    if (!path.empty()) console.result(path + "\n");
  }
  const Json near = neighbours(flags, console, *predictor, explainer, *samples, features, classes);
  if (!near.is_null()) document["nearest"] = near;
  console.document(document);
  return 0;
}

}  // namespace

void add_explain_embed(Commands& commands, Command group) {
  const auto flags = std::make_shared<ExplainEmbedFlags>();
  flags->add_model(commands.add(
      group, "embed", "Draw a data set as the model sees it: similar samples side by side",
      [flags](Console& console) { return run(*flags, console); }));
  flags->data.limit = 2000;
  flags->data.add(flags->command, "The data set");
  flags->add_images();
  flags->add_layer(
      "Features are means over this layer; by default what the last linear layer takes");
  flags->command.number("--perplexity", flags->perplexity, "t-SNE: about how many neighbours count",
                        1, 1000);
  flags->command.count("--neighbours", flags->neighbours,
                       "Number of nearest samples to show for each FILE", 1, 64);
  flags->add_out("Also .npy files: features f32 N, F, and points along PCA and t-SNE");
}

}  // namespace fovea::cli
