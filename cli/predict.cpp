#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <filesystem>
#include <iterator>
#include <memory>
#include <new>
#include <optional>
#include <set>
#include <span>

#include "commands.h"
#include "fovea/core/files.h"
#include "fovea/core/parallel.h"
#include "fovea/formats/npy.h"
#include "fovea/images/codec.h"
#include "inputs.h"
#include "predict.h"

namespace fovea::cli {
namespace {

/// Whether the error is of one picture, and others may still be used.
bool concerns_one_picture(ErrorKind kind) {
  return kind == ErrorKind::data || kind == ErrorKind::diverged || kind == ErrorKind::memory;
}

/// A picture or another file on its way: its input for the net, then what the net says of it, or
/// why it says nothing.
struct Item {
  std::string path;
  std::optional<AnyImage> picture = {};  ///< if it is drawn or cut into tiles, at its own size
  Array input = {};
  InputPlace place = {};  ///< of the input in the picture
  std::unique_ptr<tasks::Prediction> prediction = {};
  std::exception_ptr failure = {};
};

/// Calls body(), and keeps what it throws where it concerns this picture only.
template <class Body>
void attempt(Item& item, const Body& body) {
  try {
    body();
  } catch (const Error& error) {
    if (!concerns_one_picture(error.kind())) throw;
    item.failure = std::current_exception();
  } catch (const std::bad_alloc&) {
    item.failure = std::make_exception_ptr(
        Error(ErrorKind::memory, fmt::format("{}: not enough memory to use it", item.path)));
  }
}

/// The predictions for items of one dtype that have an input, all at once.
void predict_together(std::span<Item*> items, Predictor& predictor, int64_t top) {
  const Array& one = items[0]->input;
  Array batch(one.dtype(), Shape{std::ssize(items)}.concat(one.shape()));
  for (size_t i = 0; i < items.size(); ++i)
    std::memcpy(batch.raw() + i * one.bytes(), items[i]->input.raw(), one.bytes());
  std::vector<std::unique_ptr<tasks::Prediction>> said = predictor.predict(batch, top);
  for (size_t i = 0; i < items.size(); ++i) {
    said[i]->place(items[i]->place);
    items[i]->prediction = std::move(said[i]);
  }
}

/// Decodes a picture and makes its input; it is kept, at its own size, if it is drawn or cut into
/// tiles.
void prepare(Item& item, const PredictFlags& flags, const Predictor& predictor) {
  if (!flags.pictures.empty() || flags.tile > 0)
    item.picture = decode_any_image(item.path, flags.max_pixels);
  if (flags.tile > 0) return;
  if (item.picture && is_stream(item.path)) {  // which can be read once
    item.input = predictor.prepared(*item.picture);
    item.place =
        std::visit([&](const auto& image) { return predictor.place_of(image.height, image.width); },
                   *item.picture);
    return;
  }
  Predictor::Input input = predictor.read(item.path, flags.max_pixels);
  item.input = std::move(input.pixels);
  item.place = input.place;
}

/// What a file gives: a picture, or the inputs in a file of another kind, which may hold several.
std::vector<Item> items_of(const std::string& path, const PredictFlags& flags,
                           const Predictor& predictor) {
  Item whole{.path = path};
  std::vector<Item> items;
  attempt(whole, [&] {
    const data::Modality* modality = predictor.modality();
    if (modality == nullptr) return prepare(whole, flags, predictor);
    const std::vector<Array> inputs = modality->read_all(path);
    for (size_t i = 0; i < inputs.size(); ++i) {
      items.push_back(
          {.path = inputs.size() == 1 ? path : fmt::format("{}[{}]", path, i), .input = inputs[i]});
    }
  });
  if (items.empty()) items.push_back(std::move(whole));
  return items;
}

/// What some files give, read in parallel.
std::vector<Item> read_items(std::span<const std::string> paths, const PredictFlags& flags,
                             const Predictor& predictor) {
  std::vector<std::vector<Item>> parts(paths.size());
  parallel_for(std::ssize(paths), 1, [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i)
      parts[i] = items_of(paths[i], flags, predictor);
  });
  std::vector<Item> items;
  for (std::vector<Item>& part : parts) std::ranges::move(part, std::back_inserter(items));
  return items;
}

/// Predicts items together or, where that fails, one by one, so that a bad one costs its own
/// prediction only.
void predict_batch(std::span<Item> items, const PredictFlags& flags, Predictor& predictor) {
  if (flags.tile > 0) {
    const bool given = flags.command.given("--overlap");
    const Tiling tiling{flags.tile,
                        given ? flags.overlap : std::min(flags.overlap, flags.tile / 2)};
    for (Item& item : items) {
      if (item.failure) continue;
      attempt(item, [&] {
        item.prediction = predictor.predict_tiled(*item.picture, tiling, flags.classes_shown());
      });
    }
    return;
  }
  for (const DType dtype : {DType::u8, DType::u16, DType::f32}) {
    std::vector<Item*> good;
    for (Item& item : items) {
      if (!item.failure && item.input.dtype() == dtype) good.push_back(&item);
    }
    if (good.empty()) continue;
    Item together{.path = ""};
    attempt(together, [&] { predict_together(good, predictor, flags.classes_shown()); });
    if (!together.failure) continue;
    for (Item* item : good) {
      attempt(*item, [&] { predict_together({&item, 1}, predictor, flags.classes_shown()); });
    }
  }
}

/// Writes the pictures of predictions to --pictures.
class Pictures {
 public:
  Pictures(const PredictFlags& flags, const Predictor& predictor)
      : flags_(flags), predictor_(predictor) {
    if (!flags.pictures.empty()) make_folder(flags.pictures);
  }

  /// Returns the files. Errors: usage for a task whose predictions are not about places.
  std::vector<std::string> write(const Item& item) {
    if (flags_.pictures.empty()) return {};
    const data::Modality* modality = predictor_.modality();
    const Image picture =
        modality != nullptr ? modality->picture(item.input) : to_8_bits(*item.picture);
    std::vector<std::string> files;
    for (const tasks::PredictedPicture& made : item.prediction->pictures(shown(item, picture))) {
      files.push_back(file_of(item, made.name, ".png"));
      replace_file(files.back(), made.png);
    }
    if (modality != nullptr) {  // what pictures do not show all of
      for (const auto& [name, array] : item.prediction->arrays()) {
        files.push_back(file_of(item, name, ".npy"));
        write_npy(files.back(), array, Flush::later);
      }
    }
    if (!files.empty()) return files;
    throw Error(ErrorKind::usage, "--pictures: this model's predictions are not about places")
        .with("task", std::string(predictor_.task().name()))
        .with("try",
              "a model for segmentation or detection; fovea explain cam shows what a classifier "
              "sees");
  }

 private:
  /// "DIR/NAME-mask.png", or with a number where another file of that name was used.
  std::string file_of(const Item& item, const std::string& name, const std::string& suffix) {
    std::filesystem::path own = std::filesystem::path(item.path).stem();
    if (own.extension() == ".nii") own = own.stem();  // of .nii.gz
    const std::string stem = own.string();
    std::string file = fmt::format("{}-{}{}", stem, name, suffix);
    for (int n = 2; !taken_.insert(file).second; ++n)
      file = fmt::format("{}-{}-{}{}", stem, n, name, suffix);
    return (std::filesystem::path(flags_.pictures) / file).string();
  }

  tasks::ShownInput shown(const Item& item, const Image& picture) const {
    if (flags_.tile == 0 && predictor_.modality() == nullptr) return {picture, item.place};
    return {picture, whole_place(picture.height, picture.width)};
  }

  const PredictFlags& flags_;
  const Predictor& predictor_;
  std::set<std::string> taken_;
};

int predict_images(const PredictFlags& flags, Console& console) {
  const std::unique_ptr<Predictor> predictor = flags.load(console);
  if (predictor->modality() != nullptr && flags.tile > 0) {
    throw Error(ErrorKind::usage, "predict: --tile is for models of images")
        .with("model", predictor->modality()->text());
  }
  std::vector<std::string> paths;
  for (const std::string& argument : flags.images)
    std::ranges::move(files_of(argument, predictor->modality()), std::back_inserter(paths));
  PredictReport report(flags, predictor->noun(), console, paths);
  Pictures pictures(flags, *predictor);
  const auto count = std::ssize(paths);
  for (int64_t first = 0; first < count; first += flags.batch) {
    const int64_t done = std::min(first + flags.batch, count);
    std::vector<Item> items = read_items(
        std::span(paths).subspan(static_cast<size_t>(first), static_cast<size_t>(done - first)),
        flags, *predictor);
    const auto batch = static_cast<size_t>(flags.batch);
    for (size_t i = 0; i < items.size(); i += batch)
      predict_batch(std::span(items).subspan(i, std::min(batch, items.size() - i)), flags,
                    *predictor);
    for (const Item& item : items) {
      try {
        if (item.failure) std::rethrow_exception(item.failure);
        report.add(item.path, *item.prediction, pictures.write(item));
      } catch (const Error& error) {
        if (!item.failure) throw;
        report.add(item.path, error);
      }
    }
    console.status(static_cast<double>(done) / static_cast<double>(count),
                   fmt::format("{} of {} {}", grouped(done), grouped(count),
                               predictor->modality() != nullptr ? "files" : "images"));
  }
  return report.finish();
}

int run(const PredictFlags& flags, Console& console) {
  flags.command.require("--model");
  const bool array = !flags.input.empty() || !flags.output.empty();
  if (array == !flags.images.empty()) {
    throw Error(ErrorKind::usage, array ? "predict: files and --input cannot be given together"
                                        : "predict: no file is given")
        .with("try", "fovea predict --model FILE cat.png, or --input x.npy --output y.npy");
  }
  if (array && (!flags.pictures.empty() || flags.tile > 0)) {
    throw Error(ErrorKind::usage, "predict: --pictures and --tile are for files, not for --input")
        .with("try", "--input without them, or files of images");
  }
  if (flags.tile > 0 && !flags.tta.empty() && flags.tta != "none")
    throw Error(ErrorKind::usage, "predict: --tile and --tta cannot be given together")
        .with("try", "one of them");
  if (flags.tile == 0 && flags.command.given("--overlap"))
    throw Error(ErrorKind::usage, "predict: --overlap needs --tile")
        .with("try", "--tile N, in whose pixels --overlap is");
  if (!flags.csv.empty()) {
    if (!flags.output.empty()) {
      throw Error(ErrorKind::usage, "predict: --csv and --output cannot be given together")
          .with("try", "--csv for the predictions, or --output for the raw outputs");
    }
    console.data_goes_to("--csv", flags.csv);
  }
  if (!flags.coco.empty()) {
    if (array)
      throw Error(ErrorKind::usage, "predict: --coco is for files of images, not for --input")
          .with("try", "files of images instead of --input");
    console.data_goes_to("--coco", flags.coco);
  }
  if (flags.coco.empty() && !flags.annotations.empty())
    throw Error(ErrorKind::usage, "predict: --annotations needs --coco")
        .with("try", "--coco FILE.json, whose ids they then are");
  const std::unique_ptr<TuningSession> tuning = flags.kernels.apply(console);
  if (!array) return predict_images(flags, console);
  flags.command.require("--input");
  if (!flags.output.empty()) console.data_goes_to("--output", flags.output);
  return predict_array(flags, console);
}

}  // namespace

void add_predict(Commands& commands) {
  const auto flags = std::make_shared<PredictFlags>();
  Command command = commands.add(commands.root(), "predict",
                                 "Use a trained model on images, other files or numbers",
                                 [flags](Console& console) { return run(*flags, console); });
  flags->command = command;
  flags->add(command);
  command.texts("FILE", flags->images, file_kinds + "; - is standard input, for an image");
  command.count("--batch", flags->batch, "Samples at once", 1, 4096);
  command.text("--csv", flags->csv,
               "Write a table instead: path, prediction, probability, and so on for --top", "FILE");
  command.text("--pictures", flags->pictures,
               "Draw predictions that are about places: the mask of a segmentation and the image "
               "under it, as NAME-mask.png and NAME-overlay.png; boxes as NAME-boxes.png",
               "DIR");
  command.text(
      "--coco", flags->coco,
      "Write boxes as COCO's results, a JSON list; image_id is the number that is the file's "
      "name, else its place among the images",
      "FILE.json");
  command.text("--annotations", flags->annotations,
               "COCO's annotations of these images, whose ids --coco then gives", "FILE.json");
  command.count("--tile", flags->tile,
                "Use images at their own size, in square tiles of so many pixels (segmentation)", 1,
                16384);
  command.count("--overlap", flags->overlap,
                "By how many pixels tiles overlap; by default 64, or half of a small tile", 0,
                8192);
  command.count("--top", flags->top, "Classes to show for each sample");
  add_views(command, flags->tta);
  flags->of_task.add(command);
  flags->kernels.add(command);
  command.max_pixels(flags->max_pixels);
  command.text("--input", flags->input,
               "Instead of files: numbers as the net takes them, f32 N, C, spatial...", "X.npy");
  command.text("--output", flags->output,
               "Where the raw outputs for --input go: a file, - for standard output, or a folder "
               "for a file per output, and per sample and kind for boxes; predictions are shown by "
               "default",
               "Y.npy|DIR");
}

}  // namespace fovea::cli
