#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/core/arguments.h"
#include "fovea/core/array.h"
#include "fovea/data/voxel_axes.h"
#include "fovea/graph/type.h"
#include "fovea/images/image.h"

namespace fovea::data {

/// How files of one kind become inputs of a net: sounds, series, clips, volumes. A Dataset of such
/// files has one (see Dataset::modality), a model file stores its text, and every command that
/// takes files or draws inputs uses it. Pictures have a Preprocessing instead. All functions are
/// pure and may be called from any number of threads at once.
class Modality {
 public:
  virtual ~Modality() = default;

  /// The text that makes the same one again: "sound:16000:1:log-mel".
  virtual std::string text() const = 0;
  /// What people call `count` of its inputs: "sound", which begins its text, or "sounds".
  std::string noun(int64_t count = 1) const;
  /// The suffixes of its files, in lower case: ".wav".
  virtual std::vector<std::string> suffixes() const = 0;
  /// Whether this file (or folder) is one input, without reading it: by default by its suffix, in
  /// any case.
  virtual bool takes(const std::filesystem::path& file) const;
  /// The type of every input, f32[C, spatial...] or, of clips, u8 [T, H, W, C].
  virtual Type input() const = 0;
  /// The input that a file becomes, of that type and before normalisation. Errors: data when the
  /// file is missing, broken, or nothing that could be an input; each names the file.
  virtual Array read(const std::filesystem::path& file) const = 0;
  /// Whether a file may be longer than an input, which is then a stretch of it.
  virtual bool has_stretches() const { return false; }
  /// The input that another stretch becomes than the one of `read`: from 0, at the file's
  /// beginning, to 1, at its end. What lies beside it is not read, where the format allows that.
  /// Errors: as `read`.
  virtual Array read_stretch(const std::filesystem::path& file, double) const { return read(file); }
  /// Those of a file that may hold several, such as a table of series; by default the one of
  /// `read`. Errors: as `read`.
  virtual std::vector<Array> read_all(const std::filesystem::path& file) const {
    return {read(file)};
  }
  /// Of a volume's file: how it lay before `read` turned it, and the spacing of its voxels; nothing
  /// is known of others. Errors: as `read`, of what is at its beginning.
  virtual VoxelAxes voxel_axes(const std::filesystem::path&) const { return {}; }
  /// Whether the last channel of its inputs is a mask: 1 where they are, 0 where they are padded.
  /// It is not normalised, and what is padded is no part of mean and std, and 0 after them.
  virtual bool masks() const { return false; }
  /// Whether training measures the mean and std of each channel and normalises inputs by them, in
  /// the net's graph.
  virtual bool normalizes() const { return true; }
  /// Whether pictures of its inputs, of two spatial axes, have the first row at the bottom.
  virtual bool upward() const { return false; }
  /// An input for people, RGB: a spectrogram, a curve, frames side by side. With a map of an
  /// explanation over it, f32[spatial...] of any sizes with values from 0 to 1, which is scaled to
  /// the input's axes; null: none.
  virtual Image picture(const Array& input, const Array* map) const = 0;
  Image picture(const Array& input) const { return picture(input, nullptr); }
};

/// One row of the table of modalities.
struct ModalityEntry {
  Choice choice;
  std::function<std::shared_ptr<const Modality>(const Arguments&)> make;
};

/// The table, built-in ones first.
const std::vector<ModalityEntry>& modalities();

/// Adds a modality of your own, which model files can then name. Not thread-safe: call it before
/// modalities are used. Errors: usage when the name is taken, or as check(Choice).
void add_modality(ModalityEntry entry);

/// The modality that a text such as "sound:16000:1:log-mel" describes. Errors: usage for an unknown
/// name or bad arguments, listing the known ones.
std::shared_ptr<const Modality> make_modality(std::string_view text);

}  // namespace fovea::data
