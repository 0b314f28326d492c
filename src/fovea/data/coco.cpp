#include "fovea/data/coco.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <optional>
#include <unordered_map>

#include <nlohmann/json.hpp>

#include "fovea/core/error.h"
#include "fovea/core/files.h"
#include "fovea/core/text.h"
#include "fovea/data/boxed_images.h"
#include "fovea/data/folder_index.h"

namespace fovea::data {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view instances_prefix = "instances_", json_suffix = ".json";
constexpr size_t deepest_json = 100;  // nested arrays and objects

/// One object of a list: what is read of an image, an annotation or a category.
struct CocoItem {
  std::map<std::string, int64_t> integers;
  std::map<std::string, std::string> texts;
  std::vector<double> bbox;
  std::optional<double> area;
  bool crowd = false;
  std::string problem;  ///< what is wrong with one of these
};

struct CocoAnnotation {
  int64_t id, image, category;
  double x, y, width, height;
  std::optional<double> area;
  bool crowd;
};

/// The contents of a file of annotations.
struct Instances {
  std::vector<BoxedImage> images;
  std::unordered_map<int64_t, size_t> places;  ///< of images, by id
  std::vector<CocoAnnotation> annotations;
  std::map<int64_t, std::string> categories;  ///< names by id
};

/// Reads the text as a stream of events; what is not needed is not kept.
class CocoReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit CocoReader(const fs::path& file) : file_(file) {}

  Instances read() {
    require_file(file_, ErrorKind::data);
    std::ifstream stream(file_, std::ios::binary);
    if (!stream) throw bad("cannot be read");
    (void)nlohmann::json::sax_parse(stream, this);
    for (const char* list : {"images", "annotations", "categories"}) {
      if (std::ranges::count(lists_, list) == 0) throw bad(fmt::format("has no {}", list));
    }
    check_annotation_ids();
    return std::move(found_);
  }

  bool null() override {
    expect(Kind::null);
    return true;
  }
  bool boolean(bool value) override {
    number(value, value);
    return true;
  }
  bool number_integer(number_integer_t value) override {
    number(static_cast<double>(value), value);
    return true;
  }
  bool number_unsigned(number_unsigned_t value) override {
    const auto large = value > static_cast<number_unsigned_t>(INT64_MAX);
    number(static_cast<double>(value),
           large ? std::nullopt : std::optional(static_cast<int64_t>(value)));
    return true;
  }
  bool number_float(number_float_t value, const string_t&) override {
    number(value, std::nullopt);
    return true;
  }
  bool string(string_t& value) override {
    expect(Kind::text);
    if (depth_ == 3) item_.texts[key_] = value;
    return true;
  }
  bool binary(binary_t&) override { return true; }

  bool start_object(size_t) override {
    if (depth_ == 2) item_ = {};
    return enter(Kind::object);
  }
  bool key(string_t& name) override {
    if (depth_ == 1) begin_list(name);
    // Only these are kept, and only in the objects of a list.
    constexpr std::string_view known[] = {"id",       "file_name",   "width", "height", "name",
                                          "image_id", "category_id", "bbox",  "area",   "iscrowd"};
    if (depth_ == 3) key_ = std::ranges::count(known, name) > 0 ? name : "";
    return true;
  }
  bool end_object() override {
    --depth_;
    if (depth_ == 2 && !list_.empty()) add();
    return true;
  }
  bool start_array(size_t) override { return enter(Kind::array); }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool parse_error(size_t position, const std::string&,
                   const nlohmann::json::exception& error) override {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error while parsing
    // value - what; last read: ..."
    std::string_view text = error.what();
    const auto taken = [&](std::string_view mark) {
      const size_t found = text.find(mark);
      if (found == text.npos) return std::string_view();
      const std::string_view before = text.substr(0, found);
      text.remove_prefix(found + mark.size());
      return before;
    };
    taken("] ");
    std::string_view place = taken(": ");
    place.remove_prefix(std::min(place.find("line "), place.size()));
    taken(" - ");
    throw bad("is no JSON")
        .with("offset", std::to_string(position))
        .with("found", printable(text))
        .at(place);
  }

 private:
  Error bad(const std::string& what) const {
    return {ErrorKind::data, fmt::format("{}: {}", file_.string(), what)};
  }

  enum class Kind : uint8_t { null, number, text, array, object };

  /// Called where a value begins. The lists are arrays of objects, a bbox is one of numbers.
  void expect(Kind kind) {
    if (list_.empty()) return;
    if (depth_ == 1 && kind != Kind::array) throw bad(list_ + " is no array");
    if (depth_ == 2 && kind != Kind::object)
      throw bad(fmt::format("number {} of {} is no object", counted_ + 1, list_));
    const bool fits_bbox = kind == (depth_ == 3 ? Kind::array : Kind::number);
    if (depth_ >= 3 && depth_ <= 4 && key_ == "bbox" && !fits_bbox) item_.problem = no_bbox;
    if (depth_ == 3 && key_ == "iscrowd" && kind > Kind::number) item_.problem = bad_crowd;
  }

  bool enter(Kind kind) {
    if (depth_ == 0 && kind == Kind::array)
      throw bad("is no object with images, annotations and categories");
    expect(kind);
    if (++depth_ > deepest_json)
      throw bad(fmt::format("is nested more than {} deep", deepest_json));
    return true;
  }

  void begin_list(const std::string& name) {
    list_ = name == "images" || name == "annotations" || name == "categories" ? name : "";
    if (list_.empty()) return;
    if (std::ranges::count(lists_, list_) > 0) throw bad(fmt::format("has {} twice", list_));
    lists_.push_back(list_);
    counted_ = 0;
  }

  void number(double value, std::optional<int64_t> integer) {
    expect(Kind::number);
    if (depth_ == 3 && key_ == "iscrowd") {
      item_.crowd = value == 1;
      if (value != 0 && value != 1) item_.problem = bad_crowd;
    }
    if (depth_ == 3 && integer) item_.integers[key_] = *integer;
    if (depth_ == 3 && key_ == "area" && value >= 0) item_.area = value;
    if (depth_ == 4 && key_ == "bbox" && item_.bbox.size() <= 4) item_.bbox.push_back(value);
  }

  /// "annotation 17", or by its place in the list if it has no id.
  std::string who() const {
    const std::string one = list_ == "categories" ? "category" : list_.substr(0, list_.size() - 1);
    const auto id = item_.integers.find("id");
    return id != item_.integers.end() ? fmt::format("{} {}", one, id->second)
                                      : fmt::format("{} number {}", one, counted_);
  }
  int64_t integer(const std::string& name) const {
    const auto found = item_.integers.find(name);
    if (found != item_.integers.end()) return found->second;
    throw bad(fmt::format("{} has no integer \"{}\"", who(), name));
  }
  std::string text(const std::string& name) const {
    const auto found = item_.texts.find(name);
    if (found != item_.texts.end() && !found->second.empty()) return found->second;
    throw bad(fmt::format("{} has no text \"{}\"", who(), name));
  }

  void add() {
    ++counted_;
    if (list_ == "images") {
      add_image();
    } else if (list_ == "annotations") {
      add_annotation();
    } else if (!found_.categories.emplace(integer("id"), text("name")).second) {
      throw bad(fmt::format("{} occurs twice", who()));
    }
  }

  void add_image() {
    const int64_t height = integer("height"), width = integer("width");
    constexpr int64_t largest = int64_t{1} << 30;
    if (height < 1 || width < 1 || height > largest || width > largest)
      throw bad(fmt::format("{} has a size of {}x{}", who(), height, width));
    const std::string path = text("file_name");
    check_inside(fmt::format("{}: {}", file_.string(), who()), path);
    if (!found_.places.emplace(integer("id"), found_.images.size()).second)
      throw bad(fmt::format("{} occurs twice", who()));
    found_.images.push_back(
        {.path = path, .height = static_cast<int>(height), .width = static_cast<int>(width)});
  }

  void add_annotation() {
    if (item_.bbox.size() != 4) item_.problem = no_bbox;
    if (!item_.problem.empty()) throw bad(fmt::format("{} {}", who(), item_.problem));
    found_.annotations.push_back({.id = integer("id"),
                                  .image = integer("image_id"),
                                  .category = integer("category_id"),
                                  .x = item_.bbox[0],
                                  .y = item_.bbox[1],
                                  .width = item_.bbox[2],
                                  .height = item_.bbox[3],
                                  .area = item_.area,
                                  .crowd = item_.crowd});
  }

  /// Errors: data when two annotations have one id, as in files that were put together.
  void check_annotation_ids() const {
    std::vector<int64_t> ids;
    for (const CocoAnnotation& a : found_.annotations) ids.push_back(a.id);
    std::ranges::sort(ids);
    if (const auto twice = std::ranges::adjacent_find(ids); twice != ids.end())
      throw bad(fmt::format("annotation {} occurs twice", *twice));
  }

  static constexpr const char* no_bbox = "has no bbox of 4 numbers";
  static constexpr const char* bad_crowd = "has an iscrowd that is neither 0 nor 1";

  fs::path file_;
  Instances found_;
  size_t depth_ = 0;
  std::string list_;                ///< that is being read; "" for others
  std::vector<std::string> lists_;  ///< that were begun
  int64_t counted_ = 0;             ///< objects in the list so far
  std::string key_;
  CocoItem item_;
};

/// The classes of the training split, and their ids.
struct Categories {
  std::vector<std::string> names;
  std::vector<int64_t> ids;
};

/// The file of annotations of a split; none if there is none.
std::optional<fs::path> find_instances(const fs::path& folder, std::string_view split) {
  std::vector<std::string> found;
  FolderIndex index(folder);
  for (const auto& [name, is_folder] : index.list(folder)) {
    if (!is_folder && name.starts_with(std::string(instances_prefix) + std::string(split)) &&
        name.ends_with(json_suffix))
      found.push_back(name);
  }
  if (found.size() > 1) {
    throw Error(ErrorKind::data,
                fmt::format("{}: has several files of annotations for {}", folder.string(), split))
        .with("files", printable(join(found)))
        .with("try", "a folder with one of them, such as links to the files of one year");
  }
  return found.empty() ? std::nullopt : std::optional(folder / found[0]);
}

/// The folder of the images of "instances_NAME.json".
fs::path folder_of_images(const fs::path& folder, const fs::path& file) {
  const std::string stem = file.stem().string();
  const std::string name = stem.substr(instances_prefix.size());
  for (const fs::path& place : {folder / name, folder / "images" / name}) {
    if (is_folder(place, ErrorKind::data)) return place;
  }
  throw Error(ErrorKind::data,
              fmt::format("{}: the folder of its images was not found", file.string()))
      .with("looked", fmt::format("for {} and {}", (folder / name).string(),
                                  (folder / "images" / name).string()));
}

BoxedSplit read_coco_split(const fs::path& folder, std::string_view name, Categories& classes) {
  const std::optional<fs::path> file = find_instances(folder / "annotations", name);
  if (!file) return {};
  BoxedSplit split{.root = folder_of_images(folder, *file), .images = {}};
  Instances instances = CocoReader(*file).read();
  Categories own;
  for (const auto& [id, category] : instances.categories) {
    own.names.push_back(category);
    own.ids.push_back(id);
  }
  check_class_names(file->string(), own.names);
  if (classes.names.empty()) classes = own;
  std::map<int64_t, int64_t> labels;
  for (const auto& [id, category] : instances.categories) {
    const auto found = std::ranges::find(classes.names, category);
    if (found == classes.names.end()) {
      throw Error(ErrorKind::data,
                  fmt::format("{}: category {}, {}, is not one of the training data",
                              file->string(), id, printable(category)));
    }
    labels[id] = found - classes.names.begin();
  }
  for (const CocoAnnotation& a : instances.annotations) {
    const std::string where = fmt::format("{}: annotation {}", file->string(), a.id);
    const auto place = instances.places.find(a.image);
    if (place == instances.places.end())
      throw Error(ErrorKind::data,
                  fmt::format("{}: its image_id {} is not in \"images\"", where, a.image));
    const auto label = labels.find(a.category);
    if (label == labels.end())
      throw Error(ErrorKind::data, fmt::format("{}: its category_id {} is not in \"categories\"",
                                               where, a.category));
    instances.images[place->second].add({.x1 = a.x,
                                         .y1 = a.y,
                                         .x2 = a.x + a.width,
                                         .y2 = a.y + a.height,
                                         .label = label->second,
                                         .counts = !a.crowd},
                                        where, a.area);
  }
  split.images = std::move(instances.images);
  return split;
}

}  // namespace

DataSets open_coco(const fs::path& folder) {
  if (!is_folder(folder / "annotations", ErrorKind::data)) {
    throw Error(ErrorKind::data, folder.string() + ": no folder annotations")
        .with("expected",
              "DIR/annotations/instances_train2017.json and the images in DIR/train2017, and the "
              "same with val2017");
  }
  Categories classes;
  BoxedSplit train = read_coco_split(folder, "train", classes);
  if (train.root.empty()) {
    throw Error(ErrorKind::data, (folder / "annotations").string() + ": no instances_train*.json")
        .with("expected",
              "annotations/instances_train2017.json, or another name that begins with "
              "instances_train");
  }
  BoxedSplit val = read_coco_split(folder, "val", classes),
             test = read_coco_split(folder, "test", classes);
  return boxed_sets("coco", std::move(classes.names), std::move(train), std::move(val),
                    std::move(test), std::move(classes.ids));
}

std::map<std::string, int64_t> read_coco_images(const fs::path& file) {
  const Instances instances = CocoReader(file).read();
  std::map<std::string, int64_t> ids;
  for (const auto& [id, place] : instances.places) {
    const std::string& path = instances.images[place].path;
    const auto [known, fresh] = ids.emplace(path, id);
    if (fresh) continue;
    throw Error(ErrorKind::data, fmt::format("{}: the images {} and {} are both {}", file.string(),
                                             std::min(id, known->second),
                                             std::max(id, known->second), printable(path)));
  }
  return ids;
}

}  // namespace fovea::data
