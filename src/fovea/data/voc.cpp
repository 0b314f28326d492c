#include "fovea/data/voc.h"

#include <fmt/format.h>

#include <expat.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "fovea/core/error.h"
#include "fovea/core/files.h"
#include "fovea/core/parallel.h"
#include "fovea/core/text.h"
#include "fovea/data/boxed_images.h"
#include "fovea/data/folder_index.h"
#include "fovea/data/text_file.h"

namespace fovea::data {
namespace {

namespace fs = std::filesystem;

/// What is read of an object.
constexpr std::string_view voc_fields[] = {"name",        "difficult",   "bndbox/xmin",
                                           "bndbox/ymin", "bndbox/xmax", "bndbox/ymax"};

/// An object as its annotation has it.
struct VocObject {
  size_t line = 0;
  std::map<std::string, std::string> fields = {};
};

struct VocAnnotation {
  std::map<std::string, std::string> size = {};  ///< "width", "height"
  std::vector<VocObject> objects = {};
};

/// Reads the XML of an annotation. Expat, which is C, calls back: what is wrong is noted and thrown
/// once it has returned.
class VocReader {
 public:
  explicit VocReader(const fs::path& file)
      : file_(file), parser_(XML_ParserCreate(nullptr), XML_ParserFree) {
    if (parser_ == nullptr) throw Error(ErrorKind::memory, "cannot allocate an XML parser");
    XML_SetUserData(parser_.get(), this);
    XML_SetElementHandler(
        parser_.get(),
        [](void* self, const XML_Char* name, const XML_Char**) { of(self).begin(name); },
        [](void* self, const XML_Char*) { of(self).end(); });
    XML_SetCharacterDataHandler(parser_.get(), [](void* self, const XML_Char* text, int size) {
      of(self).text(std::string_view(text, static_cast<size_t>(size)));
    });
    // Without a document type there are no entities, which a small file can make huge.
    XML_SetStartDoctypeDeclHandler(
        parser_.get(), [](void* self, const XML_Char*, const XML_Char*, const XML_Char*, int) {
          of(self).stop("has a document type, which is not read");
        });
  }

  VocAnnotation read() {
    constexpr size_t largest = size_t{16} << 20;
    require_file(file_, ErrorKind::data);
    const std::string text = read_text(file_, ErrorKind::data, largest);
    const XML_Status status =
        XML_Parse(parser_.get(), text.data(), static_cast<int>(text.size()), XML_TRUE);
    if (!problem_.empty()) throw bad(problem_, problem_line_);
    if (status != XML_STATUS_OK) {
      throw bad(fmt::format("is no XML: {}", XML_ErrorString(XML_GetErrorCode(parser_.get()))),
                line());
    }
    if (!annotation_) throw bad("is no annotation", 1);
    return std::move(*annotation_);
  }

 private:
  static VocReader& of(void* self) { return *static_cast<VocReader*>(self); }

  Error bad(const std::string& what, size_t line) const {
    return {ErrorKind::data, fmt::format("{}: line {} {}", file_.string(), line, what)};
  }
  size_t line() const { return static_cast<size_t>(XML_GetCurrentLineNumber(parser_.get())); }

  void stop(const std::string& what) {
    problem_ = what;
    problem_line_ = line();
    XML_StopParser(parser_.get(), XML_FALSE);
  }

  void begin(const std::string& name) {
    constexpr size_t deepest = 64;
    if (path_.size() == deepest) return stop("is nested too deep");
    path_.push_back(name);
    text_.clear();
    if (path_ == std::vector<std::string>{"annotation"}) annotation_.emplace();
    if (in_object() && path_.size() == 2) annotation_->objects.push_back({.line = line()});
  }

  void text(std::string_view part) { text_ += part; }

  void end() {
    if (path_.size() > 2 && path_[0] == "annotation") {
      std::string key = path_[2];
      for (size_t i = 3; i < path_.size(); ++i) key += "/" + path_[i];
      const size_t begin = std::min(text_.find_first_not_of(" \t\r\n"), text_.size());
      const size_t last = text_.find_last_not_of(" \t\r\n");
      const std::string value = text_.substr(begin, last == text_.npos ? 0 : last + 1 - begin);
      if (path_[1] == "size") annotation_->size.emplace(key, value);
      if (in_object() && std::ranges::count(voc_fields, key) > 0)
        annotation_->objects.back().fields.emplace(key, value);
    }
    path_.pop_back();
    text_.clear();
  }

  bool in_object() const {
    return path_.size() >= 2 && path_[0] == "annotation" && path_[1] == "object";
  }

  fs::path file_;
  std::unique_ptr<XML_ParserStruct, decltype(&XML_ParserFree)> parser_;
  std::vector<std::string> path_;
  std::string text_;
  std::optional<VocAnnotation> annotation_;
  std::string problem_;
  size_t problem_line_ = 0;
};

/// A number of an annotation. Errors: data when it is missing or no number.
double xml_number(const std::map<std::string, std::string>& fields, const std::string& name,
                  const std::string& where) {
  const auto found = fields.find(name);
  if (found == fields.end()) throw Error(ErrorKind::data, fmt::format("{}: no {}", where, name));
  if (const std::optional<double> number = parse_number(found->second)) return *number;
  throw Error(ErrorKind::data,
              fmt::format("{}: {} is \"{}\", not a number", where, name, printable(found->second)));
}

/// The name of an object's class.
std::string xml_class(const VocObject& object, const std::string& where) {
  const auto name = object.fields.find("name");
  if (name != object.fields.end() && !name->second.empty()) return name->second;
  throw Error(ErrorKind::data, fmt::format("{}: the object has no name", where));
}

/// Adds the size of an annotation's image and its boxes; `labels` are the numbers of classes.
void add_boxes(BoxedImage& image, const fs::path& file, const VocAnnotation& annotation,
               const std::map<std::string, int64_t>& labels) {
  const auto side = [&](const char* name) {
    constexpr double largest = 1 << 30;
    const double value = xml_number(annotation.size, name, file.string() + ": size");
    if (value >= 1 && value <= largest) return static_cast<int>(value);
    throw Error(ErrorKind::data,
                fmt::format("{}: size: {} is {}", file.string(), name, format_number(value)))
        .with("expected", "the size of the image, in pixels");
  };
  image.height = side("height");
  image.width = side("width");
  for (const VocObject& object : annotation.objects) {
    const std::string where = fmt::format("{}: line {}", file.string(), object.line);
    const int64_t label = labels.at(xml_class(object, where));
    const auto corner = [&](const char* key) {
      return xml_number(object.fields, std::string("bndbox/") + key, where);
    };
    const bool difficult =
        object.fields.contains("difficult") && xml_number(object.fields, "difficult", where) != 0;
    image.add({.x1 = corner("xmin") - 1,
               .y1 = corner("ymin") - 1,
               .x2 = corner("xmax"),
               .y2 = corner("ymax"),
               .label = label,
               .counts = !difficult},
              where);
  }
}

std::string voc_layout() {
  return "DIR/Annotations, DIR/JPEGImages and DIR/ImageSets/Main, in DIR itself or in DIR/VOC2012";
}

/// The folder that holds Annotations.
fs::path voc_root(const fs::path& folder) {
  for (const fs::path& place : {folder, folder / "VOCdevkit"}) {
    if (is_folder(place / "Annotations", ErrorKind::data)) return place;
    if (!is_folder(place, ErrorKind::data)) continue;
    std::vector<fs::path> years;
    FolderIndex index(place);
    for (const auto& [name, is_dir] : index.list(place)) {
      if (is_dir && name.starts_with("VOC") &&
          is_folder(place / name / "Annotations", ErrorKind::data))
        years.push_back(place / name);
    }
    if (years.size() == 1) return years[0];
    if (years.size() > 1) {
      throw Error(ErrorKind::data, place.string() + ": has several years")
          .with("try", fmt::format("voc:{}", years.back().string()));
    }
  }
  throw Error(ErrorKind::data, folder.string() + ": no folder Annotations")
      .with("expected", voc_layout());
}

/// What is in a data set of this form.
class Voc {
 public:
  explicit Voc(const fs::path& folder) : root_(voc_root(folder)) {
    FolderIndex index(root_);
    for (const auto& [name, is_dir] : index.list(root_ / "JPEGImages")) {
      if (is_dir || !is_image_name(name)) continue;
      if (!images_.emplace(fs::path(name).stem().string(), name).second) {
        throw Error(ErrorKind::data, (root_ / "JPEGImages" / name).string() +
                                         ": there is another image of this name");
      }
    }
    for (const auto& [name, is_dir] : index.list(root_ / "Annotations")) {
      if (!is_dir && name.ends_with(".xml")) ids_.push_back(fs::path(name).stem().string());
    }
  }

  DataSets read() {
    std::optional<std::vector<std::string>> train = listed("train"), val = listed("val");
    if (!train) train = listed("trainval");
    const std::optional<std::vector<std::string>> test = listed("test");
    if (!train && (val || test))
      throw Error(ErrorKind::data, (root_ / "ImageSets/Main").string() + ": no train.txt")
          .with("found", val && test ? "val.txt, test.txt"
                         : val       ? "val.txt"
                                     : "test.txt")
          .with("expected", "train.txt or trainval.txt, the names of the images to train on");
    std::vector<Part> parts;
    for (const auto& ids : {train ? *train : ids_, val.value_or(std::vector<std::string>()),
                            test.value_or(std::vector<std::string>())})
      parts.push_back(parsed(ids));
    std::vector<std::string> names = names_of(parts);
    std::map<std::string, int64_t> labels;
    for (size_t k = 0; k < names.size(); ++k) labels[names[k]] = static_cast<int64_t>(k);
    for_each_name(parts, [&](const std::string& name, const std::string& where) {
      if (labels.contains(name)) return;
      throw Error(ErrorKind::data, fmt::format("{}: unknown class {}", where, printable(name)))
          .with("try", "a line for it in classes.txt");
    });
    std::vector<BoxedSplit> splits;
    for (const Part& part : parts) {
      BoxedSplit& split = splits.emplace_back(BoxedSplit{.root = root_ / "JPEGImages"});
      for (size_t i = 0; i < part.ids.size(); ++i) {
        BoxedImage image = part.images[i];
        if (!image.problem) {
          image.attempt(
              [&] { add_boxes(image, annotation_of(part.ids[i]), part.annotations[i], labels); });
        }
        split.images.push_back(std::move(image));
      }
    }
    return boxed_sets("voc", std::move(names), std::move(splits[0]), std::move(splits[1]),
                      std::move(splits[2]));
  }

 private:
  struct Part {
    std::vector<std::string> ids;
    std::vector<BoxedImage> images;  ///< with a problem where there is no annotation
    std::vector<VocAnnotation> annotations;
  };

  fs::path annotation_of(const std::string& id) const {
    return root_ / "Annotations" / (id + ".xml");
  }

  /// The IDs of a split; none if there is no such list.
  std::optional<std::vector<std::string>> listed(const std::string& split_name) const {
    const fs::path file = root_ / "ImageSets" / "Main" / (split_name + ".txt");
    if (!exists(file, ErrorKind::data)) return std::nullopt;
    std::vector<std::string> ids;
    for_each_line(read_text_file(file), [&](std::string_view line, size_t number) {
      const std::string id(line.substr(0, line.find_first_of(" \t")));
      if (id.empty()) return;
      check_inside(fmt::format("{}: line {}", file.string(), number), id);
      ids.push_back(id);
    });
    return ids;
  }

  Part parsed(const std::vector<std::string>& ids) const {
    for (const std::string& id : ids) {
      if (images_.contains(id)) continue;
      throw Error(ErrorKind::data,
                  fmt::format("{}: no image {}", (root_ / "JPEGImages").string(), printable(id)))
          .with("for", annotation_of(id).string());
    }
    Part part{.ids = ids, .images = {}, .annotations = std::vector<VocAnnotation>(ids.size())};
    for (const std::string& id : ids) part.images.push_back({.path = images_.at(id)});
    parallel_for(std::ssize(ids), 64, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const auto at = static_cast<size_t>(i);
        part.images[at].attempt(
            [&] { part.annotations[at] = VocReader(annotation_of(ids[at])).read(); });
      }
    });
    return part;
  }

  /// Calls body(name, where) for each object that has a name.
  void for_each_name(
      const std::vector<Part>& parts,
      const std::function<void(const std::string& name, const std::string& where)>& body) const {
    for (const Part& part : parts) {
      for (size_t i = 0; i < part.ids.size(); ++i) {
        for (const VocObject& object : part.annotations[i].objects) {
          const auto name = object.fields.find("name");
          if (name == object.fields.end() || name->second.empty()) continue;
          body(name->second,
               fmt::format("{}: line {}", annotation_of(part.ids[i]).string(), object.line));
        }
      }
    }
  }

  std::vector<std::string> names_of(const std::vector<Part>& parts) const {
    const fs::path file = root_ / "classes.txt";
    if (exists(file, ErrorKind::data)) return read_class_list(file);
    std::set<std::string> names;
    for_each_name(parts, [&](const std::string& name, const std::string&) { names.insert(name); });
    for (const Part& part : parts) {
      if (names.empty()) require_no_problem(part.images);
    }
    std::vector<std::string> all(names.begin(), names.end());
    check_class_names((root_ / "Annotations").string(), all);
    return all;
  }

  fs::path root_;
  std::map<std::string, std::string> images_;  ///< files by their names without suffix
  std::vector<std::string> ids_;               ///< of all annotations
};

}  // namespace

DataSets open_voc(const fs::path& folder) { return Voc(folder).read(); }

}  // namespace fovea::data
