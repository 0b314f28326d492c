#include "fovea/weights/initial.h"

#include <set>

#include "error_text.h"
#include "fovea/formats/weight_file.h"
#include "fovea/models/selection.h"
#include "fovea/weights/fit.h"
#include "temporary_folder.h"

namespace fovea {
namespace {

TEST(InitialWeights, AHeadForOtherClassesIsReinitialisedAndTheRestMustFit) {
  const auto model = models::make("lenet_cnn", {.outputs = 4, .input = Shape{1, 32, 32}});
  const models::Config config =
      models::configure("lenet_cnn", {.outputs = 4, .input = Shape{1, 32, 32}});
  const auto head = models::head("lenet_cnn", config);
  EXPECT_EQ(head.size(), 2u);
  const auto other = models::make("lenet_cnn", {.outputs = 7, .input = Shape{1, 32, 32}});
  State state, given;
  nn::declare(state, *model, 1);
  nn::declare(given, *other, 2);
  InitialWeights initial;
  initial.weights = weights_of(*other, given);
  const auto anew = initialize(initial, head, *model, state);
  EXPECT_EQ(std::set<std::string>(anew.begin(), anew.end()),
            std::set<std::string>(head.begin(), head.end()));
  EXPECT_EQ(state.get("conv1.weight").at(0), given.get("conv1.weight").at(0));
  EXPECT_EQ(state.get(anew[0]).shape()[0], 4);

  initial.weights.erase(initial.weights.begin());
  expect_error(ErrorKind::model, "missing conv1.weight",
               [&] { initialize(initial, head, *model, state); });
}

TEST(InitialWeights, PublishedWeightsSayHowTheirImagesWerePrepared) {
  // Fine-tuned on images with another mean, a net has to relearn what it knew.
  TemporaryFolder folder;
  const std::vector<std::pair<std::string, Array>> weights{{"fc.bias", Array(DType::f32, {2})}};
  write_weights(folder / "resnet50-11ad3fa6.pth", weights);
  write_weights(folder / "mine.pth", weights);
  const InitialWeights named =
      read_initial_weights(folder / "resnet50-11ad3fa6.pth", "resnet50", {3, 112, 112});
  ASSERT_TRUE(named.preprocessing);
  EXPECT_EQ(named.preprocessing->std, (std::vector<double>{0.229, 0.224, 0.225}));
  EXPECT_EQ(named.preprocessing->resize, 116);
  EXPECT_EQ(named.note, (folder / "resnet50-11ad3fa6.pth").string() +
                            ": images are prepared as for resnet50-11ad3fa6");
  const InitialWeights likely =
      read_initial_weights(folder / "mine.pth", "efficientnet_b0", {3, 224, 224});
  EXPECT_EQ(likely.preprocessing->filter, Filter::bicubic);
  EXPECT_NE(likely.note.find("its name does not say"), std::string::npos) << likely.note;
  EXPECT_FALSE(read_initial_weights(folder / "mine.pth", "small_cnn", {3, 32, 32}).preprocessing);
}

}  // namespace
}  // namespace fovea
