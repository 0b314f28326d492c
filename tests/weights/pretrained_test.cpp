#include "fovea/weights/pretrained.h"

#include <gtest/gtest.h>

#include <set>

#include "fovea/models/registry.h"
#include "fovea/predict/predictor.h"
#include "temporary_folder.h"

namespace fovea {
namespace {

TEST(Pretrained, EveryRowIsAModelWhosePicturesCanBePrepared) {
  std::set<std::string_view> files;
  for (const Pretrained& weights : pretrained()) {
    const Shape input = models::entry(weights.model).input;
    EXPECT_EQ(problem(weights.preprocessing(input)), "") << weights.file;
    EXPECT_EQ(weights.preprocessing(input).resize.value_or(0), weights.resize) << weights.file;
    EXPECT_TRUE(files.insert(weights.file).second) << weights.file;
    // A file kept under its published name is known by it.
    const auto match =
        match_pretrained(weights.model, "a/b-c/" + std::string(weights.file) + ".pth");
    ASSERT_TRUE(match) << weights.file;
    EXPECT_TRUE(match->named);
    EXPECT_EQ(match->weights.file, weights.file);
  }
}

TEST(Pretrained, TheNameOfAFileSaysWhichOfAModelsWeightsItHolds) {
  // Prepared as for the other ones, ResNet-50 loses accuracy and nobody notices.
  EXPECT_EQ(match_pretrained("resnet50", "resnet50-0676ba61.pth")->weights.resize, 256);
  EXPECT_EQ(match_pretrained("resnet50", "mine-11ad3fa6.safetensors")->weights.resize, 232);
  EXPECT_EQ(match_pretrained("resnet50", "mine-11ad3fa6.safetensors")->text(),
            "images are prepared as for resnet50-11ad3fa6");
  EXPECT_EQ(match_pretrained("resnet50", "resnet50.pth")->text(),
            "its name does not say how images are prepared; assuming as for resnet50-0676ba61");
  // Digits in a folder's name are not the file's; another model's are not this one's.
  EXPECT_FALSE(match_pretrained("resnet50", "11ad3fa6/resnet50.pth")->named);
  EXPECT_FALSE(match_pretrained("resnet50", "resnet18-f37072fd.pth")->named);
  EXPECT_FALSE(match_pretrained("small_cnn", "small_cnn-f37072fd.pth"));
}

TEST(Pretrained, ModelsTrainedWithAnotherNormalisationGetIt) {
  const auto of = [](const char* model) {
    return match_pretrained(model, "x.pth")->weights.preprocessing(models::entry(model).input);
  };
  EXPECT_EQ(of("inception_v3").mean, std::vector<double>(3, 0.5));
  EXPECT_EQ(of("inception_v3").resize, 342);
  EXPECT_EQ(of("efficientnet_b3").filter, Filter::bicubic);
  EXPECT_EQ(of("efficientnet_b3").resize, 320);
  EXPECT_EQ(of("efficientnet_lite0").std, std::vector<double>(3, 128. / 255));
  EXPECT_EQ(of("vgg16").mean, (std::vector<double>{0.485, 0.456, 0.406}));
}

TEST(Pretrained, AnotherInputIsResizedInProportion) {
  const Preprocessing p = match_pretrained("resnet18", "x")->weights.preprocessing({3, 112, 112});
  EXPECT_EQ(p.resize, 128);
  EXPECT_EQ(p.height, 112);
  EXPECT_EQ(default_preprocessing({3, 32, 32}).resize, std::nullopt);
  EXPECT_EQ(default_preprocessing({1, 224, 224}).resize, 256);
  EXPECT_EQ(default_preprocessing({1, 224, 224}).mean, std::vector<double>{0.5});
}

TEST(Pretrained, ImageNetHasAThousandNamesInItsOrder) {
  const std::vector<std::string>& names = imagenet_classes();
  ASSERT_EQ(names.size(), 1000u);
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), 1000u);
  EXPECT_EQ(names[0], "tench");
  EXPECT_EQ(names[285], "Egyptian cat");
  EXPECT_EQ(names[967], "espresso");
  EXPECT_EQ(names[999], "toilet tissue");
  for (const std::string& name : names) {
    EXPECT_FALSE(name.empty() || name.front() == ' ' || name.back() == ' ') << name;
  }
}

}  // namespace
}  // namespace fovea
