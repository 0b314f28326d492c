#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fovea/core/error.h"
#include "fovea/data/boxes.h"
#include "fovea/data/image_files.h"

// What the readers of images with boxes share: see coco.h, yolo.h and voc.h.
namespace fovea::data {

/// An image file and the boxes in it.
struct BoxedImage {
  std::string path;           ///< below the split's folder
  int height = 0, width = 0;  ///< of the image that the boxes are in
  std::vector<ClassBox> boxes = {};
  std::vector<double> areas = {};                  ///< of the objects in them, in pixels
  std::shared_ptr<const Error> problem = nullptr;  ///< the first one, if any

  /// Adds a box, which may stick out by up to a pixel, as rounding makes it, and is clipped. What
  /// is wrong with it becomes the problem of the image: numbers that are not finite, a box that is
  /// empty or lies outside, too many boxes. `where` is the place of the box in its file:
  /// "labels/1.txt: line 3". `area`: of the object, in pixels; by default that of its box.
  void add(ClassBox box, const std::string& where, std::optional<double> area = {});
  /// Sets the problem of the image, unless there is one already.
  void fail(Error error);
  /// Calls body(); a data error that it throws becomes the problem of the image.
  template <class Body>
  void attempt(const Body& body) {
    try {
      body();
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::data) throw;
      fail(error);
    }
  }
};

/// Errors: data: the problem of the first image that has one.
void require_no_problem(const std::vector<BoxedImage>& images);

/// A split of image files with boxes. Sizes are checked when an image is read.
class BoxedImages : public ImageFiles {
 public:
  BoxedImages(const std::filesystem::path& root, std::vector<BoxedImage> images,
              const Targets& meaning);

  /// A JPEG is decoded smaller only by what divides its sides (see exact_minimum), and its boxes
  /// are divided by the same. Errors: also data for an image with a problem, or of another size
  /// than its boxes are for.
  Sample scaled_sample(int64_t i, const MinimumSize& minimum) const override;
  Array target(int64_t i) const override;
  std::optional<BoxedPicture> boxed_picture(int64_t i) const override;

 private:
  std::vector<BoxedImage> images_;
};

/// The images of a split, below a folder.
struct BoxedSplit {
  std::filesystem::path root;
  std::vector<BoxedImage> images = {};
};

/// Data sets of splits that share classes; those without images do not exist. `ids`: see
/// Targets::ids. Errors: data without images to train on or without classes; usage as box_targets.
DataSets boxed_sets(const std::string& name, std::vector<std::string> classes, BoxedSplit train,
                    BoxedSplit val, BoxedSplit test, std::vector<int64_t> ids = {});

/// The lines of a file of class names, in order: classes.txt. Errors: data for a file that is
/// missing, one without names, or a name that is empty, longer than 1,000 bytes, has control
/// characters or occurs twice.
std::vector<std::string> read_class_list(const std::filesystem::path& file);

/// Checks the names of classes that `where` lists. Errors: data as read_class_list, or more than
/// 65,536.
void check_class_names(const std::string& where, const std::vector<std::string>& names);

/// Errors: data, naming `where`, unless `path` stays below the folder that it is relative to.
void check_inside(const std::string& where, const std::string& path);

}  // namespace fovea::data
