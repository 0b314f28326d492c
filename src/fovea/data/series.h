#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fovea/core/arguments.h"
#include "fovea/data/dataset.h"
#include "fovea/data/modality.h"
#include "fovea/data/series_file.h"

/// Time series: the UCR and UEA archives' files, and tables.
namespace fovea::data {

/// How series are normalised.
enum class SeriesNormalization : uint8_t {
  channel,  ///< each channel by its mean and std over all training series, in the net's graph
  series,   ///< each channel of each series by its own mean and std
  none,     ///< not at all
};

/// What becomes of series that are longer than the input.
enum class LongerSeries : uint8_t {
  refuse,     ///< an error
  middle,     ///< their middle is taken
  beginning,  ///< their beginning is
};

/// What becomes of a series: f32[C, L]. Shorter ones are padded at their end with zeros where
/// `masked` says that there are such: the input is then f32[C + 1, L], and its last channel is 1
/// where the series is and 0 in its padding.
class SeriesModality : public Modality {
 public:
  SeriesModality(int64_t channels, int64_t length, bool masked, SeriesNormalization normalization,
                 LongerSeries longer = LongerSeries::refuse);

  /// "series:6:100:false:channel", and ":middle" where longer ones are cut.
  std::string text() const override;
  std::vector<std::string> suffixes() const override { return series_suffixes(); }
  Type input() const override;
  /// The only series of a file; labels are not needed. Errors: data as read_series, for several
  /// series, other channels, or another length: a longer one than `length` that is refused, or any
  /// shorter one if not masked.
  Array read(const std::filesystem::path& file) const override;
  std::vector<Array> read_all(const std::filesystem::path& file) const override;
  bool normalizes() const override { return normalization_ == SeriesNormalization::channel; }
  bool masks() const override { return masked_; }
  /// Curves over time, without padding: see draw::curve_image.
  Image picture(const Array& input, const Array* map) const override;

  bool has_stretches() const override { return longer_ != LongerSeries::refuse; }
  Array read_stretch(const std::filesystem::path& file, double place) const override;

  /// A series as the input; `place`: where its stretch lies if it is longer, see read_stretch.
  /// Errors: data, as `read`.
  Array input_of(const OneSeries& series, const SeriesFile& from,
                 std::optional<double> place = std::nullopt) const;

 private:
  int64_t channels_, length_;
  bool masked_;
  SeriesNormalization normalization_;
  LongerSeries longer_;
};

/// Its row in the table of modalities.
ModalityEntry series_entry();

/// The options of both data sets: `normalize=channel|series|none`; `length=N`, to which series are
/// padded (by default the longest one's, of all splits; one that is longer is an error); `masked`,
/// whether inputs have a mask (by default where any series is shorter).
std::vector<Argument> series_options();

/// The UCR and UEA archives' files, PREFIX_TRAIN.ts and PREFIX_TEST.ts, or .tsv; a folder NAME
/// stands for NAME/NAME. Without test series a fixed tenth is held out for them. Targets are
/// classes, or the number of @targetLabel. Errors: data when there are no such files, they are
/// broken (see read_series), have no labels, or the two differ in kind or channels; usage for a
/// `length` below that of a series.
DataSets open_ucr(const std::filesystem::path& prefix, const Arguments& options);

/// A table of series, with a header, in one of three forms:
///
///   a row per series     the columns are steps of time: label,t0,t1,t2
///   a row per step       the column `series` says which one, others are channels: series,label,x,y
///   a row per channel    the columns `series` and `channel`, others are steps
///
/// `label` is the class, or `target` the number to predict. `split` (train, val, test) and `group`
/// (which is not divided between training and validation) are optional, and the same in all rows of
/// a series. Errors: as open_ucr; data for another split.
DataSets open_series(const std::filesystem::path& file, const Arguments& options);

}  // namespace fovea::data
