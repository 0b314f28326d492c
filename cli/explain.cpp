#include "explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "fovea/core/files.h"
#include "fovea/core/text.h"
#include "fovea/data/pictures.h"
#include "fovea/explain/untrained.h"
#include "fovea/formats/npy.h"
#include "fovea/images/codec.h"
#include "inputs.h"
#include "show.h"

namespace fovea::cli {
namespace {

/// A sample f32 [1, C, spatial...] as a picture.
Image picture_of(const Array& input, const data::Modality* modality) {
  const Shape& shape = input.shape();
  if (modality != nullptr && shape.slice(1) == modality->input().shape)
    return modality->picture(input.reshaped(shape.slice(1)));
  return data::numbers_picture(input.reshaped(shape.slice(1)));
}

std::vector<Subject> array_subjects(const ExplainFlags& flags, const Predictor& predictor) {
  constexpr int64_t maximum = 10'000;
  const Array all = read_npy(flags.input);
  check_input(all, predictor.input(), flags.input);
  if (all.dim(0) > maximum) {
    throw Error(ErrorKind::usage, fmt::format("--input {}: too many samples to draw", flags.input))
        .with("samples", std::to_string(all.dim(0)))
        .with("limit", std::to_string(maximum));
  }
  std::vector<Subject> list;
  const size_t bytes = all.dim(0) == 0 ? 0 : all.bytes() / static_cast<size_t>(all.dim(0));
  for (int64_t i = 0; i < all.dim(0); ++i) {
    Array one(DType::f32, Shape{1}.concat(all.shape().slice(1)));
    std::memcpy(one.raw(), all.raw() + static_cast<size_t>(i) * bytes, bytes);
    list.push_back(
        {fmt::format("{}[{}]", flags.input, i), picture_of(one, predictor.modality()), one});
  }
  return list;
}

/// Writes DIR/NAME.png with --out; returns the path or "".
std::string written(const ExplainFlags& flags, const std::string& name, const Image& picture) {
  if (flags.out.empty()) return "";
  const std::string path = (std::filesystem::path(flags.out) / (file_word(name) + ".png")).string();
  encode_png(path, picture);
  return path;
}

}  // namespace

void ExplainFlags::add_model(Command declared) {
  command = declared;
  TrainedFlags::add(command);
  command.count(
      "--seed", seed,
      "Seed of what is random: noise, masks, and the initial weights of a model without --weights",
      0, 9007199254740991);
}

void ExplainFlags::add_images(const std::string& input_help, const std::string& file_help) {
  max_pixels = default_pixel_limit;
  command.texts("FILE", images, file_help);
  command.text("--input", input, input_help, "X.npy");
  command.max_pixels(max_pixels);
}

void ExplainFlags::add_layer(const std::string& help) {
  command.text("--layer", layer, help, "NAME");
}

void ExplainFlags::add_class(const std::string& help) {
  command.text("--class", target, help, "NAME|INDEX");
}

void ExplainFlags::add_out(const std::string& raw_help) {
  command.text("--out", out, "Folder for the pictures; made if it is missing", "DIR");
  if (!raw_help.empty()) command.flag("--raw", raw, raw_help);
  command.flag("--show", show, "Draw the pictures in the terminal");
}

std::unique_ptr<Predictor> load_explained(const ExplainFlags& flags, Console& console,
                                          const std::optional<Shape>& input) {
  flags.command.require("--model");
  if (names_file(flags.model) || !flags.weights.empty() || flags.pretrained)
    return load_predictor(flags, console);
  models::Options options;
  flags.choices.apply(options.choices);
  options.input = input;
  const std::string name = model_name(flags.model, options);
  if (!flags.size.empty()) {
    const Shape size = parse_sizes("--size", flags.size);
    const Shape own = models::configure(name, options).input;
    if (size.rank() != 2 || own.rank() != 3) {
      throw Error(ErrorKind::usage, fmt::format("--size: \"{}\" is not an image size", flags.size))
          .with("expected", "height and width, such as 224x224");
    }
    options.input = Shape{own[0], size[0], size[1]};
  }
  auto predictor = explain::untrained(name, options, static_cast<uint64_t>(flags.seed));
  console.note(
      fmt::format("{}: not trained, its initial weights are shown (--weights FILE for "
                  "others)",
                  name));
  return predictor;
}

std::vector<Subject> subjects(const ExplainFlags& flags, const Predictor& predictor) {
  if (flags.input.empty() == flags.images.empty()) {
    throw Error(ErrorKind::usage, flags.images.empty()
                                      ? "explain: no file is given"
                                      : "explain: files and --input cannot be given together")
        .with("try", "cat.png, or --input x.npy");
  }
  if (!flags.input.empty()) return array_subjects(flags, predictor);
  constexpr int64_t maximum_pixels = int64_t{1} << 28;  // all are held in memory
  int64_t pixels = 0;
  std::vector<Subject> list;
  const auto add = [&](const std::string& name, Image picture, const Array& input) {
    pixels += int64_t{picture.height} * picture.width;
    if (pixels > maximum_pixels) {
      throw Error(ErrorKind::usage, "explain: the pictures have too many pixels together")
          .with("limit", fmt::format("{}, reached at {}", maximum_pixels, name))
          .with("try", "fewer files at a time");
    }
    list.push_back({name, std::move(picture), input.reshaped(Shape{1}.concat(input.shape()))});
  };
  for (const std::string& argument : flags.images) {
    for (const std::string& path : files_of(argument, predictor.modality())) {
      const data::Modality* modality = predictor.modality();
      if (modality == nullptr) {
        const AnyImage image = decode_any_image(path, flags.max_pixels);
        const Array input = predictor.prepared(image);
        add(path, to_rgb(to_8_bits(image)), input);
        continue;
      }
      const std::vector<Array> inputs = modality->read_all(path);
      for (size_t i = 0; i < inputs.size(); ++i) {
        add(inputs.size() == 1 ? path : fmt::format("{}[{}]", path, i),
            modality->picture(inputs[i]), inputs[i]);
      }
    }
  }
  return list;
}

int64_t class_index(const std::string& text, const Predictor& predictor) {
  const std::vector<std::string>& names = predictor.task().targets().names;
  const auto found = std::ranges::find(names, text);
  if (found != names.end()) return found - names.begin();
  const int64_t count = predictor.task().outputs();
  const std::optional<double> index = parse_number(text);
  if (!index) throw unknown_name("class", text, names);
  if (*index >= 0 && *index < static_cast<double>(count) && *index == std::floor(*index))
    return static_cast<int64_t>(*index);
  throw Error(ErrorKind::usage, fmt::format("--class {}: the model has no such output", text))
      .with("expected", fmt::format("0 to {}, or a name", count - 1));
}

std::string class_name(int64_t index, const Predictor& predictor) {
  const std::vector<std::string>& names = predictor.task().targets().names;
  return index < std::ssize(names) ? names[static_cast<size_t>(index)] : std::to_string(index);
}

void prepare_output(const ExplainFlags& flags, const Console& console) {
  if (flags.show) check_show(console);
  if (flags.out.empty()) {
    if (flags.show && !flags.raw) return;
    throw Error(ErrorKind::usage, "explain: --out is missing")
        .with("try", "--out DIR for the pictures as files, or --show to see them in the terminal");
  }
  make_folder(flags.out);
}

std::string deliver(const ExplainFlags& flags, Console& console, const std::string& name,
                    const Image& picture) {
  if (flags.show) show(console, picture);
  return written(flags, name, picture);
}

std::string deliver(const ExplainFlags& flags, Console& console, const std::string& name,
                    const draw::Chart& chart) {
  if (flags.show) show(console, chart);
  return written(flags, name, draw::chart_image(chart));
}

std::string deliver_raw(const ExplainFlags& flags, const std::string& name, const Array& values) {
  if (!flags.raw || flags.out.empty()) return "";
  const std::string path = (std::filesystem::path(flags.out) / (file_word(name) + ".npy")).string();
  write_npy(path, values, Flush::later);
  return path;
}

std::string subject_word(size_t index, const Subject& subject) {
  return fmt::format("{}-{}", index, std::filesystem::path(subject.name).stem().string());
}

void add_explain(Commands& commands) {
  const Command group = commands.group("explain", "See what a model learned and looks at");
  add_explain_filters(commands, group);
  add_explain_maps(commands, group);
  add_explain_maximize(commands, group);
  add_explain_embed(commands, group);
  add_explain_features(commands, group);
  add_explain_receptive_field(commands, group);
  add_explain_conv(commands, group);
}

}  // namespace fovea::cli
