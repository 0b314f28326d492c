#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "commands.h"
#include "fovea/draw/chart.h"
#include "fovea/predict/predictor.h"
#include "inputs.h"
#include "model.h"

namespace fovea::cli {

/// One image to explain.
struct Subject {
  std::string name;  ///< its path, or "x.npy[3]"
  /// As it is, upright, RGB; from --input, its channels scaled to colours (or gray); for a model
  /// with a modality what that draws.
  Image picture;
  Array input;  ///< as the net takes it, one sample: u8 or u16 [1, H, W, C], or f32 [1, C, H, W]

  /// The input without the first axis.
  Array one() const { return input.reshaped(input.shape().slice(1)); }
};

/// The flags that the commands of the group `explain` share. Each adds those it has.
struct ExplainFlags : TrainedFlags {
  Command command;
  std::vector<std::string> images;
  std::string input, layer, target, out;
  int64_t max_pixels = 0, seed = 0;
  bool raw = false, show = false;

  /// --model, --weights and what else chooses a model, and --seed for one without weights.
  void add_model(Command declared);
  /// FILE... and --input, with these helps.
  void add_images(const std::string& input_help =
                      "Instead of files: numbers as the net takes them, f32 N, C, spatial...",
                  const std::string& file_help = file_kinds);
  void add_layer(const std::string& help);
  /// --class.
  void add_class(const std::string& help);
  /// --out, --raw with this help, or none if it is empty, and --show.
  void add_out(const std::string& raw_help);
};

/// The model, with its weights or else, for a name or net file without --weights, with the initial
/// ones of --seed, made for images of this shape if it is given. Errors: as load_predictor and
/// explain::untrained.
std::unique_ptr<Predictor> load_explained(const ExplainFlags& flags, Console& console,
                                          const std::optional<Shape>& input = std::nullopt);

/// All images and the samples of --input, in order. Errors: usage when there is none, or the model
/// does not take pictures and is given some; data for a picture that cannot be read.
std::vector<Subject> subjects(const ExplainFlags& flags, const Predictor& predictor);

/// The class that --class names: a name of the model's, or an index from 0. Errors: usage for an
/// unknown one, with the nearest names, or the range.
int64_t class_index(const std::string& text, const Predictor& predictor);
/// The name of a class, or its index as text where it has none.
std::string class_name(int64_t index, const Predictor& predictor);

/// Checks --out and --show, and makes the folder. Errors: usage when neither is given; io; as
/// check_show.
void prepare_output(const ExplainFlags& flags, const Console& console);

/// Writes the picture as DIR/NAME.png if --out is given, and draws it with --show. Returns the
/// path, or "" without --out. `name` may hold any text: see file_word.
std::string deliver(const ExplainFlags& flags, Console& console, const std::string& name,
                    const Image& picture);
/// The same of a chart of lines; --show draws it in braille.
std::string deliver(const ExplainFlags& flags, Console& console, const std::string& name,
                    const draw::Chart& chart);
/// Writes DIR/NAME.npy with --raw and --out; returns the path or "".
std::string deliver_raw(const ExplainFlags& flags, const std::string& name, const Array& values);

/// The part of a file's name that stands for a subject: "3-cat" for the one at index 3 from
/// photos/cat.png.
std::string subject_word(size_t index, const Subject& subject);

void add_explain_filters(Commands& commands, Command group);
void add_explain_features(Commands& commands, Command group);
void add_explain_receptive_field(Commands& commands, Command group);
void add_explain_conv(Commands& commands, Command group);
void add_explain_maps(Commands& commands, Command group);  ///< cam and saliency
void add_explain_maximize(Commands& commands, Command group);
void add_explain_embed(Commands& commands, Command group);

}  // namespace fovea::cli
