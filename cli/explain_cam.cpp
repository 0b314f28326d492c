#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <optional>

#include "explain.h"
#include "explain_check.h"
#include "fovea/core/parallel.h"
#include "fovea/core/text.h"
#include "fovea/data/pictures.h"
#include "fovea/draw/grid.h"
#include "fovea/draw/heat.h"
#include "fovea/explain/overlay.h"
#include "fovea/images/codec.h"
#include "fovea/images/resize.h"
#include "inputs.h"

namespace fovea::cli {
namespace {

using explain::Family;

struct ExplainCamFlags : ExplainFlags {
  Family family = Family::cam;
  std::string method, pixel, box;
  bool check = false;
};

/// A method as it was written: "occlusion:8:4".
struct Asked {
  std::string text;
  Chosen<explain::Method> method;
};

std::vector<Asked> asked_methods(const ExplainCamFlags& flags) {
  std::vector<Asked> all;
  for (const std::string& text : split(flags.method, ',')) {
    if (std::ranges::find(all, text, &Asked::text) != all.end())
      throw Error(ErrorKind::usage, fmt::format("--method: {} is given twice", text));
    all.push_back({text, explain::choose_method(text, flags.family)});
  }
  return all;
}

/// The classes of --class, one set of maps each; a single none for the predicted ones.
std::vector<std::optional<int64_t>> asked_classes(const ExplainCamFlags& flags,
                                                  const Predictor& predictor) {
  if (flags.target.empty()) return {std::nullopt};
  const std::vector<std::string>& names = predictor.task().targets().names;
  std::vector<std::string> texts{flags.target};  // names may hold commas
  if (std::ranges::find(names, flags.target) == names.end()) texts = split(flags.target, ',');
  std::vector<std::optional<int64_t>> classes;
  for (const std::string& text : texts) classes.emplace_back(class_index(text, predictor));
  return classes;
}

/// The place that --pixel X,Y or --box X,Y,WIDTH,HEIGHT names, in pixels of the picture. Errors:
/// usage for any other text, or both.
std::optional<PictureArea> asked_place(const ExplainCamFlags& flags) {
  if (flags.pixel.empty() && flags.box.empty()) return std::nullopt;
  const bool pixel = !flags.pixel.empty();
  const std::string& text = pixel ? flags.pixel : flags.box;
  std::vector<double> numbers;
  for (const std::string& part : split(text, ',')) {
    const std::optional<double> number = parse_number(part);
    if (number && *number >= 0 && *number < 1e6 && *number == std::floor(*number))
      numbers.push_back(*number);
  }
  if (pixel != flags.box.empty() || std::ranges::count(text, ',') + 1 != std::ssize(numbers) ||
      numbers.size() != (pixel ? 2 : 4) || (!pixel && (numbers[2] == 0 || numbers[3] == 0))) {
    throw Error(ErrorKind::usage,
                pixel && !flags.box.empty()
                    ? "explain: --pixel and --box cannot be given together"
                    : fmt::format("--{}: \"{}\" is not a place", pixel ? "pixel" : "box", text))
        .with("expected", "integers from 0: --pixel X,Y or --box X,Y,WIDTH,HEIGHT");
  }
  if (pixel) numbers.insert(numbers.end(), {1, 1});
  return PictureArea{
      .top = numbers[1], .left = numbers[0], .height = numbers[3], .width = numbers[2]};
}

/// One map of one image.
struct Drawn {
  std::string name;  ///< of its files
  Array map;         ///< [H, W] as computed
  Image overlay;
};

/// Images are explained in groups of this many, so that memory is bounded.
constexpr int64_t group_size = 16;

/// The sheet has at most this many rows.
constexpr int64_t sheet_rows = 60;

class Explaining {
 public:
  Explaining(const ExplainCamFlags& flags, Console& console, Predictor& predictor)
      : flags_(flags),
        console_(console),
        predictor_(predictor),
        explainer_(predictor),
        methods_(asked_methods(flags)),
        classes_(asked_classes(flags, predictor)),
        place_(asked_place(flags)),
        check_(flags.check ? std::make_unique<CheckTables>(explainer_) : nullptr) {}

  int run() {
    const std::vector<Subject> all = subjects(flags_, predictor_);
    const auto count = std::ssize(all);
    tile_ = count * std::ssize(classes_) > 12 ? 112 : 224;
    for (int64_t first = 0; first < count;) {  // inputs of one type at once
      int64_t end = first + 1;
      while (end < count && end - first < group_size && alike(all, first, end)) ++end;
      group(std::span(all).subspan(static_cast<size_t>(first), static_cast<size_t>(end - first)),
            first);
      first = end;
      console_.status(
          static_cast<double>(end) / static_cast<double>(count),
          fmt::format("{} of {} {}", grouped(end), grouped(count), predictor_.noun(count)));
    }
    return finish();
  }

 private:
  /// Whether two subjects can be explained in one batch.
  bool alike(const std::vector<Subject>& all, int64_t a, int64_t b) const {
    const Subject &one = all[static_cast<size_t>(a)], &other = all[static_cast<size_t>(b)];
    return one.input.dtype() == other.input.dtype() && one.input.shape() == other.input.shape() &&
           region_of(one) == region_of(other);
  }

  static bool is_prepared(const Subject& subject) { return subject.input.dtype() != DType::f32; }

  /// The pixels of the net's input that show `place_`; at least one.
  std::optional<tasks::Region> region_of(const Subject& subject) const {
    if (!place_) return std::nullopt;
    if (predictor_.modality() != nullptr) {
      throw Error(ErrorKind::usage, "explain: --pixel and --box are for models of images")
          .with("model", predictor_.modality()->text());
    }
    const Image& picture = subject.picture;
    if (place_->left + place_->width > picture.width ||
        place_->top + place_->height > picture.height) {
      throw Error(ErrorKind::usage,
                  fmt::format("{}: the place lies outside the image", subject.name))
          .with("place", flags_.pixel.empty() ? flags_.box : flags_.pixel)
          .with("image", fmt::format("{} pixels wide, {} high", picture.width, picture.height));
    }
    InputPlace seen = whole_place(picture.height, picture.width);
    if (is_prepared(subject)) seen = predictor_.place_of(picture.height, picture.width);
    const auto range = [](double begin, double length, double from, double scale) {
      const auto first = static_cast<int64_t>(std::floor((begin - from) * scale));
      const auto last = static_cast<int64_t>(std::ceil((begin + length - from) * scale));
      return std::pair(first, std::max(first + 1, last));
    };
    const auto [top, bottom] =
        range(place_->top, place_->height, seen.area.top, seen.height / seen.area.height);
    const auto [left, right] =
        range(place_->left, place_->width, seen.area.left, seen.width / seen.area.width);
    return tasks::Region{.top = top, .left = left, .bottom = bottom, .right = right};
  }

  void group(std::span<const Subject> some, int64_t first) {
    Array together(some[0].input.dtype(),
                   Shape{std::ssize(some)}.concat(some[0].input.shape().slice(1)));
    for (size_t i = 0; i < some.size(); ++i) {
      std::memcpy(together.raw() + i * some[i].input.bytes(), some[i].input.raw(),
                  some[i].input.bytes());
    }
    const Array inputs = explainer_.normalized(together);
    explainer_.look_at(region_of(some[0]));
    for (const std::optional<int64_t>& label : classes_) {
      explain::Request request{
          .inputs = inputs, .layer = flags_.layer, .seed = static_cast<uint64_t>(flags_.seed)};
      if (label) request.classes.assign(some.size(), *label);
      std::vector<explain::Explanation> found;
      for (const Asked& asked : methods_) {
        found.push_back(explain::explain(explainer_, asked.method, request));
        request.classes = found[0].classes;  // predicted once
      }
      draw(some, first, found);
      if (check_) {
        for (size_t m = 0; m < methods_.size(); ++m)
          check_->add(methods_[m].text, methods_[m].method, request, found[m]);
        check_->add_control(request, found[0]);
      }
    }
  }

  /// Overlays of one class, drawn and written in parallel.
  void draw(std::span<const Subject> some, int64_t first,
            const std::vector<explain::Explanation>& found) {
    const auto methods = std::ssize(found);
    std::vector<Drawn> drawn(some.size() * found.size());
    parallel_for(std::ssize(drawn), 1, [&](int64_t begin, int64_t end) {
      for (int64_t k = begin; k < end; ++k) {
        const auto i = static_cast<size_t>(k / methods), m = static_cast<size_t>(k % methods);
        drawn[static_cast<size_t>(k)] =
            drawn_map(some[i], static_cast<size_t>(first) + i, i, methods_[m].text, found[m]);
      }
    });
    for (size_t i = 0; i < some.size(); ++i) {
      const int64_t label = found[0].classes[i];
      const std::string name = class_name(label, predictor_);
      Json entry{{"path", some[i].name}, {"class", name}, {"index", label}};
      entry["layer"] =
          found[0].layers.empty() ? Json() : Json(found[0].layers[i]);  // null: of the input
      Json maps = Json::array();
      const bool in_sheet = std::ssize(images_) < sheet_rows;
      if (in_sheet) tiles_.push_back({tile(some[i].picture), name});
      for (size_t m = 0; m < found.size(); ++m) {
        const Drawn& one = drawn[i * found.size() + m];
        if (in_sheet) tiles_.push_back({tile(one.overlay), methods_[m].text});
        Json map{{"method", methods_[m].text}};
        if (!flags_.out.empty()) map["png"] = path_of(one.name, ".png");
        const std::string npy = deliver_raw(flags_, one.name, one.map);
        if (!npy.empty()) map["npy"] = npy;
        if (flags_.family == Family::saliency) map["sum"] = sum_of(one.map);
        maps.push_back(std::move(map));
      }
      entry["maps"] = std::move(maps);
      images_.push_back(std::move(entry));
    }
    for (const std::string& layer : found[0].layers) {
      if (std::ranges::find(layers_, layer) == layers_.end()) layers_.push_back(layer);
    }
  }

  Drawn drawn_map(const Subject& subject, size_t index, size_t row, const std::string& method,
                  const explain::Explanation& found) {
    const Array one = explain::rows(found.maps, static_cast<int64_t>(row), 1);
    Drawn result{.name = subject_word(index, subject) + "-" + method,
                 .map = one.reshaped(one.shape().slice(1)),
                 .overlay = {}};
    if (classes_.size() > 1) result.name += fmt::format("-{}", found.classes[row]);
    const Array shown = explain::drawn_map(result.map, flags_.family);
    if (const data::Modality* modality = predictor_.modality()) {
      result.overlay = modality->picture(subject.one(), &shown);
    } else if (subject.input.shape().rank() != 4) {
      result.overlay = data::numbers_picture(subject.one(), &shown);
    } else {
      result.overlay = explain::overlay(
          subject.picture, shown,
          is_prepared(subject) ? predictor_.file().preprocessing : std::optional<Preprocessing>());
    }
    if (flags_.out.empty()) return result;
    encode_png(path_of(result.name, ".png"),
               draw::with_color_bar(result.overlay, {0, 1}, draw::colormap("inferno")),
               PngEffort::fast);
    return result;
  }

  std::string path_of(const std::string& name, std::string_view suffix) const {
    return (std::filesystem::path(flags_.out) / fmt::format("{}{}", file_word(name), suffix))
        .string();
  }

  /// A picture as it is in the sheet: at most `tile_` pixels a side.
  Image tile(const Image& picture) const {
    const int side = std::max(picture.height, picture.width);
    if (side <= tile_) return to_rgb(picture);
    const auto scaled = [&](int length) { return std::max(1, length * tile_ / side); };
    return to_rgb(resize(picture, scaled(picture.height), scaled(picture.width), Filter::bilinear));
  }

  static double sum_of(const Array& map) {
    double sum = 0;
    for (float v : map.data<float>()) sum += v;
    return sum;
  }

  int finish() {
    const int columns = static_cast<int>(methods_.size()) + 1;
    const std::string sheet =
        deliver(flags_, console_, "sheet", draw::grid(tiles_, {.columns = columns}));
    if (std::ssize(images_) > sheet_rows)
      console_.note(
          fmt::format("the sheet has the first {} of {} rows", sheet_rows, images_.size()));
    Json document{{"images", images_}};
    if (!sheet.empty()) document["sheet"] = sheet;
    if (!layers_.empty()) console_.result(fmt::format("layer {}\n", join(layers_)));
    std::vector<std::vector<std::string>> lines;
    for (const Json& image : images_) {
      for (const Json& map : image["maps"]) {
        lines.push_back({visible(image["path"].get<std::string>()),
                         image["class"].get<std::string>(), map["method"].get<std::string>(),
                         map.contains("png") ? map["png"].get<std::string>() : ""});
      }
    }
    console_.result(table({predictor_.noun(), "class", "method", "picture"}, lines, "llll"));
    if (!sheet.empty()) console_.result(sheet + "\n");
    if (check_) {
      check_->describe(document);
      console_.result("\n" + check_->text());
      const std::string chart = deliver(flags_, console_, "check", check_->chart());
      if (!chart.empty()) {
        document["check"]["png"] = chart;
        console_.result(chart + "\n");
      }
    }
    console_.document(document);
    return 0;
  }

  const ExplainCamFlags& flags_;
  Console& console_;
  Predictor& predictor_;
  explain::Explainer explainer_;
  std::vector<Asked> methods_;
  std::vector<std::optional<int64_t>> classes_;
  std::optional<PictureArea> place_;
  std::unique_ptr<CheckTables> check_;
  int tile_ = 224;  ///< the largest side of pictures in the sheet
  Json images_ = Json::array();
  std::vector<draw::Tile> tiles_;
  std::vector<std::string> layers_;
};

int run(const ExplainCamFlags& flags, Console& console) {
  prepare_output(flags, console);
  (void)asked_methods(flags);  // before a large model is read
  const auto predictor = load_explained(flags, console);
  return Explaining(flags, console, *predictor).run();
}

void add_maps(Commands& commands, Command group, Family family) {
  const bool cam = family == Family::cam;
  const auto flags = std::make_shared<ExplainCamFlags>();
  flags->family = family;
  flags->method = cam ? "gradcam" : "smoothgrad";
  flags->add_model(commands.add(group, cam ? "cam" : "saliency",
                                cam ? "Draw which regions speak for a class: class activation maps"
                                    : "Draw which pixels speak for a class",
                                [flags](Console& console) { return run(*flags, console); }));
  flags->add_images();
  flags->command.text("--method", flags->method, "Methods, separated by commas", "A,B")
      .default_text(flags->method);
  flags->command.text("--pixel", flags->pixel,
                      "Explain the prediction at this pixel of the picture, counted from 0 (models "
                      "for segmentation and detection)",
                      "X,Y");
  flags->command.text("--box", flags->box,
                      "Explain the prediction in this rectangle: the mean over its pixels, or the "
                      "box that a detector predicts there",
                      "X,Y,WIDTH,HEIGHT");
  flags->add_class("Which class; several are separated by commas; the predicted one by default");
  if (cam)
    flags->add_layer(
        "Which layer; by default the deepest with a map: that before global pooling, flatten "
        "or scaling up; of a detector that of the pyramid's level where the box is found");
  flags->command.flag("--check", flags->check,
                      "Measure whether the maps are true: deletion and insertion curves, average "
                      "drop, a random map for comparison, and maps of randomised weights");
  flags->add_out(cam ? "Also .npy files: f32 H, W of the layer, after relu, before scaling"
                     : "Also .npy files: f32 H, W of the input, before scaling");
  std::vector<const Choice*> known;
  for (const explain::Method& method : explain::methods()) {
    if (method.family == family) known.push_back(&method.choice);
  }
  flags->command.footer("Methods:\n" + listing(known));
}

}  // namespace

void add_explain_maps(Commands& commands, Command group) {
  add_maps(commands, group, Family::cam);
  add_maps(commands, group, Family::saliency);
}

}  // namespace fovea::cli
