#include "fovea/tasks/average_precision.h"

#include <cmath>
#include <set>

#include "fovea/data/dataset.h"
#include "fovea/formats/safetensors.h"
#include "paths.h"
#include "tasks/helpers.h"

namespace fovea::tasks {
namespace {

const std::map<std::string, Array>& golden() {
  static const std::map<std::string, Array> all = [] {
    std::map<std::string, Array> arrays;
    for (auto& [name, array] :
         read_safetensors(tests_folder() + "/golden/average_precision.safetensors").tensors)
      arrays.emplace(name, array);
    return arrays;
  }();
  return all;
}

Array slice_of(const Array& all, int64_t i) {
  const Shape shape = all.shape().slice(1);
  Array one(all.dtype(), shape);
  for (int64_t k = 0; k < one.numel(); ++k) one.set(k, all.at(i * one.numel() + k));
  return one;
}

/// The images of a case; with the areas of the objects' outlines, or those of the boxes.
std::vector<FoundInImage> images_of(const std::string& name, bool with_areas) {
  const Array &found = golden().at(name + "/found"), &boxes = golden().at(name + "/boxes"),
              &areas = golden().at(name + "/areas");
  std::vector<FoundInImage> images;
  for (int64_t i = 0; i < found.dim(0); ++i) {
    FoundInImage& image = images.emplace_back();
    image.boxes = data::boxes_of(slice_of(boxes, i));
    const Array own = slice_of(areas, i);
    for (size_t m = 0; with_areas && m < image.boxes.size(); ++m)
      image.areas.push_back(own.at(static_cast<int64_t>(m)));
    const Array rows = slice_of(found, i);
    for (int64_t d = 0; d < rows.dim(0); ++d) {
      const auto value = [&](int64_t column) { return rows.at(6 * d + column); };
      if (value(5) < 0) continue;
      image.found.push_back({{.x1 = value(0),
                              .y1 = value(1),
                              .x2 = value(2),
                              .y2 = value(3),
                              .label = static_cast<int64_t>(value(5))},
                             value(4)});
    }
  }
  return images;
}

TEST(AveragePrecision, IsPycocotools) {
  // Crowds, ties, empty images, more than 100 found boxes, classes that occur nowhere.
  constexpr double small = 32 * 32, medium = 96 * 96;
  const std::vector<PrecisionOptions> numbers{{},
                                              {.thresholds = {0.5}},
                                              {.thresholds = {0.75}},
                                              {.max_area = small},
                                              {.min_area = small, .max_area = medium},
                                              {.min_area = medium}};
  for (const char* name : {"many", "ties", "crowded", "rare", "small"}) {
    const Array& expected = golden().at(std::string(name) + "/expected");
    const int64_t classes = expected.numel() - std::ssize(numbers);
    const auto images = images_of(name, true);
    for (size_t n = 0; n < numbers.size(); ++n) {
      const auto mean = mean_precision(average_precisions(images, classes, numbers[n]));
      EXPECT_NEAR(mean.value_or(-1), expected.at(static_cast<int64_t>(n)), 1e-9) << name << n;
    }
    const std::vector<double> each = average_precisions(images, classes);
    for (int64_t k = 0; k < classes; ++k) {
      const double own = each[static_cast<size_t>(k)];
      EXPECT_NEAR(std::isnan(own) ? -1 : own, expected.at(std::ssize(numbers) + k), 1e-9)
          << name << " class " << k;
    }
  }
}

data::ClassBox box(double x1, double y1, double x2, double y2, int64_t label = 0) {
  return {.x1 = x1, .y1 = y1, .x2 = x2, .y2 = y2, .label = label};
}

TEST(AveragePrecision, IsOneForAllBoxesAndHalfForHalfOfThem) {
  std::vector<FoundInImage> images(2);
  for (FoundInImage& image : images) {
    image.boxes = {box(0, 0, 10, 10)};
    image.found = {{box(0, 0, 10, 10), 0.9}};
  }
  EXPECT_NEAR(average_precisions(images, 1)[0], 1, 1e-12);
  images[1].found.clear();
  EXPECT_NEAR(average_precisions(images, 1)[0], 51.0 / 101, 1e-12);  // at recalls 0, ..., 0.5
  EXPECT_TRUE(std::isnan(average_precisions(images, 2)[1]));
  EXPECT_FALSE(mean_precision({NAN}).has_value());
}

TEST(AveragePrecision, ASecondBoxAroundTheSameObjectIsAMistake) {
  std::vector<FoundInImage> images(1);
  images[0].boxes = {box(0, 0, 10, 10)};
  images[0].found = {{box(0, 0, 10, 10), 0.8}, {box(0, 0, 10, 10), 0.9}, {box(5, 5, 9, 9), 0.95}};
  // The mistake with the highest score halves the precision at every recall.
  EXPECT_NEAR(average_precisions(images, 1)[0], 0.5, 1e-12);
  images[0].boxes.push_back(box(4, 4, 12, 12));
  images[0].boxes.back().counts = false;
  EXPECT_NEAR(average_precisions(images, 1)[0], 1, 1e-12) << "in a crowd it is no mistake";
}

TEST(AveragePrecision, MetricsOverBatchesAreThoseOverAllImages) {
  const Array &found = golden().at("many/found"), &boxes = golden().at("many/boxes");
  const std::vector<std::string> names{"a", "b", "c", "d", "e"};
  // As a net's output that is already what was found.
  Measures measures(
      precision_metrics(names, [](const Tensor& output, const Tensor&) { return output; }));
  const auto part = [](const Array& all, int64_t begin, int64_t end) {
    Array some(all.dtype(), Shape{end - begin}.concat(all.shape().slice(1)));
    const int64_t row = some.numel() / some.dim(0);
    for (int64_t k = 0; k < some.numel(); ++k) some.set(k, all.at(begin * row + k));
    return some;
  };
  for (const auto& [begin, end] : {std::pair<int64_t, int64_t>{0, 7}, {7, 20}}) {
    measures.add(eval(
                     [&](const Tensors& t) {
                       Tensors results;
                       for (const Metric& metric : with_own(measures.metrics()))
                         results.push_back(metric.rows(t[0], t[1]));
                       return results;
                     },
                     {part(found, begin, end), part(boxes, begin, end)}),
                 end - begin);
  }
  const auto images = images_of("many", false);
  std::vector<std::string> named;
  for (const auto& [name, value] : measures.numbers()) named.push_back(name);
  EXPECT_EQ(named, (std::vector<std::string>{"map", "map50", "map75", "map_small", "map_medium",
                                             "map_large"}));
  EXPECT_EQ(find(measures.numbers(), "map"), mean_precision(average_precisions(images, 5)));
  EXPECT_EQ(find(measures.numbers(), "map_large"),
            mean_precision(average_precisions(images, 5, {.min_area = 96 * 96})));
  const Table table = measures.tables().at(0);
  EXPECT_EQ(table.name, "ap");
  ASSERT_EQ(table.rows.size(), 5u);
  EXPECT_EQ(table.rows[2].second[0], average_precisions(images, 5)[2]);
}

/// The boxes of a case as samples, at half the size of their pictures.
class HalvedBoxes : public data::Dataset {
 public:
  explicit HalvedBoxes(std::string name)
      : name_(std::move(name)), targets_(data::box_targets({"a", "b", "c", "d", "e"}, 1)) {}

  int64_t size() const override { return golden().at(name_ + "/boxes").dim(0); }
  data::Sample sample(int64_t) const override { return {}; }
  std::optional<Type> input() const override { return std::nullopt; }
  const data::Targets& targets() const override { return targets_; }
  std::optional<data::BoxedPicture> boxed_picture(int64_t i) const override {
    // Further right and down, so that no found box lies beyond the border and is clipped.
    data::BoxedPicture picture{.place = {{100, 100, 2000, 2000}, 1000, 1000, 3000, 3000}};
    const auto boxes = data::boxes_of(slice_of(golden().at(name_ + "/boxes"), i));
    const Array own = slice_of(golden().at(name_ + "/areas"), i);
    for (int64_t m = 0; m < std::ssize(boxes); ++m) picture.areas.push_back(own.at(m));
    return picture;
  }

 private:
  std::string name_;
  data::Targets targets_;
};

TEST(AveragePrecision, SmallAndLargeAreThoseOfThePictureNotOfTheNetsInput) {
  const auto halved = [](const Array& all, int64_t columns) {
    Array half = all.clone();
    for (int64_t k = 0; k < half.numel(); ++k) {
      if (k % columns < 4) half.set(k, half.at(k) / 2);
    }
    return half;
  };
  for (const std::string name : {"many", "small"}) {
    const Array& expected = golden().at(name + "/expected");
    std::vector<std::string> classes{"a", "b", "c", "d", "e", "f", "g", "h"};
    classes.resize(static_cast<size_t>(expected.numel() - 6));
    Measures measures(
        precision_metrics(classes, [](const Tensor& output, const Tensor&) { return output; }));
    const Metric map = with_own(measures.metrics()).at(0);
    std::vector<Array> rows =
        eval([&](const Tensors& t) { return Tensors{map.rows(t[0], t[1])}; },
             {halved(golden().at(name + "/found"), 6), halved(golden().at(name + "/boxes"), 5)});
    map.complete(rows[0], HalvedBoxes(name), 0);
    measures.add(rows, rows[0].dim(0));
    const char* names[] = {"map", "map50", "map75", "map_small", "map_medium", "map_large"};
    for (int64_t n = 0; n < 6; ++n) {
      const double value = find(measures.numbers(), names[n]).value_or(-1);
      EXPECT_NEAR(std::isnan(value) ? -1 : value, expected.at(n), 1e-6) << name << " " << names[n];
    }
  }
}

}  // namespace
}  // namespace fovea::tasks
