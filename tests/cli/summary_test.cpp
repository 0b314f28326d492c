#include "summary_table.h"

#include <gtest/gtest.h>

#include "fovea/models/registry.h"
#include "fovea/nn.h"
#include "summaries.h"

namespace fovea::cli {
namespace {

TEST(SummaryTable, ReadsAsATable) {
  const auto model = models::make("small_cnn", {.input = Shape{1, 28, 28}});
  const auto graph = nn::trace(*model, {1, 1, 28, 28}, Mode::train);
  Summary s = summarize(*graph, parameter_names(*model));
  s.arena_bytes = 2'048'000;
  s.arena_lower_bound = 2'000'000;
  EXPECT_EQ(summary_table(s),
            R"(Layer      Type                    Output    Parameters  Mult-adds  Memory KB  Field
────────────────────────────────────────────────────────────────────────────────────
small_cnn  SmallCnn (relu)         10                 -          -        151    all
├─conv1    Conv2d 3x3              32x28x28         320    225,792        101      3
├─bn1      BatchNorm               32x28x28          64          -        101      3
├─pool1    MaxPool2d 2x2 stride 2  32x14x14           -          -         26      4
├─conv2    Conv2d 3x3              64x14x14      18,496  3,612,672         51      8
├─bn2      BatchNorm               64x14x14         128          -         52      8
├─pool2    MaxPool2d 2x2 stride 2  64x7x7             -          -         13     10
└─head     Sequential              10                 -          -          -    all
  ├─0      Flatten                 3136               -          -         13    all
  ├─1      Linear                  128          401,536    401,408          1    all
  ├─2      ReLU                    128                -          -          1    all
  ├─3      Dropout                 128                -          -          1    all
  └─4      Linear                  10             1,290      1,280          1    all
────────────────────────────────────────────────────────────────────────────────────
Total params                421,834
Trainable params            421,834
Non-trainable params        0
Buffers                     192
Total mult-adds             4,241,152 (4.24 M)
Receptive field             10, jump 4 (before global pooling or flatten)
────────────────────────────────────────────────────────────────────────────────────
Input size                  0.00 MB (one sample)
Forward/backward pass size  0.60 MB
Params size                 1.69 MB
Estimated total size        2.29 MB
Arena                       2.05 MB, lower bound 2.00 MB
)");
}

TEST(SummaryTable, HasTorchinfosTotals) {
  const auto model = models::make("resnet18");
  const std::string text = summary_table(summary_of(*model, {3, 224, 224}));
  for (const char* line :
       {"Total params                11,689,512\n",
        "mult-adds             1,814,073,344 (1.81 G)\n",
        "Input size                  0.60 MB (one sample)\n",
        "Forward/backward pass size  39.75 MB\n", "Params size                 46.76 MB\n",
        "Estimated total size        87.11 MB\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
}

TEST(SummaryTable, FitsATerminal) {
  for (const char* name : {"resnet18", "mobilenet_v3_large", "densenet121", "googlenet"}) {
    const auto model = models::make(name);
    const auto graph = nn::trace(*model, Shape{1}.concat(models::entry(name).input));
    const std::string text = summary_table(summarize(*graph, parameter_names(*model)));
    const std::string rule = text.substr(text.find('\n') + 1);
    EXPECT_LE(rule.find('\n') / std::string_view("─").size(), 120u) << name;
  }
}

TEST(SummaryTable, FrozenParametersAreInParentheses) {
  const auto model = models::make("small_cnn");
  const auto graph = nn::trace(*model, {1, 3, 32, 32});
  graph->freeze([](std::string_view name) { return name.starts_with("conv1"); });
  const Summary s = summarize(*graph, parameter_names(*model));
  EXPECT_EQ(s.layers[1].parameters, 896);
  EXPECT_EQ(s.layers[1].trainable, 0);
  const std::string text = summary_table(s);
  EXPECT_NE(text.find("├─conv1    Conv2d 3x3              32x32x32       (896) "),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("Non-trainable params        896\n"), std::string::npos) << text;
}

TEST(SummaryTable, ALayerCalledAgainIsRecursive) {
  const std::string text = summary_table(summary_of(Twice(nn::Scope("twice")), {4, 8, 8}));
  EXPECT_NE(text.find("└─conv  Conv2d 3x3    4x4x4   (recursive)"), std::string::npos) << text;
}

}  // namespace
}  // namespace fovea::cli
