#include "fovea/core/text.h"

#include <gtest/gtest.h>

namespace fovea {
namespace {

const std::vector<std::string> models{"resnet18", "resnet50", "vgg16_bn", "lenet5", "unet"};

TEST(Text, ATypoFindsTheIntendedName) {
  EXPECT_EQ(nearest_names("restnet18", models, 1), std::vector<std::string>{"resnet18"});
  EXPECT_EQ(nearest_names("RESNET-50", models, 1), std::vector<std::string>{"resnet50"});
  EXPECT_EQ(nearest_names("vgg61_bn", models), std::vector<std::string>{"vgg16_bn"});
  EXPECT_EQ(nearest_names("resnet", models), (std::vector<std::string>{"resnet18", "resnet50"}));
  EXPECT_EQ(nearest_names("vgg", models), std::vector<std::string>{"vgg16_bn"});
}

TEST(Text, NoSuggestionWithoutANearName) {
  EXPECT_TRUE(nearest_names("transformer", models).empty());
  EXPECT_TRUE(nearest_names("", models).empty());
  EXPECT_TRUE(nearest_names("zq", models).empty());
  EXPECT_TRUE(nearest_names(std::string(1 << 20, 'x'), models).empty());  // and costs no time
}

TEST(Text, AnUnknownNameSuggestsTheNearest) {
  const Error error = unknown_name("model", "resnt18", models);
  EXPECT_EQ(error.kind(), ErrorKind::usage);
  EXPECT_STREQ(error.what(), "unknown model \"resnt18\"\n  nearest resnet18");
  EXPECT_STREQ(unknown_name("model", "x", models).what(), "unknown model \"x\"");
  // A name may be from a file: nothing of it reaches a terminal as a command.
  EXPECT_STREQ(unknown_name("model", "\x1b[31mx", models).what(), "unknown model \"?[31mx\"");
}

TEST(Text, LongNumbersAreGrouped) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(11173962), "11,173,962");
  EXPECT_EQ(grouped(-123456), "-123,456");
}

TEST(Text, CountsHaveTheirNounInSingularOrPlural) {
  EXPECT_EQ(counted(0, "image"), "0 images");
  EXPECT_EQ(counted(1, "image"), "1 image");
  EXPECT_EQ(counted(1, "batch"), "1 batch");
  EXPECT_EQ(counted(2, "batch"), "2 batches");
  EXPECT_EQ(counted(2, "epoch"), "2 epochs");
  EXPECT_EQ(counted(65536, "class"), "65,536 classes");
}

TEST(Text, SplitAndJoinAreInverse) {
  for (const char* text : {"", "a", "a,b", ",", "a,,b", "a,"}) {
    EXPECT_EQ(join(split(text, ','), ","), text);
  }
  EXPECT_EQ(split("a,,b", ',').size(), 3u);
}

}  // namespace
}  // namespace fovea
