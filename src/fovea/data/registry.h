#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/core/arguments.h"
#include "fovea/data/dataset.h"
#include "fovea/data/folder_index.h"

namespace fovea::data {

/// One row of the table of data sets.
struct Entry {
  std::string name;  ///< "mnist"
  /// Reads it from the folder that holds its files or, with `place`, from that path; if both are
  /// empty, from the text after the colon of NAME:TEXT ("" for none).
  std::function<DataSets(const std::filesystem::path& folder)> read = {};
  /// Instead of `read`, for folders of many files whose names an index may know.
  std::function<DataSets(const std::filesystem::path& folder, std::shared_ptr<FolderIndex> index)>
      read_folders = {};
  /// Instead of `read`, for data sets with `options`: their values, given or by default.
  std::function<DataSets(const std::filesystem::path& place, const Arguments& options)> read_with =
      {};
  /// What may follow the place, as NAME:PLACE,OPTION=VALUE,...: each has a default.
  std::vector<Argument> options = {};
  /// The modality of its files, whose arguments the options of the same names are; "": none.
  std::string modality = {};
  /// What is required after the colon: the path "DIR", "FILE" or "FILES", or "DATA", the name of
  /// another data set.
  std::string place = {};
  std::vector<std::string> files = {};  ///< that identify its folder, compressed (.gz) or not
  std::string advice = {};              ///< how to get them
  std::string unpacked = {};            ///< the folder in its official archive, if any
  std::string debian = {};              ///< the folder of its Debian package, if any
};

/// Adds a data set of your own, which --data can then use by name. Not thread-safe: call it before
/// any is opened. Errors: usage when the name is taken.
void add(Entry entry);

/// The names open() knows: cifar10, cifar100, fashion-mnist, mnist, kmnist, folder, imagenet and
/// images (see folder.h), masks (see masks.h), coco (see coco.h), yolo (see yolo.h), voc (see
/// voc.h), scenes (see scenes.h), sound (see sound.h), ucr and series (see series.h), clips (see
/// clips.h), volumes (see volumes.h), csv (see csv.h), tar (see tar.h), arrays (see arrays.h),
/// discs (see synthetic.h), emnist and its subsets (see emnist.h), and those added.
std::vector<std::string> names();

/// What open() accepts, in one line: the names, "or NAME:DIR with the folder of the files".
std::string usage();

/// Opens what --data names:
///
///   NAME       looked for in $FOVEA_DATA (by default ~/.cache/fovea/data), as a folder NAME in it,
///              as the folder the official archive unpacks to, or as that folder itself; then where
///              Debian's package puts it
///   NAME:DIR   in DIR (the folder of the files, or the one above it)
///   folder:DIR, imagenet:DIR, images:DIR, masks:DIR, coco:DIR, yolo:DIR, voc:DIR, csv:FILE,
///              tar:FILES   that folder or file itself
///   sound:DIR,OPTION=VALUE,... ucr:PREFIX,... series:FILE,... clips:DIR,... volumes:DIR,...
///              likewise, with options of the data set
///   scenes:NAME,OPTION=VALUE,...   made of the pictures of the data set NAME
///   arrays:DIR   as NAME:DIR
///
/// Errors: usage for an unknown name, with the nearest ones; data when the files are not there
/// (listing the places searched, and how to get them) or are damaged (see idx.h, cifar.h).
///
/// `index` is the text of the FolderIndex of an earlier run on the same data; only folder, imagenet
/// and images use it.
DataSets open(std::string_view spec, std::string_view index = {});

/// The options that `spec` leaves open and the text of a modality (see Modality::text) determines,
/// as "length=400": with them the files become the inputs that a model was trained on. None for
/// data sets without such files, and those of another modality.
std::vector<std::string> open_options(std::string_view spec, std::string_view modality);

/// `spec` with its path as an absolute one, so that it names the same data from any folder.
std::string from_anywhere(std::string_view spec);

/// The folder of a data set of folders; none for others.
std::optional<std::filesystem::path> indexed_folder(std::string_view spec);

}  // namespace fovea::data
