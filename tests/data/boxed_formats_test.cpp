// The same images with boxes in the three forms in which they are published.

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "data/boxed_folder.h"
#include "fovea/data/prepared.h"

namespace fovea::data {
namespace {

struct Picture {
  std::string name;
  int height, width;
  std::vector<ClassBox> boxes;
};

const std::vector<Picture> pictures{{"a", 40, 60, {box(1, 2, 11, 22, 1), box(30, 0, 60, 40, 0)}},
                                    {"b", 33, 25, {}},
                                    {"c", 64, 64, {box(10, 10, 31, 54, 2)}}};
const std::vector<std::string> classes{"cat", "dog", "owl"};

class BoxedFormats : public testing::Test {
 protected:
  void write(const std::string& name, const std::string& contents) {
    folder_.write(name, Bytes(contents.begin(), contents.end()));
  }
  void write_image(const std::string& name, const Picture& picture) {
    Image image = Image::black(picture.height, picture.width, 3);
    for (size_t i = 0; i < image.pixels.size(); ++i)
      image.pixels[i] = static_cast<uint8_t>(i * 7 + picture.name[0]);
    std::filesystem::create_directories((folder_ / name).parent_path());
    encode_png(folder_ / name, image);
  }

  std::string coco() {
    std::string images, annotations;
    for (size_t i = 0; i < pictures.size(); ++i) {
      const Picture& p = pictures[i];
      write_image("coco/train2017/" + p.name + ".png", p);
      images += fmt::format(R"({}{{"id": {}, "file_name": "{}.png", "width": {}, "height": {}}})",
                            i == 0 ? "" : ",", 70 - i, p.name, p.width, p.height);
      for (const ClassBox& b : p.boxes) {
        const int64_t ids[] = {1, 3, 90};
        annotations += fmt::format(
            R"({}{{"id": {}, "image_id": {}, "category_id": {}, "bbox": [{}, {}, {}, {}]}})",
            annotations.empty() ? "" : ",", annotations.size(), 70 - i,
            ids[static_cast<size_t>(b.label)], b.x1, b.y1, b.width(), b.height());
      }
    }
    write("coco/annotations/instances_train2017.json",
          fmt::format(R"({{"images": [{}], "annotations": [{}], "categories": [
              {{"id": 90, "name": "owl"}}, {{"id": 1, "name": "cat"}}, {{"id": 3, "name": "dog"}}]}})",
                      images, annotations));
    return "coco:" + (folder_ / "coco").string();
  }

  std::string yolo() {
    write("yolo/classes.txt", "cat\ndog\nowl\n");
    for (const Picture& p : pictures) {
      write_image("yolo/images/train/" + p.name + ".png", p);
      std::string lines;
      for (const ClassBox& b : p.boxes) {
        lines +=
            fmt::format("{} {} {} {} {}\n", b.label, (b.x1 + b.x2) / 2 / p.width,
                        (b.y1 + b.y2) / 2 / p.height, b.width() / p.width, b.height() / p.height);
      }
      if (!lines.empty()) write("yolo/labels/train/" + p.name + ".txt", lines);
    }
    return "yolo:" + (folder_ / "yolo").string();
  }

  std::string voc() {
    std::string list;
    for (const Picture& p : pictures) {
      write_image("voc/JPEGImages/" + p.name + ".png", p);
      std::string xml = fmt::format("<annotation><size><width>{}</width><height>{}</height></size>",
                                    p.width, p.height);
      for (const ClassBox& b : p.boxes) {
        xml += fmt::format(
            "<object><name>{}</name><bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax>"
            "<ymax>{}</ymax></bndbox></object>",
            classes[static_cast<size_t>(b.label)], b.x1 + 1, b.y1 + 1, b.x2, b.y2);
      }
      write("voc/Annotations/" + p.name + ".xml", xml + "</annotation>");
      list += p.name + "\n";
    }
    write("voc/ImageSets/Main/train.txt", list);
    return "voc:" + (folder_ / "voc").string();
  }

  TempFolder folder_;
};

TEST_F(BoxedFormats, GiveTheSameTrainingData) {
  const std::vector<std::string> all{coco(), yolo(), voc()};
  const Preprocessing fit{.height = 48,
                          .width = 48,
                          .channels = 3,
                          .resize = {},
                          .letterbox = letterbox_gray,
                          .mean = {0, 0, 0},
                          .std = {1, 1, 1}};
  std::map<std::string, Sample> first;
  for (const std::string& name : all) {
    const DataSets sets = open(name);
    EXPECT_EQ(sets.targets().names, classes) << name;
    std::map<std::string, Sample> samples;  // a part of them may be for tests
    for (const auto& split : {sets.train, sets.test}) {
      const auto fitted = prepared(split, fit);
      for (int64_t i = 0; i < split->size(); ++i) {
        samples[std::filesystem::path(split->name(i)).stem().string()] = fitted->sample(i);
        for (const Picture& p : pictures) {
          if (!split->name(i).ends_with(p.name + ".png")) continue;
          const std::vector<ClassBox> found = boxes_of(split->target(i));
          ASSERT_EQ(found.size(), p.boxes.size()) << split->name(i);
          for (size_t b = 0; b < found.size(); ++b) {
            EXPECT_EQ(found[b].label, p.boxes[b].label);
            EXPECT_NEAR(found[b].x1, p.boxes[b].x1, 1e-5);
            EXPECT_NEAR(found[b].y1, p.boxes[b].y1, 1e-5);
            EXPECT_NEAR(found[b].x2, p.boxes[b].x2, 1e-5);
            EXPECT_NEAR(found[b].y2, p.boxes[b].y2, 1e-5);
          }
        }
      }
    }
    ASSERT_EQ(samples.size(), pictures.size()) << name;
    if (name == all[0]) first = samples;
    for (const auto& [stem, sample] : samples) {
      const Sample& same = first.at(stem);
      ASSERT_EQ(sample.input.shape(), same.input.shape());
      ASSERT_TRUE(std::ranges::equal(sample.input.data<uint8_t>(), same.input.data<uint8_t>()))
          << name << " " << stem;
      ASSERT_EQ(sample.target.shape(), same.target.shape());
      for (int64_t k = 0; k < sample.target.numel(); ++k)
        EXPECT_NEAR(sample.target.at(k), same.target.at(k), 1e-5) << name << " " << stem;
    }
  }
}

}  // namespace
}  // namespace fovea::data
