#include "fovea/tasks/detection.h"

#include <cmath>

#include "fovea/images/codec.h"
#include "fovea/ops/shape_ops.h"
#include "fovea/runtime/eval.h"
#include "tasks/helpers.h"

namespace fovea::tasks {
namespace {

data::Targets pets() { return data::box_targets({"cat", "dog"}, 4); }

/// A net of RetinaNet's kind with two anchors of 10x10 at (0, 0) and (20, 0) in an image of 40x20,
/// which says these logits [3, 2] and that the anchors are the boxes, but 2 pixels further right.
Tensor said(Graph& graph, const std::vector<float>& logits) {
  const Tensor anchors =
      graph.constant(Array::of(std::vector<float>{0, 20, 0, 0, 10, 30, 10, 10}, {4, 2}));
  const Tensor deltas =
      graph.constant(Array::of(std::vector<float>{0.2F, 0.2F, 0, 0, 0, 0, 0, 0}, {1, 4, 2}));
  return detection_head({.levels = {2}, .height = 20, .width = 40, .score = 0.2},
                        graph.constant(Array::of(logits, {1, 3, 2})), deltas, {}, anchors);
}

/// What `f` makes of that net's output and a target f32[1,4,5].
Array of_net(const std::vector<float>& logits, const std::vector<float>& target,
             const std::function<Tensor(const Tensor&, const Tensor&)>& f) {
  std::vector<float> rows = target;
  rows.resize(20);
  return eval([&](const Tensors& in) { return Tensors{f(said(in[0].graph(), logits), in[0])}; },
              {Array::of(rows, {1, 4, 5})})[0];
}

Array decoded(const Detection& task, const std::vector<float>& logits) {
  return of_net(logits, {},
                [&](const Tensor& output, const Tensor&) { return task.decoded(output); });
}

// The background never, a dog at the first anchor, a cat at the second.
const std::vector<float> dog_and_cat{-9, -9, -9, 1, 2, -9};

BoxesPrediction prediction_of(const Detection& task,
                              const std::vector<float>& logits = dog_and_cat) {
  const auto made = task.predict(decoded(task, logits), 0, 0);
  return dynamic_cast<const BoxesPrediction&>(*made);
}

TEST(Detection, ExplainsTheClassesOfTheBoxAtAPlace) {
  const Detection task(pets());
  const auto explained = [&](const std::optional<Region>& region) {
    const Array numbers = of_net(dog_and_cat, {}, [&](const Tensor& output, const Tensor&) {
      return task.explained(output, region);
    });
    return std::vector{numbers.at(0), numbers.at(1)};
  };
  EXPECT_EQ(explained(std::nullopt), (std::vector<double>{1, 2}));  // cat, dog
  EXPECT_EQ(explained(Region{.top = 4, .left = 5, .bottom = 5, .right = 6}),
            (std::vector<double>{-9, 2}));
  EXPECT_EQ(explained(Region{.top = 0, .left = 20, .bottom = 10, .right = 30}),
            (std::vector<double>{1, -9}));
}

/// A net of two levels, with an anchor of 10x10 at (0, 0) and one of 20x20 at (20, 0).
Tensor said_at_levels(Graph& graph) {
  const auto constant = [&](const std::vector<float>& values, int64_t rows) {
    return graph.constant(Array::of(values, {1, rows, 1}));
  };
  const Tensor logits = concat({constant({-9, 3, 1}, 3), constant({-9, 2, 4}, 3)}, 2);
  const Tensor codes = concat({constant({0, 0, 0, 0}, 4), constant({0, 0, 0, 0}, 4)}, 2);
  const Tensor anchors =
      graph.constant(Array::of(std::vector<float>{0, 20, 0, 0, 10, 40, 10, 20}, {4, 2}));
  return detection_head({.levels = {1, 1}, .height = 20, .width = 40}, logits, codes, {}, anchors);
}

TEST(Detection, KnowsTheLevelThatAnExplainedNumberComesFrom) {
  const Detection task(pets());
  const auto levels = [&](const std::optional<Region>& region) {
    const Array level = eval(
        [&](const Tensors& in) {
          const auto found = task.explained_levels(said_at_levels(in[0].graph()), region);
          EXPECT_EQ(found->predictions.size(), 2u);
          EXPECT_EQ(found->predictions[1].size(), 2u) << "logits and codes";
          return Tensors{found->level};
        },
        {Array::full(DType::f32, {1}, 0)})[0];
    return std::vector{level.at(0), level.at(1)};
  };
  EXPECT_EQ(levels(std::nullopt), (std::vector<double>{0, 1}))
      << "cat on the first, dog on the second";
  EXPECT_EQ(levels(Region{.top = 2, .left = 22, .bottom = 19, .right = 38}),
            (std::vector<double>{1, 1}));
  EXPECT_EQ(levels(Region{.top = 2, .left = 2, .bottom = 3, .right = 3}),
            (std::vector<double>{0, 0}));
  const auto one = eval(
      [&](const Tensors& in) {
        EXPECT_FALSE(task.explained_levels(said(in[0].graph(), dog_and_cat), std::nullopt));
        return in;
      },
      {Array::full(DType::f32, {1}, 0)});
}

TEST(Detection, ShowsBoxesWithTheirClassesTheSurestFirst) {
  const BoxesPrediction prediction = prediction_of(Detection(pets()));
  EXPECT_EQ(prediction.text(),
            "  dog   88.08%  2.0 0.0 10.0 10.0\n"
            "  cat   73.11%  22.0 0.0 10.0 10.0\n");
  const Json json = prediction.json();
  ASSERT_EQ(json["boxes"].size(), 2u);
  EXPECT_EQ(json["boxes"][0]["class"], "dog");
  EXPECT_NEAR(json["boxes"][0]["score"].get<double>(), 1 / (1 + std::exp(-2.0)), 1e-6);
  EXPECT_EQ(json["boxes"][1]["box"].dump(), "[22.0,0.0,10.0,10.0]");
  const Json coco = *prediction.coco(7);
  EXPECT_EQ(coco[0]["image_id"], 7);
  EXPECT_EQ(coco[0]["category_id"], 2);
  EXPECT_EQ(coco[0]["bbox"].dump(), "[2.0,0.0,10.0,10.0]");
  data::Targets numbered = pets();
  numbered.ids = {17, 18};  // those of COCO
  const Json original = *prediction_of(Detection(numbered)).coco(7);
  EXPECT_EQ(original[0]["category_id"], 18);
  const auto arrays = prediction.arrays();
  EXPECT_EQ(arrays[0].first, "boxes");
  EXPECT_EQ(arrays[0].second.shape(), (Shape{2, 4}));
  EXPECT_EQ(arrays[0].second.at(6), 32);  // x2 of the second
  EXPECT_EQ(arrays[2].first, "labels");
  EXPECT_EQ(arrays[2].second.at(0), 2);
}

TEST(Detection, UndoesALetterboxExactly) {
  // A picture of 80x20, in an input of 40x20 half as large, with bars of 5 pixels above and below.
  BoxesPrediction prediction;
  prediction.boxes = {{1, 0.9, 3, 7, 13, 12}, {1, 0.8, 30, 1, 40, 19}};
  prediction.names = {"cat"};
  const Preprocessing p{.height = 20,
                        .width = 40,
                        .channels = 1,
                        .resize = {},
                        .letterbox = 0,
                        .mean = {0},
                        .std = {1}};
  prediction.place({prepared_area(20, 80, p), 20, 40, 20, 80});
  const BoxesPrediction::Found &first = prediction.boxes[0], &second = prediction.boxes[1];
  EXPECT_EQ((std::vector<double>{first.x1, first.y1, first.x2, first.y2}),
            (std::vector<double>{6, 4, 26, 14}));
  EXPECT_EQ((std::vector<double>{second.x1, second.y1, second.x2, second.y2}),
            (std::vector<double>{60, 0, 80, 20}));  // not beyond the picture
}

TEST(Detection, ChoicesLimitWhatIsShown) {
  const auto shown = [](const Arguments& chosen) {
    const auto task = make("detect", pets(), chosen);
    return dynamic_cast<const BoxesPrediction&>(
               *task->predict(decoded(dynamic_cast<const Detection&>(*task), dog_and_cat), 0, 0))
        .boxes.size();
  };
  EXPECT_EQ(shown({}), 2u);
  EXPECT_EQ(shown({{"score", 0.8}}), 1u);
  EXPECT_EQ(shown({{"max_boxes", int64_t{1}}}), 1u);
  EXPECT_EQ(error_text(ErrorKind::usage,
                       [] {
                         (void)make("classify", data::class_targets({"a"}), {{"score", 0.8}});
                       }),
            "the task classify has no choice \"score\"\n"
            "  task    one class of several: cross-entropy; accuracy, top5");
}

TEST(Detection, NothingFoundIsSaid) {
  const Detection task(pets());
  const auto made = task.predict(decoded(task, std::vector<float>(6, -9)), 0, 0);
  EXPECT_EQ(made->text(), "  none\n");
  EXPECT_EQ(made->json().dump(), "{\"boxes\":[]}");
  EXPECT_EQ(made->arrays()[0].second.shape(), (Shape{0, 4}));
}

TEST(Detection, PicturesHaveTheSizeOfThePicture) {
  const BoxesPrediction prediction = prediction_of(Detection(pets()));
  const Image picture = Image::black(20, 40, 1);
  const auto pictures = prediction.pictures({picture, {{0, 0, 20, 40}, 20, 40, 20, 40}});
  ASSERT_EQ(pictures.size(), 1u);
  EXPECT_EQ(pictures[0].name, "boxes");
  const std::string& png = pictures[0].png;
  const Image drawn =
      decode_image({reinterpret_cast<const std::byte*>(png.data()), png.size()}, "boxes.png");
  EXPECT_EQ(drawn.height, 20);
  EXPECT_EQ(drawn.width, 40);
}

// A dog, where the first anchor says.
const std::vector<float> there{2, 0, 12, 10, 2};

Numbers measured(const Detection& task, const std::vector<float>& logits) {
  Measures measures(metrics(task));
  std::vector<Array> sums;
  for (const Metric& metric : with_own(measures.metrics()))
    sums.push_back(of_net(logits, there, metric.rows ? metric.rows : metric.sum).clone());
  measures.add(sums, 1);
  return measures.numbers();
}

TEST(Detection, MeasuresPrecisionAndLoss) {
  const Detection task(pets());
  const Numbers numbers = measured(task, dog_and_cat);
  EXPECT_NEAR(*find(numbers, "map"), 1, 1e-9);  // of dogs alone: there are no cats
  EXPECT_NEAR(*find(numbers, "map50"), 1, 1e-9);
  const double loss = of_net(dog_and_cat, there, [&](const Tensor& output, const Tensor& target) {
                        return task.loss(output, target, {});
                      }).item();
  EXPECT_NEAR(*find(numbers, "loss"), loss, 1e-6);
}

TEST(Detection, PrecisionsCountBoxesThatAreNotShown) {
  const std::vector<float> unsure{-9, -9, -9, -9, -2, -9};  // of the dog: 0.12
  EXPECT_EQ(prediction_of(Detection(pets()), unsure).text(), "  none\n");
  EXPECT_NEAR(*find(measured(Detection(pets()), unsure), "map"), 1, 1e-9);
  EXPECT_NEAR(*find(measured(Detection(pets(), {{"score", 0.15}}), unsure), "map"), 0, 1e-9);
}

TEST(Detection, RetinaNetsLossIsFocalLossAndDistance) {
  // One box that the first anchor finds with an overlap of 2 / 3, the other finds none.
  const double got = of_net({0, 0, 0, 0, 0, 0}, {2, 0, 12, 10, 2}, detection_loss).item();
  const double half = std::log(2.0) / 4;  // (1 - p)^2 log p at p = 0.5
  // Of six logits one should be 1; the deltas are right.
  EXPECT_NEAR(got, 0.25 * half + 5 * 0.75 * half, 1e-6);
}

TEST(Detection, IsTheTaskOfBoxes) {
  EXPECT_EQ(make("", pets())->name(), "detect");
  EXPECT_EQ(make("", pets())->outputs(), 3);
  const data::Targets unnamed = targets_of_net("detect", 4, {"cat"});
  EXPECT_EQ(unnamed.names, (std::vector<std::string>{"cat", "2", "3"}));
}

TEST(Detection, OtherNetsAndChoicesAreRefused) {
  const Detection task(pets());
  EXPECT_EQ(error_text(ErrorKind::usage,
                       [&] {
                         (void)loss_of(task, Array::zeros(DType::f32, {1, 3}),
                                       Array::zeros(DType::f32, {1, 4, 5}));
                       }),
            "detect: the net does not give boxes\n"
            "  output  f32[1, 3]\n"
            "  try     a net for detection, such as --model fcos_resnet18_fpn; no --tta");
  EXPECT_EQ(error_text(ErrorKind::usage,
                       [&] {
                         (void)of_net(dog_and_cat, {}, [&](const Tensor& o, const Tensor& t) {
                           return task.loss(o, t, {.label_smoothing = 0.1});
                         });
                       }),
            "detect: the losses of boxes take no label smoothing\n"
            "  found   label_smoothing 0.1");
  EXPECT_EQ(error_text(ErrorKind::usage, [] { Detection other(data::class_targets({"a"})); }),
            "detect: targets must be boxes f32[M,5] with named classes\n"
            "  found   i64[]");
}

}  // namespace
}  // namespace fovea::tasks
